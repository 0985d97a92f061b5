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


class TickTimes:
    """The times of the ticks of one engine, which all its series have in common.

    ``times_ns`` is the end of each tick's interval, ``known_s`` a running sum of the intervals, and ``count`` the
    number of ticks there ever were: the newest of ``keep_s`` seconds are kept.
    """

    def __init__(self, keep_s: float) -> None:
        self._keep_ns = int(keep_s * NS_PER_SEC)
        self.times_ns, self.known_s = array("q"), array("d")
        self.count = 0

    def push(self, mono_ns: int, interval_ns: int) -> None:
        """Append a tick."""
        before_s = self.known_s[-1] if self.known_s else 0.0
        self.times_ns.append(mono_ns)
        self.known_s.append(before_s + interval_ns / NS_PER_SEC)
        self.count += 1
        old = bisect_left(self.times_ns, mono_ns - self._keep_ns)
        if old >= _BLOCK:  # in blocks: deleting from the front of an array moves all of it
            del self.times_ns[:old], self.known_s[:old]

    def places(self, first: int, count: int) -> tuple[int, int]:
        """Return the range of indexes of ``count`` ticks from the tick with the number ``first`` on."""
        dropped = self.count - len(self.times_ns)
        return max(0, first - dropped), max(0, first + count - dropped)


class MeasureSeries:
    """Running sums of one measure, so that the mean over any stretch of time takes two look-ups.

    While the measure has been zero in every tick so far, the series is only a number of ticks: on 300 interfaces, most
    of 3 600 series are.
    """

    def __init__(self, keep_s: float, ticks: TickTimes) -> None:
        self._keep_ns = int(keep_s * NS_PER_SEC)
        self._ticks = ticks
        self._first, self._zeros = ticks.count - 1, 0  # number of the first tick, and of ticks so far
        self._sums: array[float] | None = None
        self._times: array[int]  # from the first value other than zero on, like the next one
        self._known_s: array[float]

    def push(self, mono_ns: int, interval_ns: int, value: float | None) -> None:
        """Append the mean of the interval that ends at ``mono_ns``; None where it is not known."""
        if self._sums is None:
            if value == 0 and self._first + self._zeros == self._ticks.count - 1:
                self._zeros += 1
                return
            low, high = self._ticks.places(self._first, self._zeros)
            self._times = self._ticks.times_ns[low:high]
            self._known_s, self._sums = self._ticks.known_s[low:high], array("d", bytes(8 * (high - low)))
        total, known_s = (self._sums[-1], self._known_s[-1]) if self._times else (0.0, 0.0)
        seconds = 0.0 if value is None else interval_ns / NS_PER_SEC
        self._times.append(mono_ns)
        self._sums.append(total + (value or 0.0) * seconds)
        self._known_s.append(known_s + seconds)
        old = bisect_left(self._times, mono_ns - self._keep_ns)
        if old >= _BLOCK:
            del self._times[:old], self._sums[:old], self._known_s[:old]

    def intervals(self, now_ns: int, seconds: float) -> list[tuple[float, float]]:
        """Return (seconds known, events) of each interval of the last ``seconds``, the oldest first.

        The first interval may reach back further. Empty where the series does not reach back so far.
        """
        times, known_s, first, end = self._kept()
        low = bisect_right(times, now_ns - int(seconds * NS_PER_SEC), first, end) - 1
        high = bisect_right(times, now_ns, first, end) - 1
        if low < first:
            return []
        return [(known_s[i + 1] - known_s[i], self._events(i, i + 1)) for i in range(low, high)]

    def mean(self, now_ns: int, seconds: float, until_s: float, least_s: float) -> float | None:
        """Return the mean over ``seconds`` that ended ``until_s`` ago; None unless ``least_s`` of them are known."""
        times, known_s, first, end = self._kept()
        end_ns = now_ns - int(until_s * NS_PER_SEC)
        low = bisect_left(times, end_ns - int(seconds * NS_PER_SEC), first, end)
        high = bisect_right(times, end_ns, first, end) - 1
        if high <= low:
            return None
        known = known_s[high] - known_s[low]
        return self._events(low, high) / known if known >= least_s else None

    def _kept(self) -> tuple[array[int], array[float], int, int]:
        """Return times, running sums of the known seconds, and the range of indexes that belong to this series."""
        if self._sums is None:
            return self._ticks.times_ns, self._ticks.known_s, *self._ticks.places(self._first, self._zeros)
        return self._times, self._known_s, 0, len(self._times)

    def _events(self, low: int, high: int) -> float:
        return 0.0 if self._sums is None else self._sums[high] - self._sums[low]
