"""The newest sample lines of a host, compressed, so that its live screen begins with a past."""

from __future__ import annotations

import zlib
from collections import deque

_LEVEL = 1
"""0.1 ms for 16 kB, which become 2 kB; level 6 takes three times as long for 20 % less."""


class KeptLines:
    """At most ``lines`` lines, and at most ``limit_bytes`` of them when compressed."""

    def __init__(self, lines: int, limit_bytes: int) -> None:
        self._lines: deque[bytes] = deque(maxlen=lines)
        self._limit_bytes = limit_bytes

    def push(self, line: bytes) -> None:
        self._lines.append(zlib.compress(line, _LEVEL))
        while len(self._lines) > 1 and sum(map(len, self._lines)) > self._limit_bytes:
            self._lines.popleft()

    def lines(self) -> list[bytes]:
        """Return the lines, the oldest first."""
        return [zlib.decompress(line) for line in self._lines]

    def clear(self) -> None:
        self._lines.clear()
