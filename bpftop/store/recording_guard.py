"""Noticing that somebody else deleted, moved, truncated or overwrote the recording that is being written."""

from __future__ import annotations

import os

from bpftop.store.schema import is_recording

_HEADER_BYTES = 100
_NEXT = "no further tick is recorded; end this recording and begin another"


class RecordingGone(Exception):
    """The file is no longer the recording. ``ticks_remain``: the ticks until now are in a file somewhere."""

    def __init__(self, why: str, *, ticks_remain: bool = False) -> None:
        super().__init__(f"{why}; {_NEXT}")
        self.ticks_remain = ticks_remain


class RecordingGuard:
    """Compares the file with the state in which its only writer left it.

    SQLite writes through descriptors that stay valid whatever happens to the name, so it reports none of this.
    """

    def __init__(self, path: str, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor
        self.remember()

    def remember(self) -> None:
        """Note the present size and time of the file as the result of the own last write."""
        status = os.fstat(self._descriptor)
        self._bytes, self._changed_ns = status.st_size, status.st_mtime_ns

    def check(self) -> None:
        """Raise RecordingGone if the file is not as its writer left it. Called once a tick: three system calls."""
        now = os.fstat(self._descriptor)
        if now.st_nlink == 0:
            raise RecordingGone(f"{self._path} was deleted, with all of its ticks")
        if not self._is_at_path(now):
            raise RecordingGone(f"{self._path} was moved or replaced; its ticks went along", ticks_remain=True)
        if now.st_size < self._bytes:
            raise RecordingGone(f"{self._path} was truncated by another program")
        # A reader may move the log into the file. It leaves the identity alone, and no foreign page at the end.
        if now.st_mtime_ns != self._changed_ns and not self._has_identity(now.st_size):
            raise RecordingGone(f"{self._path} was overwritten by another program")

    def _is_at_path(self, now: os.stat_result) -> bool:
        try:
            named = os.lstat(self._path)
        except OSError:
            return False
        return (named.st_dev, named.st_ino) == (now.st_dev, now.st_ino)

    def _has_identity(self, size: int) -> bool:
        header = os.pread(self._descriptor, _HEADER_BYTES, 0)
        page_bytes, pages = int.from_bytes(header[16:18], "big"), int.from_bytes(header[28:32], "big")
        return is_recording(header) and size <= pages * page_bytes
