"""The suites by name, runs of several suites one after the other, and the engine that the screen asks for runs."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing

from bpftop.errors import UsageError
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.measure.api import Progress, RunClock, Stop
from bpftop.measure.machine import conditions, machine
from bpftop.measure.programs.costs import SuiteTable
from bpftop.measure.programs.counters import COUNTERS
from bpftop.measure.programs.report import ProgramReport
from bpftop.measure.programs.suite import Suite
from bpftop.measure.programs.suite_bodies import BODY_SUITES
from bpftop.measure.programs.suite_reads import READ_SUITES
from bpftop.measure.programs.suite_tracing import TRACING

SUITES: Mapping[str, Suite] = {suite.name: suite for suite in (COUNTERS, *BODY_SUITES, TRACING, *READ_SUITES)}


def chosen(names: Iterable[str]) -> list[Suite]:
    """Return the suites of these names, each once, or all suites without names. Raises UsageError with the list."""
    wanted = list(dict.fromkeys(names)) or list(SUITES)
    unknown = [name for name in wanted if name not in SUITES]
    if unknown:
        raise UsageError(f"there is no suite {', '.join(unknown)}; the suites are {', '.join(SUITES)}")
    return [SUITES[name] for name in wanted]


class Comparison:
    """A measurement (bpftop.measure.api.MeasurementRun) of suites, whose results are their tables.

    A table comes again when it has grown. The last table of a suite is partial only if ``stop`` was set.
    """

    def __init__(self, suites: Sequence[Suite], stop: Stop) -> None:
        self.suites, self.stop = suites, stop
        self.machine, self.conditions = machine(possible_cpus()), conditions()
        self._tables: dict[str, SuiteTable] = {}
        self._clock = RunClock(sum(suite.expected_s for suite in suites))

    @property
    def begun_ns(self) -> int:
        return self._clock.begun_ns

    def steps(self) -> Generator[Progress[SuiteTable], None, None]:
        before_s = 0.0
        for suite in self.suites:
            if self.stop.is_set():
                return
            with closing(suite.run(self.stop)) as steps:
                for step in steps:
                    self._tables[suite.name] = step.table
                    done_s = before_s + suite.expected_s * step.share
                    yield self._clock.progress(done_s, suite.name, step.table)
            before_s += suite.expected_s

    def report(self) -> ProgramReport:
        """Return the tables that have rows, or that are complete (every contestant may have been skipped)."""
        tables = tuple(table for table in self._tables.values() if table.rows or not table.partial)
        complete = sum(not table.partial for table in tables) == len(self.suites)
        return ProgramReport(
            self.machine, self._clock.begun_ns, self._clock.took_s, not complete, tables, self.conditions
        )


class ProgramEngine:
    """A maker of comparisons on this machine."""

    def suites(self) -> tuple[Suite, ...]:
        return tuple(SUITES.values())

    def compare(self, names: Sequence[str], stop: Stop) -> Comparison:
        return Comparison(chosen(names), stop)
