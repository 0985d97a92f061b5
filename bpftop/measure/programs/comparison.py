"""Runs of several suites, one suite after the other."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing

from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.measure.api import Progress, RunClock, Stop
from bpftop.measure.conditions import conditions
from bpftop.measure.machine import machine
from bpftop.measure.programs.costs import SuiteTable
from bpftop.measure.programs.report import ProgramReport
from bpftop.measure.programs.suite import Suite


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
