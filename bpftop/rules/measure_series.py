"""The past that rules look back on: samples without cells per CPU, and series of measures."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

from bpftop.fields import replace
from bpftop.model.families import FAMILIES
from bpftop.model.sample import Sample
from bpftop.model.units import NS_PER_SEC

_BLOCK = 64


def without_cpu_cells(sample: Sample) -> Sample:
    """Return the sample with totals instead of cells per CPU: a tenth of its size on many CPUs, with the same rates."""
    readings = {
        name: reading.without_cpu_cells()
        for name, reading in sample.readings.items()
        if FAMILIES[reading.family].checked_over_time
    }
    return replace(sample, readings=readings, interfaces=())


class MeasureSeries:
    """Running sums of one measure, so that the mean over any stretch of time takes two look-ups."""

    def __init__(self, keep_s: float) -> None:
        self._keep_ns = int(keep_s * NS_PER_SEC)
        self._times, self._sums, self._known_s = array("q"), array("d"), array("d")

    def push(self, mono_ns: int, interval_ns: int, value: float | None) -> None:
        """Append the mean of the interval that ends at ``mono_ns``; None where it is not known."""
        total, known_s = (self._sums[-1], self._known_s[-1]) if self._times else (0.0, 0.0)
        seconds = 0.0 if value is None else interval_ns / NS_PER_SEC
        self._times.append(mono_ns)
        self._sums.append(total + (value or 0.0) * seconds)
        self._known_s.append(known_s + seconds)
        old = bisect_left(self._times, mono_ns - self._keep_ns)
        if old >= _BLOCK:  # in blocks: deleting from the front of an array moves all of it
            del self._times[:old], self._sums[:old], self._known_s[:old]

    def intervals(self, now_ns: int, seconds: float) -> list[tuple[float, float]]:
        """Return (seconds known, events) of each interval of the last ``seconds``, the oldest first.

        The first interval may reach back further. Empty where the series does not reach back so far.
        """
        low = bisect_right(self._times, now_ns - int(seconds * NS_PER_SEC)) - 1
        high = bisect_right(self._times, now_ns) - 1
        return (
            []
            if low < 0
            else [
                (self._known_s[i + 1] - self._known_s[i], self._sums[i + 1] - self._sums[i]) for i in range(low, high)
            ]
        )

    def mean(self, now_ns: int, seconds: float, until_s: float, least_s: float) -> float | None:
        """Return the mean over ``seconds`` that ended ``until_s`` ago; None unless ``least_s`` of them are known."""
        end_ns = now_ns - int(until_s * NS_PER_SEC)
        low = bisect_left(self._times, end_ns - int(seconds * NS_PER_SEC))
        high = bisect_right(self._times, end_ns) - 1
        if high <= low:
            return None
        known_s = self._known_s[high] - self._known_s[low]
        return (self._sums[high] - self._sums[low]) / known_s if known_s >= least_s else None
