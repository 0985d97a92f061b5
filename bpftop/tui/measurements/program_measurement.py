"""The measurement of programs: the suites and their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bpftop.measure.api import Progress, Stop
from bpftop.measure.programs.comparison import Comparison, ProgramEngine
from bpftop.measure.programs.costs import SuiteTable
from bpftop.measure.programs.suite import Suite
from bpftop.tui.measurements.measurement import Measurement

ALL_SUITES = "all"
"""Key of the first line of the list."""


class ProgramMeasurement(Measurement):
    """Runs suites. The run's thread replaces ``tables`` and ``doubts`` as a whole, so no lock."""

    def __init__(self, notify: Callable[[], object], engine: ProgramEngine) -> None:
        super().__init__("Programs", notify)
        self._engine = engine
        self.suites: tuple[Suite, ...] = engine.suites()
        self.tables: Mapping[str, SuiteTable] = {}
        self.doubts: tuple[str, ...] = ()
        """Sentences about what makes the results doubtful."""
        self.running_suite = ""
        self._names: Sequence[str] = ()

    def displayed_suite(self, cursor: str) -> str:
        """Return the suite on the right: the selected suite, else the running suite, else the latest that ran."""
        if cursor not in ("", ALL_SUITES):
            return cursor
        return self.running_suite or next(reversed(list(self.tables)), "")

    def has_table(self, name: str) -> bool:
        """Return True if the suite has run."""
        return name in self.tables and name != self.running_suite

    def price(self, cursor: str) -> str:
        """Return what a run of the suite on the cursor, or of all suites, will take."""
        chosen = [suite for suite in self.suites if cursor in ("", ALL_SUITES, suite.name)]
        seconds = sum(suite.expected_s for suite in chosen)
        cpus = "one CPU, then on all CPUs" if any(suite.crowded for suite in chosen) else "one CPU"
        what = chosen[0].name if len(chosen) == 1 else f"all {len(chosen)} suites"
        return f"enter runs {what}, for about {max(1.0, seconds):.0f} s, on {cpus}"

    def start(self, cursor: str) -> None:
        """Run the suite on the cursor, or all suites."""
        names = [cursor] if cursor not in ("", ALL_SUITES) else [suite.name for suite in self.suites]
        self.tables = {name: table for name, table in self.tables.items() if name not in names}
        self._names = names
        self.begin(lambda stop: self._compare(names, stop))

    def _compare(self, names: Sequence[str], stop: Stop) -> Comparison:
        run = self._engine.compare(names, stop)
        self.running_suite = names[0]
        return run

    def take(self, progress: Progress[SuiteTable]) -> None:
        self.running_suite = progress.task
        table = progress.result
        if table is not None and table.rows:
            others = {name: other for name, other in self.tables.items() if name != table.suite}
            self.tables = {**others, table.suite: table}

    def end(self, run: Comparison, duration_s: float) -> str:
        self.running_suite = ""
        tables = tuple(self.tables.values())
        report = replace(run.report(), results=tables, partial=any(table.partial for table in tables))
        self.doubts = tuple(report.warnings)
        finished = sum(not self.tables[name].partial for name in self._names if name in self.tables)
        summary = f"{finished} of {len(self._names)} suites in {duration_s:.1f} s"
        if run.stop.is_set():
            return f"Cancelled: {summary}."
        return f"{summary}; enter on a suite shows why its winner wins."
