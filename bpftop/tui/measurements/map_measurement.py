"""The measurement of the map operations: the person's choices and the results."""

from __future__ import annotations

from collections.abc import Callable

from bpftop.errors import BpftopError
from bpftop.measure.api import Progress, Stop
from bpftop.measure.maps.engine import MapEngine, MapRun
from bpftop.measure.maps.plan import MeasureRequest
from bpftop.measure.maps.results import CellResult
from bpftop.measure.run_store import StoredRun
from bpftop.model.units import si
from bpftop.tui.measurements.map_choices import axes, next_choice, request_of, usual
from bpftop.tui.measurements.measurement import Measurement


class MapMeasurement(Measurement):
    """Measures map operations. The run's thread replaces ``results`` and ``earlier`` as a whole, so no lock."""

    def __init__(self, notify: Callable[[], object], engine: MapEngine) -> None:
        super().__init__("Map operations", notify)
        self._engine = engine
        self.axes = axes(engine.cpus())
        self.choices = usual(self.axes)
        self.results: tuple[CellResult, ...] = ()
        self.earlier: tuple[StoredRun, ...] = ()
        self.verdict: tuple[str, ...] = ()
        """Sentences about choosing a map, after a run."""

    @property
    def price(self) -> str:
        """Return what a run of the choices will take."""
        request = request_of(self.axes, self.choices)
        seconds = self._engine.expected_s(request)
        if seconds is None:
            return "these choices do not go together: enter says why"
        threads = request.threads[0]
        cpus = "one CPU" if threads == 1 else f"{threads} CPUs"
        return f"enter measures it, for about {max(1.0, seconds):.0f} s, on {cpus}"

    def turn(self, axis: str, steps: int) -> None:
        """Choose the value ``steps`` further for an axis."""
        self.choices = next_choice(self.axes, self.choices, axis, steps)

    def start_copy(self, map_id: str) -> None:
        """Measure copies of a map of the system, with the chosen accesses, batches and threads."""
        request = request_of(self.axes, self.choices)
        self.results, self.verdict = (), ()
        self.begin(lambda stop: self._taken(self._engine.profile_copy(request, stop, map_id)))

    def start(self) -> None:
        """Measure the choices."""
        request = request_of(self.axes, self.choices)
        self.results, self.verdict = (), ()
        self.begin(lambda stop: self._profile(request, stop))

    def _profile(self, request: MeasureRequest, stop: Stop) -> MapRun:
        return self._taken(self._engine.profile(request, stop))

    def _taken(self, run: MapRun) -> MapRun:
        self.earlier = run.earlier
        return run

    def take(self, progress: Progress[CellResult]) -> None:
        if progress.result is not None:
            by_cell = {result.cell: result for result in self.results}
            by_cell[progress.result.cell] = progress.result  # a better result takes the place of the earlier one
            self.results = tuple(by_cell.values())

    def end(self, run: MapRun, duration_s: float) -> str:
        """Store the medians, and return the summary."""
        problem = ""
        try:
            run.store()
        except BpftopError as error:  # the results are valid without being stored
            problem = f" {error}"
        self.verdict = run.report().verdict
        checked = si(sum(result.checked for result in self.results))
        compared = f"{checked} values and keys were compared, none was wrong."
        summary = f"{len(self.results)} measurements in {duration_s:.1f} s; {compared}"
        return f"{'Cancelled: ' if run.stop.is_set() else ''}{summary}{problem}"
