"""Ways to read and to write a whole map: one call per key, one batch call, or mapped memory."""

from __future__ import annotations

import mmap
from array import array

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import fill_zero, u64s
from bpftop.kernel.return_code import check

_VALUE_BYTES = 8


class WholeReads:
    """Reader and writer of a map of u64 values with u32 keys from 0 to ``rows`` - 1; the BPF object owns ``fd``."""

    def __init__(self, fd: int, rows: int) -> None:
        self._fd, self._rows = fd, rows
        self._keys = ffi.new("uint32_t[]", list(range(rows)))
        self._values = ffi.new("uint64_t[]", rows)
        self._memory: mmap.mmap | None = None

    def each(self) -> None:
        """Read with a bpf(BPF_MAP_LOOKUP_ELEM) per key, in C. Raises KernelError."""
        check(self._drain(batch=False), "look up one key after the other")

    def batch(self) -> None:
        """Read with one bpf(BPF_MAP_LOOKUP_BATCH). Raises KernelError: ENOTSUPP before 5.6."""
        check(self._drain(batch=True), "look up all keys in one batch")

    def mapped(self) -> None:
        """Copy the values from memory shared with the kernel. Raises OSError: EPERM without BPF_F_MMAPABLE."""
        if self._memory is None:
            pages = -(-self._rows * _VALUE_BYTES // mmap.PAGESIZE)
            self._memory = mmap.mmap(self._fd, pages * mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ)
        ffi.memmove(self._values, self._memory, self._rows * _VALUE_BYTES)

    def write_each(self) -> None:
        """Write with a bpf(BPF_MAP_UPDATE_ELEM) per key, in C. Raises KernelError."""
        check(self._populate(batch=False), "update one key after the other")

    def write_batch(self) -> None:
        """Write with one bpf(BPF_MAP_UPDATE_BATCH). Raises KernelError: ENOTSUPP before 5.6."""
        check(self._populate(batch=True), "update all keys in one batch")

    def empty(self, values: array[int]) -> None:
        """Delete all keys, or zero an array. The next write writes ``values``. Raises KernelError."""
        self.clear()
        check(lib.bpftop_depopulate(self._fd, self._rows, self._keys, self._values), "delete all keys in one batch")
        ffi.memmove(self._values, values, self._rows * _VALUE_BYTES)

    def _populate(self, batch: bool) -> int:
        return int(lib.bpftop_populate(self._fd, self._rows, _VALUE_BYTES, self._keys, self._values, batch))

    def _drain(self, batch: bool) -> int:
        return int(lib.bpftop_drain(self._fd, self._rows, _VALUE_BYTES, self._keys, self._values, batch))

    def content(self) -> tuple[array[int], array[int]]:
        """Return keys and values of the last read, in the order of the read."""
        return array("I", ffi.buffer(self._keys)[:]), u64s(self._values)

    def clear(self) -> None:
        """Clear the buffers, so that a check of the next read cannot pass with old values."""
        fill_zero(self._values)
        ffi.memmove(self._keys, array("I", range(self._rows)).tobytes(), self._rows * 4)

    def close(self) -> None:
        """Unmap the memory."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None
