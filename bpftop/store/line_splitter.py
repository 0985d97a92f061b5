"""Lines out of chunks of bytes, with a limit of their length."""

from __future__ import annotations

from collections.abc import Iterator


class LineSplitter:
    """Puts lines together from chunks that arrive. A line longer than ``limit_bytes`` is never held in memory."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[bytes | None]:
        """Yield the lines that the chunk completes, without empty lines; None for a line as soon as it is too long."""
        first, *others = chunk.split(b"\n")
        within = self._size <= self._limit_bytes
        self._size += len(first)
        if self._size <= self._limit_bytes:
            self._parts.append(first)
        elif within:
            self._parts = []
            yield None
        for other in others:
            yield from self.rest()
            self._parts, self._size = [other], len(other)

    def rest(self) -> Iterator[bytes]:
        """Yield the bytes since the last newline, unless there are none or too many."""
        if 0 < self._size <= self._limit_bytes:
            yield b"".join(self._parts)
