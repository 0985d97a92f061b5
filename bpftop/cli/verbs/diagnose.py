"""``bpftop diagnose``: watch for some seconds and report problems; the exit code is the severity, or blindness."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from bpftop.cli.finding_exit import FAIL_ON
from bpftop.cli.options import add_bpf, add_format, add_live, add_output, number, settings_of
from bpftop.cli.shutdown import Ended, acknowledge, interruptible
from bpftop.errors import BpftopError, UsageError
from bpftop.export.formats import DIAGNOSIS

if TYPE_CHECKING:
    from bpftop.config.settings import Settings
    from bpftop.export.diagnosis.diagnosis_document import Diagnosed
    from bpftop.model.snapshot import Snapshot
    from bpftop.rules.rule import Rule

DEFAULT_S, BPF_DEFAULT_S = 10.0, 25.0
"""Default durations. BPF programs are read every 10 s, and their rates need two readings."""
LEAST_S = 4.0
"""Shortest duration: the rates of checks span at least 3 s."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_live(parser)
    parser.add_argument(
        "--duration",
        metavar="SECONDS",
        type=number(float, lambda value: LEAST_S <= value <= 86_400, f"a number of seconds from {LEAST_S:g} to 86400"),
        help="seconds to watch, at least 4 (default: 10, enough for all checks but packet-storm, which needs 18 s, and "
        "rx-dropped-harmless, which needs 10 minutes; with --bpf 25)",
    )
    add_bpf(parser, "check also BPF programs and maps (bpf-map-full, bpf-program-cost)")
    parser.add_argument(
        "--fail-on",
        choices=FAIL_ON,
        default="blind",
        metavar="WHAT",
        help="the least that the exit code tells: blind, warning or critical (default: blind); less is 0",
    )
    parser.add_argument("--report", action="store_true", help="the same as --format markdown, for tickets and chats")
    parser.add_argument("--list", action="store_true", help="list the checks with their limits, and exit")
    parser.add_argument(
        "--capture",
        metavar="FILE",
        help="when something is found, write the first 100 packets that it is about to FILE for Wireshark, headers "
        "only: dropped ones with their reason, or those of its protocol and port; "
        "`bpftop capture --finding ID` takes more",
    )
    add_format(parser, DIAGNOSIS, "table")
    add_output(parser, "at the end")


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.output import document_output, opened

    settings = settings_of(arguments)
    rules = settings.rules()
    if arguments.list:
        from bpftop.export.diagnosis.diagnosis_document import rules_text

        with opened(arguments.output) as output:
            output.write(rules_text(rules))
        return 0
    if arguments.duration is None:
        arguments.duration = BPF_DEFAULT_S if arguments.bpf else DEFAULT_S
    if settings.interval_s > arguments.duration / 2:
        raise UsageError(
            f"--duration {arguments.duration:g} is too short for an interval of {settings.interval_s:g} s: it must "
            "cover two intervals; make it longer, or the interval shorter with -i"
        )
    from bpftop.cli.finding_exit import exit_code

    chosen = DIAGNOSIS["markdown" if arguments.report else arguments.format]
    with document_output(arguments, chosen) as output, _finding_capture(arguments) as take_packets:
        diagnosed, signal = _watch(arguments, settings, rules, take_packets)
        acknowledge()
        output.write(chosen.load()(diagnosed))
    if signal:
        return 128 + signal
    return exit_code(diagnosed, arguments.fail_on)


@contextmanager
def _finding_capture(arguments: argparse.Namespace) -> Iterator[Callable[[Snapshot], None]]:
    """Yield a function that captures packets from the first finding on; nothing without --capture."""
    if arguments.capture is None:
        yield lambda snapshot: None
        return
    from bpftop.cli.capture_file import FindingCapture
    from bpftop.cli.output import opened

    with opened(arguments.capture) as output, closing(FindingCapture(output, arguments.capture, arguments.netns)) as at:
        yield at.take


def _watch(
    arguments: argparse.Namespace,
    settings: Settings,
    rules: tuple[Rule, ...],
    take_packets: Callable[[Snapshot], None],
) -> tuple[Diagnosed, int]:
    """Analyze samples for the duration, or until a signal comes. Return also the signal's number, or 0.

    Raises BpftopError.
    """
    from bpftop.cli.live_source import flow_sampling, live_session, with_notices
    from bpftop.export.diagnosis.diagnosis_document import Diagnosed
    from bpftop.history.analyzer import Analyzer
    from bpftop.model.derive import derive_snapshot

    analyzer, signal = Analyzer(rules), 0
    first = last = None
    with live_session(arguments, settings) as (samples, source), _progress(arguments.duration) as report:
        look_at = flow_sampling(settings, source)
        try:
            for sample in with_notices(samples):
                first, last = first or sample, sample
                snapshot = analyzer.push(sample)
                take_packets(snapshot)
                look_at(snapshot)
                report(snapshot, analyzer.watched_s)
                if analyzer.watched_s >= arguments.duration - settings.interval_s / 10:
                    break
        except Ended as ended:  # the findings until now are written, but a fault may have been missed
            signal = ended.number
    if first is None or last is None or analyzer.snapshot is None or analyzer.watched_s <= 0:
        if signal:
            raise Ended(signal)
        raise BpftopError(
            "it ended before the second sample, so there are no rates to check; let it run for at least 4 s"
        )
    whole = derive_snapshot(first, last)
    return Diagnosed(analyzer.snapshot, analyzer.began_ns, tuple(analyzer.episodes), rules, whole), signal


@contextmanager
def _progress(duration_s: float) -> Iterator[Callable[[Snapshot, float], None]]:
    """Yield a function that shows on a terminal how far the watch is and how much it sees; erase the line at the end.

    Nothing is written to a standard error that is no terminal.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda snapshot, watched_s: None
        return
    descriptor = sys.stderr.fileno()

    def write(text: str) -> None:
        with suppress(OSError):  # a terminal that is gone shows no progress
            os.write(descriptor, f"\r\x1b[K{text}".encode())

    def report(snapshot: Snapshot, watched_s: float) -> None:
        diagnosis = snapshot.diagnosis
        parts = [f"{watched_s:.0f} of {duration_s:g} s", f"{diagnosis.active} of {diagnosis.rules} checks decide"]
        if diagnosis.waiting:
            parts.append(f"{len(diagnosis.waiting)} need more time")
        parts.append(f"findings: {len(diagnosis.findings)}")
        with interruptible():  # a stopped terminal takes nothing
            write(f"watching, {', '.join(parts)}")

    try:
        yield report
    finally:
        write("")
