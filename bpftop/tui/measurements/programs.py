"""The measurement of the pane Bench: the suites, their results, and the keys that run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bpftop.measure.api import Progress, Stop
from bpftop.measure.programs.costs import SuiteTable
from bpftop.measure.programs.engine import ProgramEngine, ProgramRun
from bpftop.measure.programs.suite import Suite
from bpftop.tui.measurements.measurement import Measurement, RunStatus
from bpftop.tui.view import PaneInput, View

ALL_SUITES = "all"
"""Key of the first line of the list."""


@dataclass(frozen=True)
class ProgramPaneState:
    """The state that the pane Bench draws."""

    suites: tuple[Suite, ...]
    tables: Mapping[str, SuiteTable]
    doubts: tuple[str, ...]
    """Sentences about what makes the results doubtful."""
    status: RunStatus
    stopping: bool
    running_suite: str
    explains: bool
    """Show why the winner wins instead of the table."""

    def displayed_suite(self, cursor: str) -> str:
        """Return the suite on the right: the selected suite, else the running suite, else the latest that ran."""
        if cursor not in ("", ALL_SUITES):
            return cursor
        return self.running_suite or next(reversed(list(self.tables)), "")


class ProgramMeasurement(Measurement):
    """Runs suites. The run's thread replaces ``_tables`` and ``_doubts`` as a whole, so no lock."""

    def __init__(self, notify: Callable[[], object], engine: ProgramEngine) -> None:
        super().__init__("Bench", notify)
        self._engine = engine
        self._suites = engine.suites()
        self._tables: Mapping[str, SuiteTable] = {}
        self._doubts: tuple[str, ...] = ()
        self._names: Sequence[str] = ()
        self._running_suite = ""
        self._explains = False

    @property
    def state(self) -> ProgramPaneState:
        return ProgramPaneState(
            self._suites, self._tables, self._doubts, self.status, self.stopped, self._running_suite, self._explains
        )

    def press(self, name: str, pane_input: PaneInput, busy: str) -> View | None:
        view = pane_input.view
        if name == "choose" and self._has_table(view.cursor):
            self._explains = not self._explains
            return view
        if name in ("choose", "run"):
            return self._start(view, busy)
        if name == "clear" and self.running:
            self.cancel()
            return view
        if name == "clear" and self._explains:
            self._explains = False
            return view
        return view if name in ("earlier", "later", "filter", "sort", "reverse") else None

    def _has_table(self, name: str) -> bool:
        return name in self._tables and name != self._running_suite

    def _start(self, view: View, busy: str) -> View:
        if message := self.busy_message(busy):
            return replace(view, message=message)
        names = [view.cursor] if view.cursor not in ("", ALL_SUITES) else [suite.name for suite in self._suites]
        self._explains = False
        self._tables = {name: table for name, table in self._tables.items() if name not in names}
        self._names = names
        self.begin(lambda stop: self._compare(names, stop))
        return view

    def _compare(self, names: Sequence[str], stop: Stop) -> ProgramRun:
        run = self._engine.compare(names, stop)
        self._running_suite = names[0]
        return run

    def take(self, progress: Progress[SuiteTable]) -> None:
        self._running_suite = progress.task
        table = progress.result
        if table is not None and table.rows:
            others = {name: other for name, other in self._tables.items() if name != table.suite}
            self._tables = {**others, table.suite: table}

    def end(self, run: ProgramRun, duration_s: float) -> str:
        self._running_suite = ""
        tables = tuple(self._tables.values())
        report = replace(run.report(), results=tables, partial=any(table.partial for table in tables))
        self._doubts = tuple(report.warnings)
        finished = sum(not self._tables[name].partial for name in self._names if name in self._tables)
        summary = f"{finished} of {len(self._names)} suites in {duration_s:.1f} s"
        if run.stop.is_set():
            return f"Cancelled: {summary}."
        return f"{summary}; enter on a suite shows why its winner wins."
