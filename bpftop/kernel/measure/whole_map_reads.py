"""A map read whole by user space: by a call per key, by one batch call, or as memory that is mapped."""

from __future__ import annotations

import mmap
from array import array

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.check import check

_VALUE_BYTES = 8


class WholeReads:
    """A map of ``rows`` u32 keys from 0 and u64 values. ``fd`` belongs to the object; what is mapped is closed here."""

    def __init__(self, fd: int, rows: int) -> None:
        self._fd, self._rows = fd, rows
        self._keys = ffi.new("uint32_t[]", list(range(rows)))
        self._values = ffi.new("uint64_t[]", rows)
        self._memory: mmap.mmap | None = None

    def each(self) -> None:
        """A bpf(BPF_MAP_LOOKUP_ELEM) per key, in C. Raises KernelError."""
        check(self._drain(batch=False), "look up one key after the other")

    def batch(self) -> None:
        """One bpf(BPF_MAP_LOOKUP_BATCH) for all. Raises KernelError: ENOTSUPP before 5.6."""
        check(self._drain(batch=True), "look up all keys in one batch")

    def mapped(self) -> None:
        """Copy the values out of memory that the kernel shares. Raises OSError: EPERM without BPF_F_MMAPABLE."""
        if self._memory is None:
            pages = -(-self._rows * _VALUE_BYTES // mmap.PAGESIZE)
            self._memory = mmap.mmap(self._fd, pages * mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ)
        ffi.memmove(self._values, self._memory, self._rows * _VALUE_BYTES)

    def _drain(self, batch: bool) -> int:
        return int(lib.bpftop_drain(self._fd, self._rows, _VALUE_BYTES, self._keys, self._values, batch))

    def found(self) -> tuple[array[int], array[int]]:
        """Keys and values of the last read, in the order in which they came."""
        keys, values = array("I"), array("Q")
        keys.frombytes(ffi.buffer(self._keys))
        values.frombytes(ffi.buffer(self._values))
        return keys, values

    def forget(self) -> None:
        """Clear what the last read left, so that the next one cannot pass with it."""
        ffi.memmove(self._values, bytes(self._rows * _VALUE_BYTES), self._rows * _VALUE_BYTES)
        ffi.memmove(self._keys, array("I", range(self._rows)).tobytes(), self._rows * 4)

    def close(self) -> None:
        if self._memory is not None:
            self._memory.close()
            self._memory = None
