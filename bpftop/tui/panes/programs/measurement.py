"""The bench's desk: which suites there are, what they have found, and the keys that run them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bpftop.measure.api import Stop
from bpftop.measure.programs.costs import SuiteTable
from bpftop.measure.programs.engine import ProgramEngine, SuiteEntry
from bpftop.tui.measurement import Measurement, Steps, Work
from bpftop.tui.view import PaneInput, View

EVERYTHING = "all"
"""The first line of the list."""


@dataclass(frozen=True)
class ProgramPaneState:
    """What the pane draws. ``under_way`` names a suite; ``why``: the reasons are shown instead of the table."""

    suites: tuple[SuiteEntry, ...]
    tables: Mapping[str, SuiteTable]
    doubts: tuple[str, ...]
    work: Work
    stopping: bool
    under_way: str
    why: bool

    def looked_at(self, cursor: str) -> str:
        """The suite on the right: the chosen one; else the one that runs, or the last one that ran."""
        if cursor not in ("", EVERYTHING):
            return cursor
        return self.under_way or next(reversed(list(self.tables)), "")


class ProgramMeasurement(Measurement):
    """Runs suites. ``tables`` and ``doubts`` belong to the run's thread, which replaces them as a whole."""

    def __init__(self, tell: Callable[[], None], engine: ProgramEngine) -> None:
        super().__init__("Bench", tell)
        self._engine = engine
        self._suites = engine.suites()
        self._tables: Mapping[str, SuiteTable] = {}
        self._doubts: tuple[str, ...] = ()
        self._under_way = ""
        self._why = False

    @property
    def state(self) -> ProgramPaneState:
        return ProgramPaneState(
            self._suites, self._tables, self._doubts, self.work, self.stopped, self._under_way, self._why
        )

    def press(self, name: str, frame: PaneInput, busy: str) -> View | None:
        view = frame.view
        if name == "choose" and self._finished(view.cursor):
            self._why = not self._why
            return view
        if name in ("choose", "run"):
            return self._start(view, busy)
        if name == "clear" and self.running:
            self.cancel()
            return view
        if name == "clear" and self._why:
            self._why = False
            return view
        return view if name in ("earlier", "later", "filter", "sort", "reverse") else None

    def _finished(self, name: str) -> bool:
        return name in self._tables and name != self._under_way

    def _start(self, view: View, busy: str) -> View:
        if self.running or busy:
            return replace(view, message=f"{busy or self.title} is measuring: let it end, or cancel it with esc there")
        names = [view.cursor] if view.cursor not in ("", EVERYTHING) else [suite.name for suite in self._suites]
        self._why = False
        self._tables = {name: table for name, table in self._tables.items() if name not in names}
        self.begin(lambda stop: self._compare(names, stop))
        return view

    def _compare(self, names: Sequence[str], stop: Stop) -> Steps:
        begin_s = time.monotonic()
        self._under_way = names[0]
        try:
            run = self._engine.compare(names, stop)
            for progress in run.steps():
                self._under_way = progress.task
                table = progress.result
                if table is not None and table.rows:
                    others = {name: other for name, other in self._tables.items() if name != table.suite}
                    self._tables = {**others, table.suite: table}
                yield Work("running", progress.share, progress.left_s, progress.task)
        finally:
            self._under_way = ""
        tables = tuple(self._tables.values())
        report = replace(run.report(), results=tables, partial=any(table.partial for table in tables))
        self._doubts = tuple(report.warnings)
        whole = sum(not self._tables[name].partial for name in names if name in self._tables)
        found = f"{whole} of {len(names)} suites in {time.monotonic() - begin_s:.1f} s"
        return f"Cancelled: {found}." if stop.is_set() else f"{found}; enter on one shows why the winner wins."
