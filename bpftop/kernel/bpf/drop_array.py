"""The per-CPU array of drop counts: a row per interface, a cell per reason (bpf_objects/drops.bpf.c)."""

from __future__ import annotations

from collections.abc import Collection
from itertools import compress

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import u64s
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.return_code import check

_ROW_WORDS = lib.DROP_REASONS + 1


class DropArray:
    """Counts of the interfaces that have a slot. An interface keeps its slot when it is no longer watched."""

    def __init__(self, loaded: BpfObject) -> None:
        self._fd, self._globals_fd = loaded.map_fd("drops"), loaded.map_fd(".bss")
        self._cpus = possible_cpus()
        rows = 1 + lib.DROP_SLOTS
        self._keys = ffi.new("uint32_t[]", rows)
        self._values = ffi.new("uint64_t[]", rows * self._cpus * _ROW_WORDS)
        self._sums = ffi.new("uint64_t[]", rows * _ROW_WORDS)
        self._slots: list[int] = []
        self._more_watched = False

    def watch(self, ifindexes: Collection[int]) -> None:
        """Give a slot to each new interface, as long as there are slots. Raises KernelError."""
        new = [ifindex for ifindex in ifindexes if ifindex not in self._slots]
        free = lib.DROP_SLOTS - len(self._slots)
        if not new or (self._more_watched and not free):
            return
        self._slots += new[:free]
        self._more_watched = len(new) > free
        empty = [0] * (lib.DROP_SLOTS - len(self._slots))
        # The program's globals in their order: slot_ifindex, more_are_watched.
        values = ffi.new("uint32_t[]", [*self._slots, *empty, int(self._more_watched)])
        check(
            lib.bpf_map_update_elem(self._globals_fd, ffi.new("uint32_t *"), values, 0),
            "tell a tracing program which interfaces are watched",
        )

    def read(self) -> tuple[dict[tuple[int, int], int], bool]:
        """Return packets by (ifindex, reason), all CPUs together, and whether the hash has counts too.

        ifindex 0 stands for packets on none of the watched interfaces. Raises KernelError.
        """
        rows = 1 + len(self._slots)
        row_bytes = 8 * _ROW_WORDS * self._cpus
        rc = lib.bpftop_drain(self._fd, rows, row_bytes, self._keys, self._values, True)
        check(rc, "read the counters of a tracing program")
        lib.bpftop_sum_cpus(self._values, rows, self._cpus, _ROW_WORDS, self._sums)
        sums = u64s(self._sums, rows * _ROW_WORDS)
        counts = {}
        for row, ifindex in enumerate((0, *self._slots)):
            reasons = sums[row * _ROW_WORDS : row * _ROW_WORDS + lib.DROP_REASONS]
            counts.update({(ifindex, reason): reasons[reason] for reason in compress(range(len(reasons)), reasons)})
        return counts, sums[lib.DROP_REASONS] > 0
