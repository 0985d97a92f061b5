"""The measurement of the pane Profile: the person's choices, the results, and the keys that change either."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bpftop.errors import BpftopError
from bpftop.measure.api import Progress, Stop
from bpftop.measure.maps.engine import MapEngine, MapRun
from bpftop.measure.maps.plan import MeasureRequest
from bpftop.measure.maps.results import CellResult
from bpftop.measure.run_store import StoredRun
from bpftop.model.units import si
from bpftop.tui.measurements.map_choices import Axis, Choices, axes, next_choice, request_of, usual
from bpftop.tui.measurements.measurement import Measurement, RunStatus
from bpftop.tui.view import PaneInput, View


@dataclass(frozen=True)
class MapPaneState:
    """The state that the pane Profile draws."""

    axes: tuple[Axis, ...]
    choices: Choices
    status: RunStatus
    stopping: bool
    results: tuple[CellResult, ...]
    earlier: tuple[StoredRun, ...]


class MapMeasurement(Measurement):
    """Measures map operations. The run's thread replaces ``_results`` and ``_earlier`` as a whole, so no lock."""

    def __init__(self, notify: Callable[[], object], engine: MapEngine) -> None:
        super().__init__("Profile", notify)
        self._engine = engine
        self._axes = axes(engine.cpus())
        self._choices = usual(self._axes)
        self._results: tuple[CellResult, ...] = ()
        self._earlier: tuple[StoredRun, ...] = ()

    @property
    def state(self) -> MapPaneState:
        return MapPaneState(self._axes, self._choices, self.status, self.stopped, self._results, self._earlier)

    def press(self, name: str, pane_input: PaneInput, busy: str) -> View | None:
        view = pane_input.view
        if name in ("choose", "run"):
            return self._start(view, busy)
        if name == "clear" and self.running:
            self.cancel()
            return view
        if name in ("earlier", "later"):
            if view.cursor in self._choices:
                self._choices = next_choice(self._axes, self._choices, view.cursor, -1 if name == "earlier" else 1)
            return view
        return None

    def _start(self, view: View, busy: str) -> View:
        if message := self.busy_message(busy):
            return replace(view, message=message)
        request = request_of(self._axes, self._choices)
        self._results = ()
        self.begin(lambda stop: self._profile(request, stop))
        return view

    def _profile(self, request: MeasureRequest, stop: Stop) -> MapRun:
        run = self._engine.profile(request, stop)
        self._earlier = run.earlier
        return run

    def take(self, progress: Progress[CellResult]) -> None:
        if progress.result is not None:
            by_cell = {result.cell: result for result in self._results}
            by_cell[progress.result.cell] = progress.result  # a better result takes the place of the earlier one
            self._results = tuple(by_cell.values())

    def end(self, run: MapRun, duration_s: float) -> str:
        """Store the medians, and return the summary."""
        problem = ""
        try:
            run.store()
        except BpftopError as error:  # the results are valid without being stored
            problem = f" {error}"
        checked = si(sum(result.checked for result in self._results))
        summary = (
            f"{len(self._results)} cells in {duration_s:.1f} s, {checked} values and keys compared, none was wrong."
        )
        return f"{'Cancelled: ' if run.stop.is_set() else ''}{summary}{problem}"
