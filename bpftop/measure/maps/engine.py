"""The seam between measuring map operations and a screen: a protocol, and the engine that runs on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol

from bpftop.errors import BpftopError
from bpftop.kernel.bpf.bpf_map import Stop, possible_cpus
from bpftop.kernel.measure.loops_inside import allowed_cpus
from bpftop.measure import run_store
from bpftop.measure.machine import machine
from bpftop.measure.maps.plan import MeasureRequest, make_plan
from bpftop.measure.maps.profile import MapProfile
from bpftop.measure.maps.results import CellResult, MeasureProgress, figures


class Running(Protocol):
    """One run of a wish."""

    @property
    def earlier(self) -> tuple[run_store.StoredRun, ...]:
        """The runs on this machine before it, the latest first."""

    def events(self) -> Iterator[MeasureProgress | CellResult]:
        """Measure: results as they come, progress between them. Raises BpftopError."""

    def keep(self) -> str:
        """Keep what was found for the next run; why that was not possible, else nothing."""


class MapEngine(Protocol):
    """Measures map operations on scratch maps."""

    def cpus(self) -> int:
        """How many threads can have a CPU of their own."""

    def begin(self, wish: MeasureRequest, stop: Stop) -> Running:
        """Check the wish and make ready. Raises BpftopError: what cannot be measured, or which privilege is missing."""


class MapRun:
    """A run of the real engine: what ``bpftop profile`` does, for the screen."""

    def __init__(self, wish: MeasureRequest, stop: Stop) -> None:
        cpus = possible_cpus()
        self._profiling = MapProfile(make_plan(wish, allowed_cpus(), cpus), stop)
        self._machine = machine(cpus)
        self.earlier = run_store.load("profile", self._machine.machine_id)

    def events(self) -> Iterator[MeasureProgress | CellResult]:
        return self._profiling.events()

    def keep(self) -> str:
        profile = self._profiling.profile()
        if not profile.results:
            return ""
        seconds, rest_ns = divmod(profile.wall_ns, 10**9)
        taken_at = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest_ns // 10**6:03d}Z"
        run = run_store.StoredRun(taken_at, self._machine.kernel, profile.partial, figures(profile.results))
        try:
            run_store.save("profile", self._machine.machine_id, run)
        except BpftopError as error:
            return str(error)
        return ""


class LocalMapEngine:
    """The real one."""

    def cpus(self) -> int:
        return len(allowed_cpus())

    def begin(self, wish: MeasureRequest, stop: Stop) -> Running:
        return MapRun(wish, stop)
