"""Maps of the tracing programs: a per-CPU hash of u64 counts, and the set of watched interfaces."""

from __future__ import annotations

import errno
import struct
from array import array
from collections.abc import Collection

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import u64s
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.return_code import check

ROWS_MAX: int = lib.ROWS_MAX
WATCHED_MAX: int = lib.WATCHED_MAX
_BATCH = 64


class CountsHash:
    """A per-CPU hash with keys of ``key_u32s`` native u32s and a u64 per possible CPU. ``fd`` belongs to the object."""

    def __init__(self, fd: int, key_u32s: int) -> None:
        self.cpus = possible_cpus()
        self._fd = fd
        self._key = struct.Struct(f"={key_u32s}I")
        self._keys = ffi.new("uint32_t[]", _BATCH * key_u32s)
        self._values = ffi.new("uint64_t[]", _BATCH * self.cpus)
        self._cursor = ffi.new("char[]", max(8, self._key.size))
        self._count = ffi.new("uint32_t *")
        self._rows: dict[tuple[int, ...], array[int]] = {}

    def read(self) -> dict[tuple[int, ...], array[int]]:
        """Return the counts of every possible CPU, by key. Raises KernelError.

        Programs only add rows, so batches neither miss a row nor repeat a row. No bucket has more rows than a batch,
        because the map has as many buckets as rows.
        """
        rows: dict[tuple[int, ...], array[int]] = {}
        begin, rc = ffi.NULL, 0
        while rc != -errno.ENOENT:
            self._count[0] = _BATCH
            rc = lib.bpf_map_lookup_batch(
                self._fd, begin, self._cursor, self._keys, self._values, self._count, ffi.NULL
            )
            if rc != -errno.ENOENT:  # ENOENT: the batch includes the last row
                check(rc, "read the counters of a tracing program")
            count = self._count[0]
            values = u64s(self._values, count * self.cpus)
            for row, key in enumerate(self._key.iter_unpack(ffi.buffer(self._keys, count * self._key.size))):
                rows[key] = values[row * self.cpus : (row + 1) * self.cpus]
            begin = self._cursor
        self._rows = rows
        return rows

    def take_others(self, first_words: Collection[int]) -> dict[tuple[int, ...], int]:
        """Delete the rows of the last read whose keys begin with another word. Return their counts over all CPUs.

        Programs must not add to these rows any more. Raises KernelError.
        """
        others = {key: sum(counts) for key, counts in self._rows.items() if key[0] not in first_words}
        for key in others:
            check(lib.bpf_map_delete_elem(self._fd, self._key.pack(*key)), "delete a counter of a tracing program")
            del self._rows[key]
        return others


class WatchedSet:
    """The set of ifindexes in the map ``watched`` (watched.bpf.h)."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._ifindexes: frozenset[int] = frozenset()

    def update(self, ifindexes: Collection[int]) -> None:
        """Make the set equal to ``ifindexes``. Raises KernelError: E2BIG above WATCHED_MAX."""
        wanted = frozenset(ifindexes)
        key, value = ffi.new("uint32_t *"), ffi.new("uint32_t *", 1)
        for ifindex in self._ifindexes - wanted:
            key[0] = ifindex
            check(lib.bpf_map_delete_elem(self._fd, key), "forget an interface")
            self._ifindexes -= {ifindex}
        for ifindex in wanted - self._ifindexes:
            key[0] = ifindex
            check(
                lib.bpf_map_update_elem(self._fd, key, value, 0),
                "tell a tracing program which interfaces are watched",
                f"it takes {WATCHED_MAX} of them" if len(wanted) > WATCHED_MAX else "",
            )
            self._ifindexes |= {ifindex}
