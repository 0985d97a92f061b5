"""One rate per tick, in few bytes while it is zero."""

from __future__ import annotations

import math
from array import array

_MOST_CHANGES = 16
_BLOCK = 64


class RateSeries:
    """The rate of one row in each tick; NaN where it is not known. Ticks are numbered from the start of the history.

    While the rate has been zero or unknown in every tick so far, the series is only the numbers of the ticks at which
    it became known, unknown again, and so on: on 300 interfaces, most of 1 300 series are. ``end`` is the number of the
    tick after the newest one. Ticks before the first push are unknown.
    """

    __slots__ = ("_changes", "_first", "_values", "end")

    def __init__(self) -> None:
        self._changes: tuple[int, ...] = ()
        self._values: array[float] | None = None  # from the first rate above zero on
        self._first = self.end = 0

    def push(self, rate: float | None, oldest: int, after: int) -> None:
        """Append the rate of the tick before ``after``; None: unknown. ``oldest``: the first tick that is kept."""
        if self._values is None:
            changes, tick = self._changes, after - 1
            if (rate is None or rate == 0) and len(changes) < _MOST_CHANGES:
                if (rate is None) == len(changes) % 2:
                    self._changes = (*changes, tick)
                self.end = after
                return
            self._values, self._first = self.between(oldest, tick), oldest
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
        return rates

    def zeros(self, first: int, end: int) -> RateSeries:
        """Return a series with zero in the ticks of the range in which this one is known."""
        series, known = RateSeries(), False
        series.end = end
        for tick, rate in enumerate(self.between(first, end), first):
            if math.isnan(rate) == known:
                known = not known
                series._changes = (*series._changes, tick)
        return series
