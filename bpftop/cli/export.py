"""``bpftop export``: serve a Prometheus endpoint until a signal ends it."""

from __future__ import annotations

import argparse
from contextlib import closing

from bpftop.cli.options import add_attach, add_interfaces, add_settings, settings_of
from bpftop.cli.shutdown import Ended

DEFAULT = ("127.0.0.1", 9435)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_interfaces(parser, required=False)
    add_settings(parser)
    add_attach(parser)
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=_address,
        default=DEFAULT,
        help="address to listen on (default: 127.0.0.1:9435); [ADDRESS]:PORT for IPv6",
    )


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.live_source import Notices, live_samples
    from bpftop.cli.output import complain
    from bpftop.export.prometheus.endpoint import Endpoint, Newest, authority
    from bpftop.history.analyzer import Analyzer

    settings = settings_of(arguments)
    newest = Newest()
    host, port = arguments.listen
    with closing(Endpoint(host, port, newest)) as endpoint, live_samples(arguments, settings) as (samples, _):
        complain(f"metrics at http://{authority(*endpoint.address)}/metrics")
        notices, analyzer = Notices(), Analyzer(settings.rules())
        try:
            for sample in samples:
                newest.put(analyzer.push(sample))
                notices.print_new(sample)
        except Ended:  # the normal end
            pass
    return 0


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not host or not port.isdecimal() or not 0 <= int(port) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no HOST:PORT, as in 127.0.0.1:9435 or [::1]:9435")
    return host, int(port)
