"""Files of /proc and /sys that stay open: one system call per read instead of nine."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path

from bpftop.config.resources import open_file_limit
from bpftop.kernel.netns import namespace_visit

RETRY_NS = 10 * 10**9
"""Pause after a failure, before the file is opened again."""
_READ_BYTES = 32 * 1024
# seq_file stops before the end of a file only where the next record does not fit into its buffer of at least one page
# (fs/seq_file.c). No record of the files that bpftop reads is that long behind a short one.
_SURELY_THE_END = 2048
_LEFT_FOR_OTHERS = 24
"""Files below the limit of this process that stay free for imports, programs and the terminal."""


class HeldFile:
    """A file that is opened at the first read and read from offset 0 at every read. One thread at a time may use it.

    The kernel writes the content anew for each read at offset 0. The file is opened again after a failed read (EIO: the
    entry of /proc was removed; ENOENT: the sysctl; ENODEV: the entry of sysfs), and when the calling thread is another
    one or has entered another network namespace.

    Where the limit of open files is close, the file is closed after each read.

    ``one_record``: the kernel writes the file as one record (single_open), so a read that is not full is the whole.
    """

    def __init__(self, path: Path, *, one_record: bool = False) -> None:
        self._path = path
        self._surely_the_end = _READ_BYTES if one_record else _SURELY_THE_END
        self._fd = -1
        self._visit: object = None
        self._failure: OSError | None = None
        self._retry_ns = 0

    def text(self) -> str:
        """Return the whole content. Raises OSError; for RETRY_NS after a failure the same one, without trying again."""
        visit = namespace_visit()
        if self._fd >= 0 and visit == self._visit:
            try:
                return self._content()
            except OSError:  # the file's object is gone; the path may lead to another object
                pass
        elif self._failure is not None and visit == self._visit and time.monotonic_ns() < self._retry_ns:
            raise self._failure.with_traceback(None)
        self.close()
        self._visit = visit
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            text = self._content()
        except OSError as error:
            self.close()
            self._failure, self._retry_ns = error, time.monotonic_ns() + RETRY_NS
            raise
        if self._fd >= open_file_limit() - _LEFT_FOR_OTHERS:  # the kernel gives the lowest free number
            self.close()
        return text

    def close(self) -> None:
        """Close the file and forget the last failure; the next read opens it again.

        The failure's traceback leads back to this object: only a search for cycles would free both.
        """
        self._failure = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _content(self) -> str:
        content = part = os.pread(self._fd, _READ_BYTES, 0)
        while len(part) >= self._surely_the_end:
            part = os.pread(self._fd, _READ_BYTES, len(content))
            content += part
        return content.decode(errors="replace")


def read_once(path: Path) -> str:
    """Return the whole content of a file of /proc or /sys: 3 system calls, where Path.read_text takes 8.

    Raises OSError.
    """
    with closing(HeldFile(path)) as file:
        return file.text()
