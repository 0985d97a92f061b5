"""``bpftop watch``: no screen; a line per interface, or a document, or the sample itself, per interval."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping

from bpftop.cli.options import add_attach, add_format, add_interfaces, add_output, add_settings, settings_of
from bpftop.cli.shutdown import Ended
from bpftop.cli.snapshot import PUBLIC
from bpftop.errors import UsageError
from bpftop.model.sample import Sample
from bpftop.model.snapshot import Snapshot
from bpftop.rules.rule import Rule

Text = Callable[[Snapshot, bool], str]
"""A snapshot with rates, and whether nothing was written yet -> text."""


def _table(shown: Snapshot, first: bool) -> str:
    from bpftop.export.snapshot.text import tick_lines

    return tick_lines(shown, header=first)


def _json(shown: Snapshot, first: bool) -> str:
    from bpftop.export.snapshot.document import json_line

    return json_line(shown)


def _csv(shown: Snapshot, first: bool) -> str:
    from bpftop.export.snapshot.snapshot_csv import csv_rows

    return csv_rows(shown, header=first)


def _openmetrics(shown: Snapshot, first: bool) -> str:
    from bpftop.export.prometheus.metrics import openmetrics

    return openmetrics(shown)


def _markdown(shown: Snapshot, first: bool) -> str:
    from bpftop.export.snapshot.markdown import snapshot_markdown

    return ("" if first else "\n") + snapshot_markdown(shown)


TEXTS: Mapping[str, Text] = {
    "table": _table, "json": _json, "csv": _csv, "openmetrics": _openmetrics, "markdown": _markdown,
}  # fmt: skip
SAMPLES = "samples"
"""The format that holds the samples themselves, from the first one on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_interfaces(parser, required=True)
    add_settings(parser)
    add_attach(parser)
    add_format(parser, (*TEXTS, SAMPLES), "table")
    parser.add_argument("--count", metavar="N", type=_count, help="end after N of them (default: go on until Ctrl-C)")
    parser.add_argument("--duration", metavar="SECONDS", type=duration_s, help="end after this time")
    add_output(parser, "at the end")


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.live_source import Notices, live_samples
    from bpftop.cli.output import opened, when_closed

    settings = settings_of(arguments)
    if arguments.duration is not None and arguments.duration < settings.interval_s:
        raise UsageError(
            f"--duration {arguments.duration:g} is shorter than the interval ({settings.interval_s:g} s), which leaves "
            "nothing to write; make it longer, or the interval shorter with -i"
        )
    private = arguments.format not in PUBLIC
    with (
        opened(arguments.output, private=private) as output,
        live_samples(arguments, settings) as (samples, end),
    ):
        when_closed(output, end)
        notices = Notices()
        try:
            timely = until(samples, arguments.duration, settings.interval_s)
            for sample, text in _texts(timely, arguments.format, arguments.count, settings.rules()):
                notices.print_new(sample)
                output.write(text)
        except Ended:  # how one ends it: no error
            pass
    return 0


def _texts(
    samples: Iterable[Sample], format_name: str, count: int | None, rules: Iterable[Rule]
) -> Iterator[tuple[Sample, str]]:
    """Each sample with its text, until ``count`` of them had one. The first has no rates, and so a text only where
    the format is the sample itself."""
    from bpftop.history.analyzer import Diagnostician
    from bpftop.store.codec.sample_json import sample_line

    diagnostician = Diagnostician(rules)
    written = 0
    for sample in samples:
        if format_name == SAMPLES:
            text = sample_line(sample)
        else:
            shown = diagnostician.push(sample)
            text = "" if shown.interval_ns is None else TEXTS[format_name](shown, written == 0)
        written += bool(text)
        yield sample, text
        if written == count:
            return


def until(samples: Iterable[Sample], duration_s: float | None, interval_s: float) -> Iterator[Sample]:
    """The samples of this time, counted from the first one. A tick may be late by a tenth of the interval."""
    begun_ns: int | None = None
    for sample in samples:
        begun_ns = sample.mono_ns if begun_ns is None else begun_ns
        yield sample
        next_s = (sample.mono_ns - begun_ns) / 1e9 + interval_s
        if duration_s is not None and next_s > duration_s + interval_s / 10:
            return


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def duration_s(text: str) -> float:
    """For argparse: the value of --duration."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value
