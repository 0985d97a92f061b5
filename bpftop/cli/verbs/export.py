"""``bpftop export``: serve a Prometheus endpoint until a signal ends it."""

from __future__ import annotations

import argparse
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from bpftop.cli.options import add_bpf, add_live, settings_of
from bpftop.cli.shutdown import Ended

if TYPE_CHECKING:
    from bpftop.config.settings import Settings
    from bpftop.export.prometheus.endpoint import Endpoint, Newest

DEFAULT = "127.0.0.1:9435"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_live(parser)
    add_bpf(parser, "also serve runs and time of the BPF programs, and entries of the maps, by name")
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=_address,
        default=DEFAULT,
        help=f"address to listen on (default: {DEFAULT}); [ADDRESS]:PORT for IPv6",
    )


def run(arguments: argparse.Namespace) -> int:
    from bpftop.export.prometheus.endpoint import Endpoint, Newest
    from bpftop.kernel.least_privilege import SAMPLING, keep_only, refuse_system_calls

    settings = settings_of(arguments)
    newest = Newest()
    host, port = arguments.listen
    give_up_all = partial(keep_only, ())
    refuse_system_calls()
    with closing(Endpoint(host, port, newest, give_up_all)) as endpoint:
        keep_only(SAMPLING)
        _serve(arguments, settings, endpoint, newest)
    return 0


def _serve(arguments: argparse.Namespace, settings: Settings, endpoint: Endpoint, newest: Newest) -> None:
    """Store each snapshot for the scrapers, until a signal comes."""
    from bpftop.cli.live_source import live_samples, with_notices
    from bpftop.cli.output import complain
    from bpftop.export.prometheus.endpoint import authority
    from bpftop.history.analyzer import Analyzer
    from bpftop.kernel.least_privilege import keep_only

    with live_samples(arguments, settings) as (samples, _):
        keep_only(())  # the sampler has its thread and its privileges by now
        complain(f"metrics at http://{authority(*endpoint.address)}/metrics")
        analyzer = Analyzer(settings.rules())
        try:
            for sample in with_notices(samples):
                newest.put(analyzer.push(sample))
        except Ended:  # the normal end
            pass


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not host or not port.isdecimal() or not 0 <= int(port) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no HOST:PORT, as in 127.0.0.1:9435 or [::1]:9435")
    return host, int(port)
