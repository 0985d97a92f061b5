"""Profiles of map operations for the command line and the screen, behind a protocol that tests replace."""

from __future__ import annotations

from typing import Protocol

from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.measure.program_loop import allowed_cpus
from bpftop.measure.api import MeasurementRun, Stop
from bpftop.measure.maps.live_map import LiveMap, read_live_map
from bpftop.measure.maps.plan import MeasureRequest, expected_s, make_plan
from bpftop.measure.maps.profile import MapProfile
from bpftop.measure.maps.results import CellResult, MapReport
from bpftop.measure.run_store import StoredRun


class MapRun(MeasurementRun[CellResult], Protocol):
    """A profile that can be stored and compared with earlier profiles."""

    @property
    def earlier(self) -> tuple[StoredRun, ...]:
        """Earlier profiles on this machine, the latest first."""

    def report(self) -> MapReport:
        """Return all results until now, with the verdict."""

    def store(self) -> None:
        """Store the medians for the next profile to compare with. Raises BpftopError with the reason."""


class MapEngine(Protocol):
    """A maker of profiles."""

    def cpus(self) -> int:
        """Return how many threads can have a CPU of their own."""

    def expected_s(self, request: MeasureRequest) -> float | None:
        """Return about how many seconds a profile takes; None if the request is impossible."""

    def profile(self, request: MeasureRequest, stop: Stop) -> MapRun:
        """Check the request. Raises BpftopError: the request is impossible, or a privilege is missing."""

    def profile_copy(self, request: MeasureRequest, stop: Stop, map_id: str) -> MapRun:
        """Do the same for copies of a map of the system, in place of the request's types, sizes and fills.

        Raises BpftopError also for a map that is gone, or whose type is not profiled.
        """


class LocalMapEngine:
    """Profiles on this machine."""

    def cpus(self) -> int:
        return len(allowed_cpus())

    def expected_s(self, request: MeasureRequest) -> float | None:
        return expected_s(request, possible_cpus())

    def profile(self, request: MeasureRequest, stop: Stop, live: LiveMap | None = None) -> MapProfile:
        """Check the request; ``live``: measure copies of this map of the system."""
        return MapProfile(make_plan(request, allowed_cpus(), possible_cpus(), live), stop)

    def profile_copy(self, request: MeasureRequest, stop: Stop, map_id: str) -> MapProfile:
        return self.profile(request, stop, read_live_map(map_id, stop))
