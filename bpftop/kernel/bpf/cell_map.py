"""Counts of a counting program under test: the cells of its map, by key."""

from __future__ import annotations

import errno
from collections.abc import Collection

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import fill_zero
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.return_code import check


class CellMap:
    """A map of u32 keys and struct cell values, one per CPU if ``per_cpu``. ``fd`` belongs to the BPF object."""

    def __init__(self, fd: int, keys: Collection[int], per_cpu: bool) -> None:
        self._fd, self._keys = fd, keys
        self._cells = ffi.new("struct cell[]", possible_cpus() if per_cpu else 1)
        self._key = ffi.new("uint32_t *")

    def take_packets(self) -> dict[int, int]:
        """Return packets by key, all CPUs together, and set every cell to 0. Raises KernelError."""
        return {key: self._take(key) for key in self._keys}

    def _take(self, key: int) -> int:
        self._key[0] = key
        rc = lib.bpf_map_lookup_elem(self._fd, self._key, self._cells)
        if rc == -errno.ENOENT:  # the program has not counted this key yet
            return 0
        check(rc, "look up a count")
        packets = sum(cell.packets for cell in self._cells)
        fill_zero(self._cells)
        check(lib.bpf_map_update_elem(self._fd, self._key, self._cells, 0), "clear a count")
        return int(packets)
