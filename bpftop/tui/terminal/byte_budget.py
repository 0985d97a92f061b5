"""Slow lines: the next tick is drawn when the line has had the time to carry the bytes before."""

from __future__ import annotations

import time
from collections.abc import Callable


class ByteBudget:
    """Says when the screen may be drawn again, so that ticks write at most ``bytes_per_sec`` on average.

    Args:
        bytes_per_sec: The limit; None: there is none.
        clock: Returns seconds of a clock that never goes back.
    """

    def __init__(self, bytes_per_sec: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._bytes_per_sec, self._clock = bytes_per_sec, clock
        self._paid_at_s = 0.0

    def spend(self, written_bytes: int) -> None:
        """Count bytes that were written."""
        if self._bytes_per_sec is not None:
            self._paid_at_s = max(self._paid_at_s, self._clock()) + written_bytes / self._bytes_per_sec

    def wait_s(self) -> float:
        """Return the seconds until the bytes so far are within the limit; 0: the screen may be drawn now."""
        return max(0.0, self._paid_at_s - self._clock()) if self._bytes_per_sec is not None else 0.0
