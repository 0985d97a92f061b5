"""``bpftop watch``: write a line per interface, a document or a sample per interval, without a screen."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from bpftop.cli.options import add_count, add_format, add_live, add_output, number, settings_of
from bpftop.cli.shutdown import Ended
from bpftop.errors import UsageError
from bpftop.export.formats import TICK, tick_writer
from bpftop.model.sample import Sample

if TYPE_CHECKING:
    from bpftop.history.analyzer import Analyzer
    from bpftop.model.snapshot import Snapshot

SAMPLES = "samples"
"""The format that writes the samples themselves."""
ANY_FINDING = ""
"""Value of --until-finding without an id."""

duration_s = number(float, lambda value: 0 < value < float("inf"), "a number of seconds above 0")
"""Parses the value of --duration."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_live(parser)
    add_format(parser, (*TICK, SAMPLES), "table")
    add_count(parser)
    parser.add_argument("--duration", metavar="SECONDS", type=duration_s, help="end after this number of seconds")
    parser.add_argument(
        "--until-finding",
        metavar="ID",
        nargs="?",
        const=ANY_FINDING,
        help="end at the first warning or critical finding, or when the check ID has one; ends like diagnose",
    )
    add_output(parser, "at the end")


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.finding_exit import diagnosed_by, exit_code, require_check
    from bpftop.cli.live_source import flow_sampling, live_session, with_notices
    from bpftop.cli.output import document_output, when_closed
    from bpftop.history.analyzer import Analyzer

    settings = settings_of(arguments)
    rules, until_finding = settings.rules(), arguments.until_finding
    analyzer = Analyzer(rules)
    if until_finding:
        require_check(until_finding, rules)
    if arguments.duration is not None and arguments.duration < settings.interval_s:
        raise UsageError(
            f"--duration {arguments.duration:g} is shorter than the interval ({settings.interval_s:g} s), so "
            "nothing would be written; make it longer, or the interval shorter with -i"
        )
    ended: Ended | None = None
    with (
        document_output(arguments, TICK.get(arguments.format)) as output,
        live_session(arguments, settings) as (samples, source),
    ):
        when_closed(output, source.close)
        try:
            timely = until(with_notices(samples), arguments.duration, settings.interval_s)
            for text in _texts(timely, arguments, analyzer, flow_sampling(settings, source)):
                output.write(text)
                if until_finding is not None and _raised(analyzer, until_finding):
                    break
        except Ended as signal:  # raised again once the output is complete
            ended = signal
    if ended is not None:
        if (until_finding, arguments.count, arguments.duration) == (None, None, None):
            return 0  # the normal end
        raise ended
    diagnosed = None if until_finding is None else diagnosed_by(analyzer, rules)
    return 0 if diagnosed is None else exit_code(diagnosed)


def _texts(
    samples: Iterable[Sample],
    arguments: argparse.Namespace,
    analyzer: Analyzer,
    look_at: Callable[[Snapshot], object],
) -> Iterator[str]:
    """Yield at most ``--count`` texts. The first sample has no rates and no text, except in the format ``samples``.

    ``look_at`` has flows counted where a finding asks for them. In the format ``samples`` the samples are analyzed for
    --until-finding alone.
    """
    from bpftop.store.encoding.sample_lines import sample_line

    write = None if arguments.format == SAMPLES else tick_writer(arguments.format)
    written = 0
    for sample in samples:
        snapshot = analyzer.push(sample) if write or arguments.until_finding is not None else None
        if snapshot is not None:
            look_at(snapshot)
        if write is None or snapshot is None:
            yield sample_line(sample)
        elif snapshot.interval_ns is not None:
            yield write(snapshot, written == 0)
        else:
            continue
        written += 1
        if written == arguments.count:
            return


def _raised(analyzer: Analyzer, check: str) -> bool:
    """Return whether the check has a finding now; ANY_FINDING: whether any check has a warning or worse."""
    findings = () if analyzer.snapshot is None else analyzer.snapshot.diagnosis.findings
    return any(f.id == check if check else f.severity != "info" for f in findings)


def until(samples: Iterable[Sample], duration_s: float | None, interval_s: float) -> Iterator[Sample]:
    """Yield samples until ``duration_s`` after the first sample. A tick may be late by a tenth of the interval."""
    begun_ns: int | None = None
    for sample in samples:
        begun_ns = sample.mono_ns if begun_ns is None else begun_ns
        yield sample
        next_s = (sample.mono_ns - begun_ns) / 1e9 + interval_s
        if duration_s is not None and next_s > duration_s + interval_s / 10:
            return
