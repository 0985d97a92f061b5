"""Noticing that somebody else deleted, moved, truncated or overwrote the recording that is being written."""

from __future__ import annotations

import os
from contextlib import suppress

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
        self._log: os.stat_result | None = None
        self._index: os.stat_result | None = None
        self.remember()

    def remember(self) -> None:
        """Note the present size and time of the file as the result of the own last write."""
        status = os.fstat(self._descriptor)
        self._bytes, self._changed_ns = status.st_size, status.st_mtime_ns
        if self._log is None:  # SQLite makes both files with the first write, and keeps them to the end
            self._log, self._index = _status(f"{self._path}-wal"), _status(f"{self._path}-shm")

    def delete_log(self) -> None:
        """Delete the log and its index, unless these names belong to the log of another recorder by now.

        The log is emptied first: at the end SQLite would copy its pages into the file, which is another program's now.
        """
        log, index = f"{self._path}-wal", f"{self._path}-shm"
        with suppress(OSError):
            descriptor = os.open(log, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if _is_same_file(os.fstat(descriptor), self._log):
                    os.ftruncate(descriptor, 0)
                    os.unlink(log)
            finally:
                os.close(descriptor)
        if _is_same_file(_status(index), self._index):  # mapped: without its pages SQLite would get a SIGBUS
            with suppress(OSError):
                os.unlink(index)

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
        return _is_same_file(_status(self._path), now)

    def _has_identity(self, size: int) -> bool:
        header = os.pread(self._descriptor, _HEADER_BYTES, 0)
        page_bytes, pages = int.from_bytes(header[16:18], "big"), int.from_bytes(header[28:32], "big")
        return is_recording(header) and size <= pages * page_bytes


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _is_same_file(one: os.stat_result | None, other: os.stat_result | None) -> bool:
    return one is not None and other is not None and os.path.samestat(one, other)
