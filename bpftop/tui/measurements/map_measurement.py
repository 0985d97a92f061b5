"""The measurement of the map operations: the person's choices and the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bpftop.errors import BpftopError
from bpftop.measure.api import Progress, Stop
from bpftop.measure.machine import cpu_counts
from bpftop.measure.maps.engine import MapEngine
from bpftop.measure.maps.geometry import KINDS
from bpftop.measure.maps.plan import ACCESSES, SWEEP, MeasureRequest
from bpftop.measure.maps.profile import MapProfile
from bpftop.measure.maps.results import CellResult
from bpftop.measure.run_store import StoredRun
from bpftop.model.units import compact, si
from bpftop.tui.measurements.measurement import Measurement


@dataclass(frozen=True)
class Axis:
    """One property that can be chosen."""

    name: str
    field: str
    """Field of MeasureRequest that the axis sets."""
    values: tuple[tuple[str, tuple[Any, ...]], ...]
    """Word on the screen -> value of the field."""
    usual: int
    """Index of the value chosen at the start."""


MapChoices = Mapping[str, int]
"""Name of an axis -> index of the chosen value."""

_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("array, hash", ("array", "hash")),
    ("and per CPU", ("array", "percpu_array", "hash", "percpu_hash")),
    ("hashes", ("hash", "hash_no_prealloc", "percpu_hash", "lru_hash", "lru_percpu_hash")),
    (f"all {len(KINDS)}", tuple(KINDS)),
    *((name, (name,)) for name in KINDS),
)


def axes(cpus: int) -> tuple[Axis, ...]:
    """Return the axes for a machine on which ``cpus`` threads can be pinned."""
    return (
        Axis("types", "kinds", _KINDS, 0),
        Axis("entries", "entries", tuple((compact(n), (n,)) for n in (100, 1000, 10_000, 100_000, 1_000_000)), 2),
        Axis("value size", "value_bytes", tuple((f"{n} B", (n,)) for n in (4, 8, 16, 64, 256, 1024)), 2),
        Axis("fill", "fills_pct", tuple((f"{n} %", (float(n),)) for n in (10, 25, 50, 75, 90, 100)), 3),
        Axis("access", "accesses", tuple((name, (name,)) for name in ACCESSES), list(ACCESSES).index("uniform")),
        Axis("batch", "batches", (("sweep", ()), *((str(n), (n,)) for n in SWEEP)), 0),
        Axis("threads", "threads", tuple((str(n), (n,)) for n in cpu_counts(cpus)), 0),
    )


def usual(axes: Sequence[Axis]) -> MapChoices:
    """Return the choices at the start."""
    return {axis.name: axis.usual for axis in axes}


def next_choice(axes: Sequence[Axis], choices: MapChoices, name: str, steps: int) -> MapChoices:
    """Return the choices with the axis ``name`` turned by ``steps`` values, round and round."""
    axis = next(axis for axis in axes if axis.name == name)
    return {**choices, name: (choices[name] + steps) % len(axis.values)}


def request_of(axes: Sequence[Axis], choices: MapChoices) -> MeasureRequest:
    """Return the request that measures the choices."""
    fields: dict[str, Any] = {axis.field: axis.values[choices[axis.name]][1] for axis in axes}
    return MeasureRequest(**fields)


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

    def _profile(self, request: MeasureRequest, stop: Stop) -> MapProfile:
        return self._taken(self._engine.profile(request, stop))

    def _taken(self, run: MapProfile) -> MapProfile:
        self.earlier = run.earlier
        return run

    def take(self, progress: Progress[CellResult]) -> None:
        if progress.result is not None:
            by_cell = {result.cell: result for result in self.results}
            by_cell[progress.result.cell] = progress.result  # a better result takes the place of the earlier one
            self.results = tuple(by_cell.values())

    def end(self, run: MapProfile, duration_s: float) -> str:
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
