"""Per-CPU arrays, read as a whole: one call per tick, into buffers that are allocated once."""

from __future__ import annotations

import mmap
import threading
from array import array
from typing import Any

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import u64s
from bpftop.kernel.check import ENOTSUPP, KernelError, check


def possible_cpus() -> int:
    """Return the number of CPUs that per-CPU maps have values for, offline CPUs and empty sockets included."""
    lib.bpftop_messages_begin()  # otherwise libbpf prints its messages to standard error, over the screen
    return check(lib.libbpf_num_possible_cpus(), "count the possible CPUs")


class _ReadBuffer(threading.local):
    """The buffer that the kernel copies maps to: one per thread for all its maps, as large as the largest map.

    On 512 CPUs the two maps of a direction take 2.2 and 5.2 MB, so the pages beyond ``_RESIDENT_BYTES`` are returned to
    the system after each read; getting them again takes 0.13 ms per MB.
    """

    _RESIDENT_BYTES = 1 << 18

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, self._RESIDENT_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._values = ffi.cast("uint64_t *", ffi.from_buffer(self._map))

    def values(self, size_bytes: int) -> Any:
        """Return a buffer of at least this size, as 64-bit words."""
        if size_bytes > len(self._map):
            self._map = mmap.mmap(-1, size_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            self._values = ffi.cast("uint64_t *", ffi.from_buffer(self._map))
        return self._values

    def trim(self) -> None:
        """Return the pages beyond ``_RESIDENT_BYTES`` to the system."""
        if len(self._map) > self._RESIDENT_BYTES:
            self._map.madvise(mmap.MADV_DONTNEED, self._RESIDENT_BYTES)


_read_buffer = _ReadBuffer()


class _Drain:
    """A per-CPU array of ``rows`` values of ``row_u64s`` 64-bit words per possible CPU."""

    def __init__(self, fd: int, rows: int, row_u64s: int, cpus: int, batch: bool = True) -> None:
        self.batch = batch
        self._fd, self._rows, self._row_bytes = fd, rows, row_u64s * 8 * cpus
        self._keys = ffi.new("uint32_t[]", rows)

    def _read(self) -> Any:
        """Read all values, as the kernel lays them out. Fold them before the next map is read into the same buffer."""
        values = _read_buffer.values(self._rows * self._row_bytes)
        rc = lib.bpftop_drain(self._fd, self._rows, self._row_bytes, self._keys, values, self.batch)
        if rc == -ENOTSUPP and self.batch:
            self.batch = False  # before Linux 5.13; tried once
            rc = lib.bpftop_drain(self._fd, self._rows, self._row_bytes, self._keys, values, False)
        check(rc, "read the counters")
        return values

    def _copy(self, active: int, out: Any, words: int) -> tuple[bytes, array[int]]:
        """Copy the ``active`` row numbers and the folded ``words`` out of the C buffers."""
        _read_buffer.trim()
        return bytes(ffi.buffer(self._keys, active * 4)), u64s(out, words)


class RowsDrain(_Drain):
    """Reader of a map whose rows are cells, with the values of each CPU: the protocols."""

    def __init__(self, fd: int, rows: int, columns: int, cpus: int, batch: bool = True) -> None:
        super().__init__(fd, rows, columns, cpus, batch)
        self._columns, self._cpus = columns, cpus
        self._out = ffi.new("uint64_t[]", rows * columns * cpus)

    def read(self) -> tuple[bytes, array[int]]:
        """Return the numbers of the rows that are not zero (native u32s), and their values: row x column x CPU.

        Raises KernelError.
        """
        values = self._read()
        active = lib.bpftop_fold_rows(values, self._rows, self._cpus, self._columns, self._out, self._keys)
        return self._copy(active, self._out, active * self._columns * self._cpus)


class CellsDrain(_Drain):
    """Reader of a map with one row, a struct of cells, summed over the CPUs: the breakdowns."""

    def __init__(self, fd: int, cells: int, columns: int, cpus: int) -> None:
        super().__init__(fd, 1, cells * columns, cpus, batch=False)  # a lookup of one row is one call, too
        self._cells, self._columns, self._cpus = cells, columns, cpus
        self._keys = ffi.new("uint32_t[]", cells)
        self._out = ffi.new("uint64_t[]", cells * columns)

    def read(self) -> tuple[bytes, array[int]]:
        """Return the numbers of the cells that are not zero (native u32s), and their values: cell x column.

        Raises KernelError.
        """
        values = self._read()
        active = lib.bpftop_fold_cells(values, self._cells, self._cpus, self._columns, self._out, self._keys)
        return self._copy(active, self._out, active * self._columns)


__all__ = ["CellsDrain", "KernelError", "RowsDrain", "possible_cpus"]
