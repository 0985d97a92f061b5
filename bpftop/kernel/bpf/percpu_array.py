"""Per-CPU arrays, read as a whole: one call per tick, into buffers that are allocated once."""

from __future__ import annotations

import mmap
import threading
from array import array
from typing import Any, NamedTuple

from bpftop.errors import ENOTSUPP
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import u64s
from bpftop.kernel.return_code import check

COLUMNS = 2  # struct cell: packets, bytes
_BREAKDOWN_CELLS = (
    ffi.sizeof("struct common_counters") // ffi.sizeof("struct cell")
    - lib.PLAIN_L3_CLASSES * lib.PLAIN_CLASSES * lib.SIZE_BINS
    + 2 * lib.ICMP_TYPES
)


def possible_cpus() -> int:
    """Return the number of CPUs that per-CPU maps have values for, offline CPUs and empty sockets included."""
    lib.bpftop_messages_begin()  # otherwise libbpf prints its messages to standard error, over the screen
    return check(lib.libbpf_num_possible_cpus(), "count the possible CPUs")


class _FoldBuffers:
    """The arrays that the counters of one map are folded into, and the keys of its rows."""

    def __init__(self, cpus: int) -> None:
        self.keys = ffi.new("uint32_t[]", lib.COUNTER_ROWS)
        self.protocols = ffi.new("uint64_t[]", lib.PROTOCOLS * COLUMNS * cpus)
        self.cells = ffi.new("struct cell[]", _BREAKDOWN_CELLS)
        self.numbers = ffi.new("uint32_t[]", max(lib.PROTOCOLS, _BREAKDOWN_CELLS))


class _ReadBuffer(threading.local):
    """The buffers that maps are read with: one set per thread for all its maps, because each read copies its result.

    The buffer that the kernel copies maps to is as large as the largest map.

    On 512 CPUs the map of a direction takes 9.7 MB, so the pages beyond ``_RESIDENT_BYTES`` are returned to
    the system after each read; getting them again takes 0.13 ms per MB.
    """

    _RESIDENT_BYTES = 1 << 18

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, self._RESIDENT_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._values = ffi.cast("uint64_t *", ffi.from_buffer(self._map))
        self._folds: dict[int, _FoldBuffers] = {}

    def fold_buffers(self, cpus: int) -> _FoldBuffers:
        """Return the arrays to fold maps of this many CPUs into."""
        buffers = self._folds.get(cpus)
        if buffers is None:
            buffers = self._folds[cpus] = _FoldBuffers(cpus)
        return buffers

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


class CounterValues(NamedTuple):
    """The protocols and cells that are not zero, by number (native u32s), and their values.

    ``protocol_values`` is protocol x column (packets, bytes) x possible CPU; ``cell_values`` cell x column, all CPUs
    together. bpf_objects/bpftop.h has the numbers of the protocols, fold.c the numbers of the cells.
    """

    protocol_numbers: bytes
    protocol_values: array[int]
    cell_numbers: bytes
    cell_values: array[int]


class CounterMap:
    """The per-CPU array ``counters`` of a counting program. ``fd`` belongs to the object that loaded the program.

    ``batch``: rows are read by one batch call; False on kernels before 5.13, which refuse it: a look-up per row.
    """

    def __init__(self, fd: int, cpus: int, batch: bool = True) -> None:
        self.batch = batch
        self._fd, self._cpus = fd, cpus

    def read(self) -> CounterValues:
        """Return all counters. Raises KernelError."""
        rows, into = self._read_rows(), _read_buffer.fold_buffers(self._cpus)
        protocols = lib.bpftop_fold_protocols(rows, self._cpus, into.protocols, into.numbers)
        numbers = bytes(ffi.buffer(into.numbers, 4 * protocols))
        values = u64s(into.protocols, protocols * COLUMNS * self._cpus)
        cells = lib.bpftop_fold_breakdowns(rows, self._cpus, into.cells, into.numbers)
        _read_buffer.trim()
        return CounterValues(
            numbers, values, bytes(ffi.buffer(into.numbers, 4 * cells)), u64s(into.cells, cells * COLUMNS)
        )

    def take_packets(self) -> dict[int, int]:
        """Return packets by protocol, all CPUs together, and set every cell to 0. Raises KernelError."""
        counted = self.read()
        numbers, stride = memoryview(counted.protocol_numbers).cast("I"), COLUMNS * self._cpus
        values = counted.protocol_values
        packets = {n: sum(values[at * stride : at * stride + self._cpus]) for at, n in enumerate(numbers)}
        key, zeros = ffi.new("uint32_t *"), ffi.new("struct counter_row[]", self._cpus)
        for key[0] in range(lib.COUNTER_ROWS):
            check(lib.bpf_map_update_elem(self._fd, key, zeros, 0), "clear the counters")
        return packets

    def _read_rows(self) -> Any:
        """Read all rows as the kernel lays them out: row x CPU. Fold them before the next map is read."""
        row_bytes = ffi.sizeof("struct counter_row") * self._cpus
        rows = ffi.cast("struct counter_row *", _read_buffer.values(lib.COUNTER_ROWS * row_bytes))
        keys = _read_buffer.fold_buffers(self._cpus).keys
        rc = lib.bpftop_drain(self._fd, lib.COUNTER_ROWS, row_bytes, keys, rows, self.batch)
        if rc == -ENOTSUPP and self.batch:
            self.batch = False  # asked once
            rc = lib.bpftop_drain(self._fd, lib.COUNTER_ROWS, row_bytes, keys, rows, False)
        check(rc, "read the counters")
        return rows
