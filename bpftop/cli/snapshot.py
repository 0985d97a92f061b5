"""``bpftop snapshot``: two samples, one interval apart, one document."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from importlib import import_module

from bpftop.cli.options import add_attach, add_format, add_interfaces, add_output, add_settings, settings_of
from bpftop.errors import BpftopError
from bpftop.model.snapshot import Snapshot

FORMATS: Mapping[str, tuple[str, str]] = {
    "json": ("bpftop.export.snapshot.document", "json_text"),
    "table": ("bpftop.export.snapshot.text", "table"),
    "csv": ("bpftop.export.snapshot.snapshot_csv", "csv_page"),
    "openmetrics": ("bpftop.export.prometheus.metrics", "openmetrics"),
    "markdown": ("bpftop.export.snapshot.markdown", "snapshot_markdown"),
}
"""Format -> the module and its function that makes the text of a snapshot."""

PUBLIC = frozenset({"table", "csv", "openmetrics"})
"""Formats that hold no address and no process: the others have findings or whole readings, which may name both."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_interfaces(parser, required=True)
    add_settings(parser)
    add_attach(parser)
    add_format(parser, FORMATS, "json")
    add_output(parser, "once the document is there")


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.live_source import Notices, live_samples
    from bpftop.cli.output import opened
    from bpftop.history.analyzer import Diagnostician

    settings = settings_of(arguments)
    private = arguments.format not in PUBLIC
    with (
        opened(arguments.output, private=private) as output,
        live_samples(arguments, settings, count=2) as (samples, _),
    ):
        diagnostician = Diagnostician(settings.rules())
        before = next(samples, None)
        in_format = text_of(arguments.format)  # imported while the interval runs
        after = next(samples, None)
        if before is None or after is None:
            raise BpftopError("the source ended before there were two samples; try again")
        diagnostician.push(before)
        output.write(in_format(diagnostician.push(after)))
        Notices().print_new(after)
    return 0


def text_of(format_name: str) -> Callable[[Snapshot], str]:
    """What makes the text; its module is imported now."""
    module, function = FORMATS[format_name]
    found: Callable[[Snapshot], str] = getattr(import_module(module), function)
    return found
