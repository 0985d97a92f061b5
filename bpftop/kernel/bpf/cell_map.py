"""What a counting program has counted: cells of its map, by key."""

from __future__ import annotations

import errno
from collections.abc import Collection

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.check import check

_CELL_U64S = 2  # struct cell of bpftop.h: packets, bytes


class CellMap:
    """A map of u32 keys and struct cell values, one per CPU where ``per_cpu``. ``fd`` belongs to the object."""

    def __init__(self, fd: int, keys: Collection[int], per_cpu: bool) -> None:
        self._fd, self._keys = fd, keys
        self._values = possible_cpus() if per_cpu else 1
        self._cells = ffi.new("uint64_t[]", _CELL_U64S * self._values)
        self._key = ffi.new("uint32_t *")

    def take_packets(self) -> int:
        """The packets of all keys and CPUs together; after that every cell is 0. Raises KernelError."""
        return sum(self._take(key) for key in self._keys)

    def _take(self, key: int) -> int:
        self._key[0] = key
        rc = lib.bpf_map_lookup_elem(self._fd, self._key, self._cells)
        if rc == -errno.ENOENT:  # never counted
            return 0
        check(rc, "look up a count")
        packets = sum(self._cells[_CELL_U64S * value] for value in range(self._values))
        ffi.memmove(self._cells, bytes(ffi.sizeof(self._cells)), ffi.sizeof(self._cells))
        check(lib.bpf_map_update_elem(self._fd, self._key, self._cells, 0), "clear a count")
        return int(packets)
