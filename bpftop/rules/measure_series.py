"""The past that rules look back on: series of measures."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from itertools import accumulate

from bpftop.model.units import NS_PER_SEC

_BLOCK = 64
_MOST_NO_ZEROS = 24
"""Ticks of a series of zeros that are none: an interface has a few of them, unknown until its program is attached."""


class TickTimes:
    """The times of the ticks of one engine, which all its series have in common.

    ``times_ns`` is the end of each tick's interval, ``known_s`` a running sum of the intervals, ``count`` the number of
    ticks there ever were, and ``newest`` the number of the newest tick. The newest of ``keep_s`` seconds are kept.
    """

    def __init__(self, keep_s: float) -> None:
        self._keep_ns = int(keep_s * NS_PER_SEC)
        self.times_ns, self.known_s = array("q"), array("d")
        self.newest, self.count = -1, 0  # all series refer to these two objects and make no number of their own

    def push(self, mono_ns: int, interval_ns: int) -> None:
        """Append a tick."""
        before_s = self.known_s[-1] if self.known_s else 0.0
        self.times_ns.append(mono_ns)
        self.known_s.append(before_s + interval_ns / NS_PER_SEC)
        self.newest, self.count = self.count, self.count + 1
        old = bisect_left(self.times_ns, mono_ns - self._keep_ns)
        if old >= _BLOCK:  # in blocks: deleting from the front of an array moves all of it
            del self.times_ns[:old], self.known_s[:old]

    @property
    def dropped(self) -> int:
        """The number of ticks that are no longer kept."""
        return self.count - len(self.times_ns)

    def seconds(self, tick: int) -> float:
        """Return the length of a tick's interval; 0 for the oldest tick that is kept and for older ticks."""
        at = tick - self.dropped
        return self.known_s[at] - self.known_s[at - 1] if at > 0 else 0.0


class _Sums:
    """Times, running sums of a measure, and running sums of the known seconds, a value for each tick of a series."""

    __slots__ = ("known_s", "sums", "times_ns")

    def __init__(self, times_ns: array[int], known_s: array[float]) -> None:
        self.times_ns, self.known_s = times_ns, known_s
        self.sums = array("d", bytes(8 * len(times_ns)))

    def push(self, mono_ns: int, interval_ns: int, value: float | None, keep_ns: int) -> None:
        total, known_s = (self.sums[-1], self.known_s[-1]) if self.times_ns else (0.0, 0.0)
        seconds = 0.0 if value is None else interval_ns / NS_PER_SEC
        self.times_ns.append(mono_ns)
        self.sums.append(total + (value or 0.0) * seconds)
        self.known_s.append(known_s + seconds)
        old = bisect_left(self.times_ns, mono_ns - keep_ns)
        if old >= _BLOCK:
            del self.times_ns[:old], self.sums[:old], self.known_s[:old]


class MeasureSeries:
    """Running sums of one measure, so that the mean over any stretch of time takes two look-ups.

    While the measure is zero in nearly every tick, the series is only the numbers of its first tick, of the tick after
    its last one, of the unknown ones, and of those that were not zero, with the running sum from each of them on: on
    300 interfaces, most of 3 600 series are.
    """

    __slots__ = ("_end", "_first", "_keep_ns", "_known_from", "_moved", "_running", "_sums", "_ticks", "_unknown")

    def __init__(self, keep_s: float, ticks: TickTimes) -> None:
        self._keep_ns = int(keep_s * NS_PER_SEC)
        self._ticks = ticks
        self._first = self._known_from = self._end = ticks.newest  # unknown until the tick _known_from
        self._unknown: tuple[int, ...] = ()
        self._moved: tuple[int, ...] = ()  # ticks with another value than zero
        self._running: tuple[float, ...] = ()  # and the running sum from each of them on
        self._sums: _Sums | None = None  # once too many ticks are no zeros

    def push(self, mono_ns: int, interval_ns: int, value: float | None) -> None:
        """Append the mean of the interval that ends at ``mono_ns``; None where it is not known."""
        ticks = self._ticks
        if self._sums is None:
            if self._end == ticks.newest == self._known_from and value is None:
                self._known_from = self._end = ticks.count
                return
            if self._end == ticks.newest and (value == 0 or self._has_room()):
                if value is None:
                    self._unknown += (ticks.newest,)
                elif value:
                    running = self._running[-1] if self._running else 0.0
                    self._moved += (ticks.newest,)
                    self._running += (running + value * (interval_ns / NS_PER_SEC),)
                self._end = ticks.count
                return
            self._sums = self._make_sums()
            self._moved = self._running = self._unknown = ()
        self._sums.push(mono_ns, interval_ns, value, self._keep_ns)

    def push_zeros(self) -> None:
        """Append all ticks between the last one and the newest: the measure was zero in each of them."""
        ticks, sums = self._ticks, self._sums
        if sums is None:
            self._end = ticks.newest
            return
        low, high = bisect_right(ticks.times_ns, sums.times_ns[-1]), len(ticks.times_ns) - 1
        before_s = sums.known_s[-1] - (ticks.known_s[low - 1] if low else 0.0)
        sums.times_ns.extend(ticks.times_ns[low:high])
        sums.known_s.extend([before_s + known_s for known_s in ticks.known_s[low:high]])
        sums.sums.extend([sums.sums[-1]] * (high - low))

    @property
    def is_current(self) -> bool:
        """True if the newest tick has been pushed."""
        ticks, sums = self._ticks, self._sums
        return self._end == ticks.count if sums is None else sums.times_ns[-1] == ticks.times_ns[-1]

    @property
    def is_still(self) -> bool:
        """True if the value of the newest tick is known, and zero."""
        if self._sums is None:
            newest = self._ticks.newest
            return newest >= self._known_from and newest not in self._unknown and newest not in self._moved
        sums, known_s = self._sums.sums, self._sums.known_s
        return len(sums) > 1 and sums[-1] == sums[-2] and known_s[-1] > known_s[-2]

    def intervals(self, now_ns: int, seconds: float) -> list[tuple[float, float]]:
        """Return (seconds known, events) of each interval of the last ``seconds``, the oldest first.

        The first interval may reach back further. Empty where the series does not reach back so far.
        """
        sums = self._sums or self._make_sums()
        times_ns, known_s, events = sums.times_ns, sums.known_s, sums.sums
        low = bisect_right(times_ns, now_ns - int(seconds * NS_PER_SEC)) - 1
        high = bisect_right(times_ns, now_ns) - 1
        if low < 0:
            return []
        return [(known_s[i + 1] - known_s[i], events[i + 1] - events[i]) for i in range(low, high)]

    def mean(self, now_ns: int, seconds: float, until_s: float, least_s: float) -> float | None:
        """Return the mean over ``seconds`` that ended ``until_s`` ago; None unless ``least_s`` of them are known."""
        end_ns = now_ns - int(until_s * NS_PER_SEC)
        begin_ns = end_ns - int(seconds * NS_PER_SEC)
        if self._sums is not None:
            times_ns, known_s, first, end = self._sums.times_ns, self._sums.known_s, 0, len(self._sums.times_ns)
        else:
            times_ns, known_s, (first, end) = self._ticks.times_ns, self._ticks.known_s, self._places()
        low = bisect_left(times_ns, begin_ns, first, end)
        high = bisect_right(times_ns, end_ns, first, end) - 1
        if high <= low:
            return None
        if self._sums is not None:
            known = known_s[high] - known_s[low]
            return (self._sums.sums[high] - self._sums.sums[low]) / known if known >= least_s else None
        dropped = self._ticks.dropped
        known = known_s[high] - known_s[min(high, max(low, self._known_from - 1 - dropped))]
        known -= sum([self._ticks.seconds(tick) for tick in self._unknown if low < tick - dropped <= high])
        return (self._until(high + dropped) - self._until(low + dropped)) / known if known >= least_s else None

    def _has_room(self) -> bool:
        """Return True if one more tick may be no zero, and forget ticks that are no longer kept."""
        if len(self._unknown) + len(self._moved) >= _MOST_NO_ZEROS:
            dropped = self._ticks.dropped
            self._unknown = self._unknown[bisect_left(self._unknown, dropped) :]
            old = max(0, bisect_left(self._moved, dropped) - 1)  # one stays for its running sum
            self._moved, self._running = self._moved[old:], self._running[old:]
        return len(self._unknown) + len(self._moved) < _MOST_NO_ZEROS

    def _until(self, tick: int) -> float:
        """Return the running sum of a series without an array of them."""
        at = bisect_right(self._moved, tick)
        return self._running[at - 1] if at else 0.0

    def _places(self) -> tuple[int, int]:
        """Return the range of indexes into the kept ticks that belong to this series of nearly nothing but zeros."""
        dropped = self._ticks.dropped
        return max(0, self._first - dropped), max(0, self._end - dropped)

    def _make_sums(self) -> _Sums:
        """Return the sums of this series of nearly nothing but zeros, a value for each tick."""
        ticks, (low, high) = self._ticks, self._places()
        numbers = range(low + ticks.dropped, high + ticks.dropped)
        known_s = ticks.known_s[low:high]
        if self._unknown or self._known_from > numbers.start:
            is_known = (tick >= self._known_from and tick not in self._unknown for tick in numbers)
            lengths = (ticks.seconds(tick) if known else 0.0 for tick, known in zip(numbers, is_known, strict=True))
            known_s = array("d", accumulate(lengths))
        sums = _Sums(ticks.times_ns[low:high], known_s)
        if self._moved:
            sums.sums = array("d", map(self._until, numbers))
        return sums
