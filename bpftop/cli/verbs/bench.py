"""``bpftop bench``: measure what BPF programs cost on this machine, next to their alternatives."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bpftop.cli.options import add_format, add_output, from_1_to
from bpftop.errors import UsageError
from bpftop.export.formats import BENCH

if TYPE_CHECKING:
    from bpftop.cli.output import Output
    from bpftop.cli.shutdown import Ended
    from bpftop.measure.api import Progress
    from bpftop.measure.programs.comparison import Comparison
    from bpftop.measure.programs.costs import SuiteTable
    from bpftop.measure.programs.suite import Suite


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suites", metavar="SUITE", nargs="*", help="suite to run (default: all; --list names them)")
    parser.add_argument(
        "--list", action="store_true", help="list the suites and the programs that each compares, and exit"
    )
    parser.add_argument(
        "--object",
        metavar="FILE",
        nargs="+",
        help="measure your own program in each of these object files instead of suites",
    )
    parser.add_argument(
        "--program", metavar="NAME", help="name of the program in each object file (default: the only one)"
    )
    parser.add_argument(
        "--packet",
        metavar="HEX|PCAP",
        help="frame to run your programs on, or a pcap file with frames (default: UDP, TCP, SYN, IPv6, VLAN, ARP); the "
        "frame is not restored between runs, so changes that a program makes to it add up",
    )
    parser.add_argument(
        "--repeat",
        metavar="N",
        type=from_1_to(100_000_000),
        help="runs per measurement (default: about 0.3 ms, for XDP 10 ms)",
    )
    add_format(parser, BENCH, "table")
    add_output(parser, "at the end")


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.output import document_output
    from bpftop.measure.programs.comparison import SUITES

    suites = _suites(arguments)
    with document_output(arguments, BENCH[arguments.format]) as output:
        if arguments.list:
            from bpftop.export.measure.programs_text import list_text

            output.write(list_text((suite.name, suite.title, suite.contestants()) for suite in SUITES.values()))
            return 0
        ended = _measure(suites, arguments.format, output)
    if ended is not None:
        raise ended
    return 0


def _suites(arguments: argparse.Namespace) -> Sequence[Suite]:
    """Return the suites to run, or one suite of the person's own programs. Raises UsageError, BpftopError."""
    from bpftop.measure.programs.comparison import chosen

    if arguments.object is None:
        for option in ("program", "packet", "repeat"):
            if getattr(arguments, option) is not None:
                raise UsageError(f"--{option} is for your own programs; name their files with --object")
        return chosen(arguments.suites)
    if arguments.suites:
        raise UsageError(
            f"--object runs your programs, not a suite; leave out --object or {' '.join(arguments.suites)}"
        )
    from bpftop.kernel.measure.frames import DEFAULT_FRAMES, FRAMES
    from bpftop.measure.programs.own_object import choose, own_objects
    from bpftop.measure.programs.packets import packets

    programs = choose(arguments.object, arguments.program)
    if arguments.packet is None:
        return [own_objects(programs, {name: FRAMES[name] for name in DEFAULT_FRAMES}, arguments.repeat)]
    for program in programs:
        if not program.kind.repeats:
            raise UsageError(
                f"--packet: {program.name} has type {program.entry.type}, which takes no packet; leave it out"
            )
    return [own_objects(programs, packets(arguments.packet), arguments.repeat)]


def _measure(suites: Sequence[Suite], format_name: str, output: Output) -> Ended | None:
    """Run the suites and write the report. Return the signal that ended the run early."""
    from bpftop.cli.measuring import ProgressLine, follow
    from bpftop.cli.shutdown import acknowledge
    from bpftop.measure.api import Stop
    from bpftop.measure.programs.comparison import Comparison

    comparison = Comparison(suites, Stop())
    line = ProgressLine()
    writer = _Writer(format_name, output, comparison)

    def take(progress: Progress[SuiteTable]) -> None:
        if progress.result is None or progress.result.partial:
            line.show(progress)
        else:
            line.clear()
            writer.table(progress.result)

    try:
        ended = follow(comparison, take)
    finally:
        line.clear()
    acknowledge()
    writer.end()
    return ended


class _Writer:
    """Writes each table as text when its suite is complete; the other formats are written as a whole at the end."""

    def __init__(self, format_name: str, output: Output, comparison: Comparison) -> None:
        self._format, self._output, self._comparison = format_name, output, comparison
        self._written: set[str] = set()

    def table(self, table: SuiteTable) -> None:
        if self._format != "table":
            return
        from bpftop.export.measure.programs_text import machine_text, table_text

        run = self._comparison
        heading = "" if self._written else machine_text(run.machine, run.conditions, run.begun_ns)
        self._written.add(table.suite)
        self._output.write(heading + table_text(table))

    def end(self) -> None:
        """Write the table of an interrupted suite and the text behind the tables, or the whole document."""
        report = self._comparison.report()
        for table in report.results:
            if table.suite not in self._written:
                self.table(table)
        self._output.write(BENCH[self._format].load()(report))
