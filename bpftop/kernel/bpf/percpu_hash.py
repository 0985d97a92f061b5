"""Maps of the tracing programs: a per-CPU hash of u64 counts, and the set of interfaces that they look at."""

from __future__ import annotations

import errno
import struct
from array import array
from collections.abc import Collection

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.check import check

ROWS_MAX, WATCHED_MAX = 1024, 256  # watched.bpf.h
_BATCH = 64


class CountsHash:
    """A per-CPU hash: keys of ``key_u32s`` native u32s, one u64 per possible CPU. ``fd`` belongs to the object."""

    def __init__(self, fd: int, key_u32s: int) -> None:
        self.cpus = possible_cpus()
        self._fd = fd
        self._key = struct.Struct(f"={key_u32s}I")
        self._keys = ffi.new("uint32_t[]", _BATCH * key_u32s)
        self._values = ffi.new("uint64_t[]", _BATCH * self.cpus)
        self._cursor = ffi.new("char[]", max(8, self._key.size))
        self._count = ffi.new("uint32_t *")

    def read(self) -> dict[tuple[int, ...], array[int]]:
        """All rows: key -> the count of every possible CPU. Raises KernelError.

        The programs only add rows, so a batch neither misses one nor gives one twice. No bucket is fuller than a batch:
        the map has as many buckets as rows.
        """
        rows: dict[tuple[int, ...], array[int]] = {}
        begin, rc = ffi.NULL, 0
        while rc != -errno.ENOENT:
            self._count[0] = _BATCH
            rc = lib.bpf_map_lookup_batch(
                self._fd, begin, self._cursor, self._keys, self._values, self._count, ffi.NULL
            )
            if rc != -errno.ENOENT:  # which says: these were the last ones
                check(rc, "read the counters of a tracing program")
            found = self._count[0]
            values = array("Q")
            values.frombytes(ffi.buffer(self._values, found * self.cpus * 8))
            for row, key in enumerate(self._key.iter_unpack(ffi.buffer(self._keys, found * self._key.size))):
                rows[key] = values[row * self.cpus : (row + 1) * self.cpus]
            begin = self._cursor
        return rows


class WatchedSet:
    """The map ``watched`` of watched.bpf.h."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._held: frozenset[int] = frozenset()

    def keep(self, indexes: Collection[int]) -> None:
        """Let it hold these ifindexes and no others. Raises KernelError: E2BIG above 256."""
        wanted = frozenset(indexes)
        key, value = ffi.new("uint32_t *"), ffi.new("uint32_t *", 1)
        for ifindex in self._held - wanted:
            key[0] = ifindex
            check(lib.bpf_map_delete_elem(self._fd, key), "forget an interface")
        for ifindex in wanted - self._held:
            key[0] = ifindex
            check(
                lib.bpf_map_update_elem(self._fd, key, value, 0),
                "tell a tracing program which interfaces are watched",
                "it takes 256 of them" if len(wanted) > WATCHED_MAX else "",
            )
        self._held = wanted
