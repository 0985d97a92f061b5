"""``bpftop bench``: programs compared with each other, on this machine and now."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from bpftop.cli.options import add_format, add_output
from bpftop.errors import UsageError
from bpftop.export.formats import BENCH

if TYPE_CHECKING:
    from bpftop.cli.output import Output
    from bpftop.cli.shutdown import Ended
    from bpftop.measure.conditions import Conditions
    from bpftop.measure.machine import Machine
    from bpftop.measure.programs.costs import SuiteTable
    from bpftop.measure.programs.suites import Suite, Update

_REPEAT_MOST = 100_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suites", metavar="SUITE", nargs="*", help="what to compare (default: everything, see --list)")
    parser.add_argument("--list", action="store_true", help="name the suites and what each compares, and run nothing")
    parser.add_argument(
        "--object",
        metavar="FILE",
        nargs="+",
        help="instead of suites, a program of yours in each of these object files",
    )
    parser.add_argument("--program", metavar="NAME", help="which program of each object (default: the only one)")
    parser.add_argument(
        "--packet",
        metavar="HEX|PCAP",
        help="the frame to run them on, or a pcap file with some (default: UDP, TCP, SYN, IPv6, VLAN, ARP); a program "
        "gets the same frame again and again, with what it changed in it",
    )
    parser.add_argument(
        "--repeat", metavar="N", type=_repeat, help="runs per measurement (default: as many as some milliseconds allow)"
    )
    add_format(parser, BENCH, "table")
    add_output(parser, "once everything is measured")


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.output import opened
    from bpftop.measure.programs.suites import SUITES

    suites = _suites(arguments)
    with opened(arguments.output, private=False) as output:
        if arguments.list:
            from bpftop.export.measure.programs_text import list_text

            output.write(list_text((suite.name, suite.title, suite.contestants()) for suite in SUITES.values()))
            return 0
        ended = _measure(suites, arguments.format, output)
    if ended is not None:
        raise ended
    return 0


def _suites(arguments: argparse.Namespace) -> Sequence[Suite]:
    """What the command line asks for. Raises UsageError, BpftopError."""
    from bpftop.measure.programs.suites import chosen

    if arguments.object is None:
        for option in ("program", "packet", "repeat"):
            if getattr(arguments, option) is not None:
                raise UsageError(f"--{option} is for your own programs; name their files with --object")
        return chosen(arguments.suites)
    if arguments.suites:
        raise UsageError(
            f"--object runs your programs, not a suite; leave out --object or {' '.join(arguments.suites)}"
        )
    from bpftop.measure.programs.frames import DEFAULT_FRAMES, FRAMES
    from bpftop.measure.programs.own_object import OwnObjects, choose
    from bpftop.measure.programs.packets import packets

    programs = choose(arguments.object, arguments.program)
    if arguments.packet is None:
        return [OwnObjects(programs, {name: FRAMES[name] for name in DEFAULT_FRAMES}, arguments.repeat)]
    for each in programs:
        if not each.kind.repeats:
            raise UsageError(f"--packet: {each.name} is of type {each.listed.type}, which takes none; leave it out")
    return [OwnObjects(programs, packets(arguments.packet), arguments.repeat)]


def _measure(suites: Sequence[Suite], format_name: str, output: Output) -> Ended | None:
    """Run them and write what they found. What interrupted that is returned, once all that was measured is written."""
    from bpftop.cli.shutdown import Ended, ending_signals, interruptible
    from bpftop.kernel.bpf.bpf_map import Stop
    from bpftop.kernel.bpf.percpu_array import possible_cpus
    from bpftop.measure.conditions import conditions
    from bpftop.measure.machine import machine
    from bpftop.measure.programs.suites import run as run_suites

    writer = _Writer(format_name, output, machine(possible_cpus()), conditions(), time.time_ns())
    begun_s = time.monotonic()
    ended: Ended | None = None
    with closing(run_suites(suites, Stop())) as updates:
        try:
            while True:
                with interruptible():
                    update = next(updates, None)
                if update is None:
                    break
                writer.take(update)
        except Ended as interruption:
            ended = interruption
    with ending_signals():  # the first one has been heard: only another one ends the writing
        if ended is not None:
            writer.interrupted()
        writer.end(time.monotonic() - begun_s, len(writer.tables) < len(suites))
    return ended


class _Writer:
    """Tables as text as soon as they are whole; other formats as a whole at the end."""

    def __init__(
        self, format_name: str, output: Output, machine: Machine, conditions: Conditions, begun_ns: int
    ) -> None:
        self.tables: list[SuiteTable] = []
        self._current: SuiteTable | None = None
        self._format, self._output = format_name, output
        self._about = machine, conditions, begun_ns
        self._progress = _Progress()

    def take(self, update: Update) -> None:
        self._current = update.table
        if update.table.partial:
            self._progress.show(update)
        else:
            self._keep(update.table)

    def interrupted(self) -> None:
        """Keep what the suite under way has found."""
        from bpftop.measure.programs.report import unfinished

        if self._current is not None and self._current.partial and self._current.rows:
            self._keep(unfinished(self._current))

    def _keep(self, table: SuiteTable) -> None:
        self._progress.clear()
        if self._format == "table":
            from bpftop.export.measure.programs_text import machine_text, table_text

            self._output.write(("" if self.tables else machine_text(*self._about)) + table_text(table))
        self.tables.append(table)
        self._current = None

    def end(self, took_s: float, early: bool) -> None:
        """Write what comes behind the tables, or the whole document."""
        from bpftop.measure.programs.report import ProgramReport

        self._progress.clear()
        machine, conditions, begun_ns = self._about
        report = ProgramReport(machine, conditions, tuple(self.tables), begun_ns, took_s, early)
        self._output.write(BENCH[self._format].load()(report))


class _Progress:
    """A line on standard error that goes when there is something to read; none where that is no terminal."""

    def __init__(self) -> None:
        self._there = sys.stderr is not None and sys.stderr.isatty()

    def show(self, update: Update) -> None:
        if self._there:
            left = f"{update.left_s:.0f} s left" if update.left_s >= 1 else "almost done"
            self._write(f"\r\x1b[K{update.table.suite}  {100 * update.share:.0f} %  {left}")

    def clear(self) -> None:
        if self._there:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _repeat(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _REPEAT_MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {_REPEAT_MOST}")
    return int(text)
