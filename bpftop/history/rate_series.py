"""One rate per tick, in few bytes while it is mostly zero."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left

_MOST_CHANGES = 16
_MOST_MOVED = 32
_BLOCK = 64
_NONE_MOVED = array("d")


class RateSeries:
    """The rate of one row in each tick; NaN where it is not known. Ticks are numbered from the start of the history.

    While the rate has been zero or unknown in nearly every tick, the series is only the numbers of the ticks at which
    it became known, unknown again, and so on, and the rates of the few others: on 300 interfaces, most of 1 800 series
    are. ``end`` is the number of the tick after the newest one. Ticks before the first push are unknown.
    """

    __slots__ = ("_changes", "_first", "_moved", "_values", "end")

    def __init__(self) -> None:
        self._changes: tuple[int, ...] = ()
        self._moved = _NONE_MOVED  # ticks with a rate above zero, each followed by its rate
        self._values: array[float] | None = None  # once there are too many of those ticks
        self._first = self.end = 0

    def push(self, rate: float | None, oldest: int, after: int) -> None:
        """Append the rate of the tick before ``after``; None: unknown. ``oldest``: the first tick that is kept."""
        if self._values is None:
            changes, tick = self._changes, after - 1
            if len(changes) < _MOST_CHANGES and (not rate or self._has_room(oldest)):
                if (rate is None) == len(changes) % 2:
                    self._changes = (*changes, tick)
                if rate:
                    self._moved = self._moved + array("d", (tick, rate))  # not +=: all begin with one object
                self.end = after
                return
            self._values, self._first, self._moved = self.between(oldest, tick), oldest, _NONE_MOVED
        self._values.append(math.nan if rate is None else rate)
        self.end = after
        if oldest - self._first >= _BLOCK:  # in blocks: deleting from the front of an array moves all of it
            del self._values[: oldest - self._first]
            self._first = oldest

    def between(self, first: int, end: int) -> array[float]:
        """Return the rates of a range of ticks that are kept."""
        if self._values is not None:
            return self._values[first - self._first : end - self._first]
        rates = array("f", [math.nan]) * (end - first)
        edges = [min(max(tick, first), end) for tick in (*self._changes, end)]
        for known, unknown in zip(edges[::2], edges[1::2], strict=False):
            rates[known - first : unknown - first] = array("f", bytes(4 * (unknown - known)))
        for tick, rate in zip(self._moved[::2], self._moved[1::2], strict=True):
            if first <= tick < end:
                rates[int(tick) - first] = rate
        return rates

    def _has_room(self, oldest: int) -> bool:
        """Return True if one more tick may have a rate above zero, and forget ticks that are no longer kept."""
        if len(self._moved) >= 2 * _MOST_MOVED:
            self._moved = self._moved[2 * bisect_left(self._moved[::2], oldest) :]
        return len(self._moved) < 2 * _MOST_MOVED

    def zeros(self, first: int, end: int) -> RateSeries:
        """Return a series with zero in the ticks of the range in which this one is known."""
        series, known = RateSeries(), False
        series.end = end
        for tick, rate in enumerate(self.between(first, end), first):
            if math.isnan(rate) == known:
                known = not known
                series._changes = (*series._changes, tick)
        return series
