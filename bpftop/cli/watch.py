"""``bpftop watch``: no screen; a line per interface, or a document, or the sample itself, per interval."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping

from bpftop.cli.options import add_attach, add_format, add_interfaces, add_output, add_settings, settings_of
from bpftop.cli.signals import Ended
from bpftop.errors import UsageError
from bpftop.model.derive import snapshot
from bpftop.model.sample import Sample

Text = Callable[[Sample | None, Sample, bool], str]
"""The sample before (None on the first), the sample, whether nothing was written yet -> text; empty: write nothing."""


def _table(before: Sample | None, after: Sample, first: bool) -> str:
    from bpftop.export.table import tick_lines

    return tick_lines(snapshot(before, after), header=first) if before else ""


def _json(before: Sample | None, after: Sample, first: bool) -> str:
    from bpftop.export.document import json_line

    return json_line(snapshot(before, after)) if before else ""


def _csv(before: Sample | None, after: Sample, first: bool) -> str:
    from bpftop.export.long_form import csv_rows

    return csv_rows(snapshot(before, after), header=first) if before else ""


def _samples(before: Sample | None, after: Sample, first: bool) -> str:
    from bpftop.export.samples import sample_line

    return sample_line(after)


FORMATS: Mapping[str, Text] = {"table": _table, "json": _json, "csv": _csv, "samples": _samples}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_interfaces(parser, required=True)
    add_settings(parser)
    add_attach(parser)
    add_format(parser, FORMATS, "table")
    parser.add_argument("--count", metavar="N", type=_count, help="end after N of them (default: go on until Ctrl-C)")
    parser.add_argument("--duration", metavar="SECONDS", type=_duration, help="end after this time")
    add_output(parser, "at the end")


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.live import Notices, live_samples
    from bpftop.cli.output import opened, when_closed

    settings = settings_of(arguments)
    if arguments.duration is not None and arguments.duration < settings.interval_s:
        raise UsageError(
            f"--duration {arguments.duration:g} is shorter than the interval ({settings.interval_s:g} s), which leaves "
            "nothing to write; make it longer, or the interval shorter with -i"
        )
    with opened(arguments.output) as output, live_samples(arguments, settings) as (samples, end):
        when_closed(output, end)
        notices = Notices()
        try:
            timely = _until(samples, arguments.duration, settings.interval_s)
            for sample, text in _texts(timely, FORMATS[arguments.format], arguments.count):
                notices.say(sample)
                output.write(text)
        except Ended:  # how one ends it: no error
            pass
    return 0


def _texts(samples: Iterable[Sample], text_of: Text, count: int | None) -> Iterator[tuple[Sample, str]]:
    """Each sample with its text, until ``count`` of them had one."""
    before: Sample | None = None
    written = 0
    for sample in samples:
        text = text_of(before, sample, written == 0)
        before = sample
        written += bool(text)
        yield sample, text
        if written == count:
            return


def _until(samples: Iterable[Sample], duration_s: float | None, interval_s: float) -> Iterator[Sample]:
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


def _duration(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value
