"""Profiles of map operations for the command line and the screen."""

from __future__ import annotations

from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.measure.program_loop import allowed_cpus
from bpftop.measure.api import Stop
from bpftop.measure.maps.live_map import LiveMap, read_live_map
from bpftop.measure.maps.plan import MeasureRequest, expected_s, make_plan
from bpftop.measure.maps.profile import MapProfile


class MapEngine:
    """A maker of profiles on this machine."""

    def cpus(self) -> int:
        """Return how many threads can have a CPU of their own."""
        return len(allowed_cpus())

    def expected_s(self, request: MeasureRequest) -> float | None:
        """Return about how many seconds a profile takes; None if the request is impossible."""
        return expected_s(request, possible_cpus())

    def profile(self, request: MeasureRequest, stop: Stop, live: LiveMap | None = None) -> MapProfile:
        """Check the request; ``live``: measure copies of this map of the system.

        Raises BpftopError: the request is impossible, or a privilege is missing.
        """
        return MapProfile(make_plan(request, allowed_cpus(), possible_cpus(), live), stop)

    def profile_copy(self, request: MeasureRequest, stop: Stop, map_id: str) -> MapProfile:
        """Do the same for copies of a map of the system, in place of the request's types, sizes and fills.

        Raises BpftopError also for a map that is gone, or whose type is not profiled.
        """
        return self.profile(request, stop, read_live_map(map_id, stop))
