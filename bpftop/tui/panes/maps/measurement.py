"""The profile's desk: what is chosen, what was measured, and the keys that change either."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from bpftop.errors import BpftopError
from bpftop.measure.api import Stop
from bpftop.measure.maps.engine import MapEngine
from bpftop.measure.maps.plan import MeasureRequest
from bpftop.measure.maps.results import CellResult
from bpftop.measure.run_store import StoredRun
from bpftop.model.units import si
from bpftop.tui.measurement import Measurement, Steps, Work
from bpftop.tui.panes.maps.choices import Axis, Choices, axes, turned, usual, wish
from bpftop.tui.view import PaneInput, View


@dataclass(frozen=True)
class MapPaneState:
    """What the pane draws."""

    axes: tuple[Axis, ...]
    choices: Choices
    work: Work
    stopping: bool
    results: tuple[CellResult, ...]
    earlier: tuple[StoredRun, ...]


class MapMeasurement(Measurement):
    """Runs a wish. ``results`` and ``earlier`` belong to the run's thread, which replaces them as a whole."""

    def __init__(self, tell: Callable[[], None], engine: MapEngine) -> None:
        super().__init__("Profile", tell)
        self._engine = engine
        self._axes = axes(engine.cpus())
        self._choices = usual(self._axes)
        self._results: tuple[CellResult, ...] = ()
        self._earlier: tuple[StoredRun, ...] = ()

    @property
    def state(self) -> MapPaneState:
        return MapPaneState(self._axes, self._choices, self.work, self.stopped, self._results, self._earlier)

    def press(self, name: str, frame: PaneInput, busy: str) -> View | None:
        if name in ("choose", "run"):
            return self._start(frame.view, busy)
        if name == "clear" and self.running:
            self.cancel()
            return frame.view
        if name in ("earlier", "later"):
            if frame.view.cursor in self._choices:
                self._choices = turned(self._axes, self._choices, frame.view.cursor, -1 if name == "earlier" else 1)
            return frame.view
        return None

    def _start(self, view: View, busy: str) -> View:
        if self.running or busy:
            return replace(view, message=f"{busy or self.title} is measuring: let it end, or cancel it with esc there")
        asked = wish(self._axes, self._choices)
        self._results = ()
        self.begin(lambda stop: self._measure(asked, stop))
        return view

    def _measure(self, asked: MeasureRequest, stop: Stop) -> Steps:
        begin_s = time.monotonic()
        run = self._engine.profile(asked, stop)
        self._earlier = run.earlier
        try:
            for progress in run.steps():
                if progress.result is not None:
                    self._results = (*self._results, progress.result)
                yield Work("running", progress.share, progress.left_s, progress.task)
        finally:
            problem = ""
            try:
                run.store()
            except BpftopError as error:  # the results are good all the same
                problem = str(error)
        return f"{self._sum(time.monotonic() - begin_s, stop)} {problem}".strip()

    def _sum(self, took_s: float, stop: Stop) -> str:
        checked = si(sum(result.checked for result in self._results))
        found = f"{len(self._results)} cells in {took_s:.1f} s, {checked} values and keys compared, none was wrong."
        return f"Cancelled: {found}" if stop.is_set() else found
