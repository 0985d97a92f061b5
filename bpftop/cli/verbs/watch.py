"""``bpftop watch``: write a line per interface, a document or a sample per interval, without a screen."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator

from bpftop.cli.options import add_attach, add_format, add_interfaces, add_output, add_settings, settings_of
from bpftop.cli.shutdown import Ended
from bpftop.errors import UsageError
from bpftop.export.formats import TICK, tick_writer
from bpftop.model.sample import Sample
from bpftop.rules.rule import Rule

SAMPLES = "samples"
"""The format that writes the samples themselves."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_interfaces(parser, required=True)
    add_settings(parser)
    add_attach(parser)
    add_format(parser, (*TICK, SAMPLES), "table")
    parser.add_argument("--count", metavar="N", type=_count, help="end after N intervals (default: run until Ctrl-C)")
    parser.add_argument("--duration", metavar="SECONDS", type=duration_s, help="end after this number of seconds")
    add_output(parser, "at the end")


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.live_source import Notices, live_samples
    from bpftop.cli.output import opened, when_closed

    settings = settings_of(arguments)
    if arguments.duration is not None and arguments.duration < settings.interval_s:
        raise UsageError(
            f"--duration {arguments.duration:g} is shorter than the interval ({settings.interval_s:g} s), so "
            "nothing would be written; make it longer, or the interval shorter with -i"
        )
    public = arguments.format != SAMPLES and TICK[arguments.format].public
    with (
        opened(arguments.output, private=not public) as output,
        live_samples(arguments, settings) as (samples, end),
    ):
        when_closed(output, end)
        notices = Notices()
        try:
            timely = until(samples, arguments.duration, settings.interval_s)
            for sample, text in _texts(timely, arguments.format, arguments.count, settings.rules()):
                notices.print_new(sample)
                output.write(text)
        except Ended:  # the normal end
            pass
    return 0


def _texts(
    samples: Iterable[Sample], format_name: str, count: int | None, rules: Iterable[Rule]
) -> Iterator[tuple[Sample, str]]:
    """Yield each sample with its text, until ``count`` texts are written.

    The first sample has no rates, so its text is empty except in the format ``samples``.
    """
    from bpftop.history.analyzer import Analyzer
    from bpftop.store.codec.sample_json import sample_line

    analyzer = Analyzer(rules)
    write = None if format_name == SAMPLES else tick_writer(format_name)
    written = 0
    for sample in samples:
        if write is None:
            text = sample_line(sample)
        else:
            snapshot = analyzer.push(sample)
            text = "" if snapshot.interval_ns is None else write(snapshot, written == 0)
        written += bool(text)
        yield sample, text
        if written == count:
            return


def until(samples: Iterable[Sample], duration_s: float | None, interval_s: float) -> Iterator[Sample]:
    """Yield samples until ``duration_s`` after the first sample. A tick may be late by a tenth of the interval."""
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
    """Parse the value of --duration for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value
