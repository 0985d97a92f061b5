"""Maps: made with any geometry, or somebody else's, which are opened for reading only."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.check import ENOTSUPP, KernelError, check

# enum bpf_map_type (linux/bpf.h)
HASH, ARRAY, PERCPU_HASH, PERCPU_ARRAY, LRU_HASH, LRU_PERCPU_HASH, LPM_TRIE = 1, 2, 5, 6, 9, 10, 11
PER_CPU = frozenset({PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH})
LRU = frozenset({LRU_HASH, LRU_PERCPU_HASH})
ARRAYS = frozenset({ARRAY, PERCPU_ARRAY})

# map_flags (linux/bpf.h)
NO_PREALLOC, NO_COMMON_LRU, ZERO_SEED, MMAPABLE = 1 << 0, 1 << 1, 1 << 6, 1 << 10
ANY, NOEXIST = 0, 1

_REFUSED = "run it as root, or with CAP_BPF (and CAP_SYS_ADMIN for other programs' maps)"


@dataclass(frozen=True)
class MapInfo:
    """What the kernel says of a map: ``type`` by enum bpf_map_type, ``name`` cut at 15 bytes."""

    map_id: int
    name: str
    type: int
    key_bytes: int
    value_bytes: int
    max_entries: int
    flags: int


@dataclass(frozen=True)
class Keys:
    """What a walk over the keys of a map found.

    ``first`` are the first of them, one after the other; ``count`` is how many there were, ``reads`` how many calls it
    took. Without ``complete`` there are more: the walk was too long, or the map changed under it.
    """

    first: bytes
    count: int
    reads: int
    complete: bool


class BpfMap:
    """A map by its file descriptor, which it owns."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> BpfMap:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The kernel frees a map that nobody holds any more."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def info(self) -> MapInfo:
        info = ffi.new("struct bpf_map_info *")
        size = ffi.new("uint32_t *", ffi.sizeof("struct bpf_map_info"))
        check(lib.bpf_obj_get_info_by_fd(self.fd, info, size), "ask the kernel about a BPF map")
        name = ffi.string(info.name).decode(errors="replace")
        return MapInfo(info.id, name, info.type, info.key_size, info.value_size, info.max_entries, info.map_flags)

    def memory_bytes(self) -> int | None:
        """What the kernel charges for the map; it is exact since 6.4, and an estimate of the kernel's own before."""
        with open(f"/proc/self/fdinfo/{self.fd}") as lines:
            return next((int(line.split()[1]) for line in lines if line.startswith("memlock:")), None)

    def lookup(self, key: bytes, value_bytes: int) -> bytes | None:
        """The value, None where there is none. ``value_bytes`` is that of all CPUs together in per-CPU maps."""
        value = ffi.new("unsigned char[]", value_bytes)
        rc = lib.bpf_map_lookup_elem(self.fd, ffi.from_buffer(key), value)
        if rc == -errno.ENOENT:
            return None
        check(rc, "look up in a BPF map")
        return bytes(ffi.buffer(value))

    def update(self, key: bytes, value: bytes, flags: int = ANY) -> None:
        """Write one key. Raises KernelError: EEXIST, ENOENT by ``flags``; E2BIG (full); EPERM (opened for reading)."""
        check(lib.bpf_map_update_elem(self.fd, ffi.from_buffer(key), ffi.from_buffer(value), flags), "update a BPF map")

    def delete(self, key: bytes) -> None:
        """Raises KernelError: ENOENT; EINVAL in arrays."""
        check(lib.bpf_map_delete_elem(self.fd, ffi.from_buffer(key)), "delete from a BPF map")

    def keys(self, most: int, kept: int, stop: Stop, limit_s: float = 1.0) -> Keys:
        """Walk the keys, at most ``most`` reads and ``limit_s`` seconds; get_next_key takes no lock in the kernel."""
        key_bytes = self.info().key_bytes
        first = ffi.new("unsigned char[]", (kept + 2) * key_bytes)
        rc = ffi.new("int *")
        count = lib.bpftop_walk_keys(self.fd, key_bytes, most, kept, first, int(limit_s * 1e9), stop.flag, rc)
        if -rc[0] not in (0, errno.EAGAIN, errno.ESTALE, errno.ECANCELED):
            check(rc[0], "walk the keys of a BPF map")
        content = bytes(ffi.buffer(first, min(count, kept) * key_bytes))
        return Keys(content, count, min(count + 1, most), complete=rc[0] == 0)


class Stop:
    """A wish to end that the loops in C see: within one map operation each."""

    def __init__(self) -> None:
        self.flag = ffi.new("int *")

    def set(self) -> None:
        """From any thread, and from a signal handler."""
        self.flag[0] = 1

    def is_set(self) -> bool:
        return bool(self.flag[0])


def create(
    type_number: int, key_bytes: int, value_bytes: int, max_entries: int, flags: int = 0, name: str = "bpftop"
) -> BpfMap:
    """Make a map. Raises KernelError: EINVAL, E2BIG for a geometry that the kernel does not make; ENOMEM; EPERM."""
    rc = lib.bpftop_create_map(type_number, name.encode(), key_bytes, value_bytes, max_entries, flags)
    return BpfMap(check(rc, "make a BPF map", _REFUSED if rc == -errno.EPERM else ""))


def by_id(map_id: int) -> BpfMap:
    """Open a map for reading. Raises KernelError: ENOENT, EPERM without CAP_SYS_ADMIN."""
    rc = lib.bpftop_map_by_id(map_id)
    return BpfMap(check(rc, f"open the BPF map {map_id}", _REFUSED if rc == -errno.EPERM else ""))


def by_path(path: str) -> BpfMap:
    """Open a pinned map for reading. Raises KernelError: ENOENT; EINVAL, EACCES for what is no map; EPERM."""
    return BpfMap(check(lib.bpftop_map_by_path(os.fsencode(path)), f"open the pinned BPF map {path}"))


def ids() -> Iterator[int]:
    """The ids of all maps of the machine. Raises KernelError: EPERM without CAP_SYS_ADMIN."""
    found = ffi.new("uint32_t *")
    while True:
        rc = lib.bpf_map_get_next_id(found[0], found)
        if rc == -errno.ENOENT:
            return
        check(rc, "list the BPF maps", _REFUSED if rc == -errno.EPERM else "")
        yield int(found[0])


__all__ = [
    "ENOTSUPP",
    "BpfMap",
    "KernelError",
    "Keys",
    "MapInfo",
    "Stop",
    "by_id",
    "by_path",
    "create",
    "ids",
    "possible_cpus",
]
