"""Sums over the runs of a cell."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.kernel.measure.loops import TICKS_PER_NS, Outcome, Times
from bpftop.measure.maps.results import OperationCost
from bpftop.measure.statistics import Histogram, spread


class RunTotals:
    """Sums of the outcomes of all threads. ``resolution_ns`` is the resolution of a time per entry."""

    def __init__(self, resolution_ns: float) -> None:
        self.resolution_ns = resolution_ns
        self._all = Histogram()
        self._medians_ns: list[float] = []
        self._by_thread: dict[int, tuple[int, int]] = {}
        self.checked = self.missed = self.singles = 0
        self.batch = 0

    @property
    def runs(self) -> int:
        return len(self._medians_ns)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        run = Histogram()
        for thread, outcome in enumerate(outcomes):
            times = outcome.times
            run.merge(histogram(times))
            entries, ticks = self._by_thread.get(thread, (0, 0))
            self._by_thread[thread] = entries + times.entries, ticks + times.ticks
            self.checked += outcome.checked
            self.missed += outcome.missed
            self.singles += outcome.singles
            self.batch = max(self.batch, outcome.batch)
        summary = run.summary(self.resolution_ns)
        if summary is not None:  # else the run was too short for a single call
            self._medians_ns.append(summary.p50_ns)
            self._all.merge(run)

    def cost(self) -> OperationCost | None:
        """Return the cost; None without a measured time."""
        summary = self._all.summary(self.resolution_ns)
        if summary is None:
            return None
        # At least a tick (1/16 ns) per entry: the loop itself hides a cheaper operation.
        per_sec = sum(entries / max(ticks, entries) for entries, ticks in self._by_thread.values()) * TICKS_PER_NS * 1e9
        return OperationCost(summary, per_sec, spread(self._medians_ns), self.resolution_ns)


def histogram(times: Times) -> Histogram:
    """Convert the times of a run to nanoseconds."""
    return Histogram(times.counts, times.ticks / TICKS_PER_NS, times.entries, times.max_ticks / TICKS_PER_NS)
