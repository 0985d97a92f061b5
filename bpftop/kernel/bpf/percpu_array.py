"""Per-CPU arrays read whole: one call a tick, into buffers made once."""

from __future__ import annotations

import mmap
import threading
from array import array
from typing import Any

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.check import ENOTSUPP, KernelError, check


def possible_cpus() -> int:
    """CPUs that per-CPU maps are sized by; offline ones and empty sockets included."""
    lib.bpftop_messages_begin()  # else libbpf's own words go to standard error, and so into the screen
    return check(lib.libbpf_num_possible_cpus(), "count the possible CPUs")


class _Room(threading.local):
    """Where the kernel copies maps to: one place for all maps that a thread reads, as large as the largest of them.

    On 512 CPUs the two maps of a direction take 2.2 and 5.2 MB, so pages beyond ``_KEPT_BYTES`` are given back until
    the next read; getting them again takes 0.13 ms per MB.
    """

    _KEPT_BYTES = 1 << 18

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, self._KEPT_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._values = ffi.cast("uint64_t *", ffi.from_buffer(self._map))

    def values(self, size_bytes: int) -> Any:
        if size_bytes > len(self._map):
            self._map = mmap.mmap(-1, size_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            self._values = ffi.cast("uint64_t *", ffi.from_buffer(self._map))
        return self._values

    def give_back(self) -> None:
        if len(self._map) > self._KEPT_BYTES:
            self._map.madvise(mmap.MADV_DONTNEED, self._KEPT_BYTES)


_room = _Room()


class _Drain:
    """A per-CPU array of ``rows`` values of ``row_u64s`` 64-bit words per possible CPU."""

    def __init__(self, fd: int, rows: int, row_u64s: int, cpus: int, batch: bool = True) -> None:
        self.batch = batch
        self._fd, self._rows, self._row_bytes = fd, rows, row_u64s * 8 * cpus
        self._keys = ffi.new("uint32_t[]", rows)

    def _read(self) -> Any:
        """All values, as the kernel gave them. They are to be folded before the next map is read."""
        values = _room.values(self._rows * self._row_bytes)
        rc = lib.bpftop_drain(self._fd, self._rows, self._row_bytes, self._keys, values, self.batch)
        if rc == -ENOTSUPP and self.batch:
            self.batch = False  # before 5.13; asked once
            rc = lib.bpftop_drain(self._fd, self._rows, self._row_bytes, self._keys, values, False)
        check(rc, "read the counters")
        return values

    def _take(self, words: int, out: Any, active: int) -> tuple[bytes, array[int]]:
        _room.give_back()
        values = array("Q")
        values.frombytes(ffi.buffer(out, words * 8))
        return bytes(ffi.buffer(self._keys, active * 4)), values


class RowsDrain(_Drain):
    """Rows of cells, kept per CPU: the protocols."""

    def __init__(self, fd: int, rows: int, columns: int, cpus: int, batch: bool = True) -> None:
        super().__init__(fd, rows, columns, cpus, batch)
        self._columns, self._cpus = columns, cpus
        self._out = ffi.new("uint64_t[]", rows * columns * cpus)

    def read(self) -> tuple[bytes, array[int]]:
        """Numbers of the rows that are not zero (native u32s), and their values: row x column x CPU.

        Raises KernelError.
        """
        values = self._read()
        active = lib.bpftop_fold_rows(values, self._rows, self._cpus, self._columns, self._out, self._keys)
        return self._take(active * self._columns * self._cpus, self._out, active)


class CellsDrain(_Drain):
    """One row that is a struct of cells, added up over the CPUs: the breakdowns."""

    def __init__(self, fd: int, cells: int, columns: int, cpus: int) -> None:
        super().__init__(fd, 1, cells * columns, cpus, batch=False)  # one row: a plain lookup is one call as well
        self._cells, self._columns, self._cpus = cells, columns, cpus
        self._keys = ffi.new("uint32_t[]", cells)
        self._out = ffi.new("uint64_t[]", cells * columns)

    def read(self) -> tuple[bytes, array[int]]:
        """Numbers of the cells that are not zero (native u32s), and their values: cell x column. Raises KernelError."""
        values = self._read()
        active = lib.bpftop_fold_cells(values, self._cells, self._cpus, self._columns, self._out, self._keys)
        return self._take(active * self._columns, self._out, active)


__all__ = ["CellsDrain", "KernelError", "RowsDrain", "possible_cpus"]
