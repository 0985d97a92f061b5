"""BPF maps: created with any geometry, or maps of other programs, opened for reading only."""

from __future__ import annotations

import errno
import os

from bpftop.fields import frozen
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import info_by_fd, text
from bpftop.kernel.bpf.owned_fd import OwnedFd
from bpftop.kernel.return_code import check

# enum bpf_map_type
HASH: int = lib.BPF_MAP_TYPE_HASH
ARRAY: int = lib.BPF_MAP_TYPE_ARRAY
PERCPU_HASH: int = lib.BPF_MAP_TYPE_PERCPU_HASH
PERCPU_ARRAY: int = lib.BPF_MAP_TYPE_PERCPU_ARRAY
LRU_HASH: int = lib.BPF_MAP_TYPE_LRU_HASH
LRU_PERCPU_HASH: int = lib.BPF_MAP_TYPE_LRU_PERCPU_HASH
LPM_TRIE: int = lib.BPF_MAP_TYPE_LPM_TRIE
PER_CPU = frozenset({PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH})
LRU = frozenset({LRU_HASH, LRU_PERCPU_HASH})
ARRAYS = frozenset({ARRAY, PERCPU_ARRAY})

# map_flags
NO_PREALLOC: int = lib.BPF_F_NO_PREALLOC
NO_COMMON_LRU: int = lib.BPF_F_NO_COMMON_LRU
ZERO_SEED: int = lib.BPF_F_ZERO_SEED
MMAPABLE: int = lib.BPF_F_MMAPABLE

# flags of an update
ANY: int = lib.BPF_ANY
NOEXIST: int = lib.BPF_NOEXIST

_EPERM_REMEDY = "run it as root, or with CAP_BPF (and CAP_SYS_ADMIN for other programs' maps)"


@frozen
class MapInfo:
    """Facts of a map from the kernel, which never change. ``name`` is cut at 15 bytes.

    ``type`` is a number of enum bpf_map_type. Type ids are of the BTF ``btf_id``; 0: none.
    """

    map_id: int
    name: str
    type: int
    key_bytes: int
    value_bytes: int
    max_entries: int
    flags: int
    btf_id: int = 0
    key_type_id: int = 0
    value_type_id: int = 0


@frozen
class KeyWalk:
    """Result of a walk over the keys of a map.

    ``first`` has the first keys, one behind the other. ``count`` keys were walked, with ``reads`` system calls. The map
    has more keys unless ``complete``: the walk reached a limit, or the map changed meanwhile.
    """

    first: bytes
    count: int
    reads: int
    complete: bool


class BpfMap(OwnedFd):
    """A map, by the file descriptor that this object owns."""

    def __enter__(self) -> BpfMap:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def info(self) -> MapInfo:
        """Ask the kernel for the facts of the map. Raises KernelError."""
        return info_of(self.fd)

    def lookup(self, key: bytes, value_bytes: int) -> bytes | None:
        """Return the value of a key, or None if the map lacks the key.

        ``value_bytes`` is the size of the value of all CPUs together in per-CPU maps.
        """
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
        """Delete one key. Raises KernelError: ENOENT; EINVAL in arrays."""
        check(lib.bpf_map_delete_elem(self.fd, ffi.from_buffer(key)), "delete from a BPF map")

    def keys(self, most: int, stored: int, stop: Stop, limit_s: float = 1.0) -> KeyWalk:
        """Walk at most ``most`` keys for at most ``limit_s`` seconds, and return the first ``stored`` of them.

        get_next_key takes no lock in the kernel. Raises KernelError.
        """
        key_bytes = self.info().key_bytes
        first = ffi.new("unsigned char[]", (stored + 2) * key_bytes)
        rc = ffi.new("int *")
        count = lib.bpftop_walk_keys(self.fd, key_bytes, most, stored, first, int(limit_s * 1e9), stop.flag, rc)
        if -rc[0] not in (0, errno.EAGAIN, errno.ESTALE, errno.ECANCELED):
            check(rc[0], "walk the keys of a BPF map")
        content = bytes(ffi.buffer(first, min(count, stored) * key_bytes))
        return KeyWalk(content, count, min(count + 1, most), complete=rc[0] == 0)


def info_of(map_fd: int) -> MapInfo:
    """Ask the kernel for the facts of an open map. Raises KernelError."""
    info = info_by_fd(map_fd, "bpf_map_info", "ask the kernel about a BPF map")
    return MapInfo(
        info.id, text(info.name), info.type, info.key_size, info.value_size, info.max_entries, info.map_flags,
        info.btf_id, info.btf_key_type_id, info.btf_value_type_id,
    )  # fmt: skip


class Stop:
    """A flag that ends the loops in C, after the current map operation at the latest."""

    def __init__(self) -> None:
        self.flag = ffi.new("int *")

    def set(self) -> None:
        """Set the flag, from any thread or from a signal handler."""
        self.flag[0] = 1

    def is_set(self) -> bool:
        return bool(self.flag[0])


def create(
    type_number: int, key_bytes: int, value_bytes: int, max_entries: int, flags: int = 0, name: str = "bpftop"
) -> BpfMap:
    """Create a map. Raises KernelError: EINVAL, E2BIG for a geometry that the kernel refuses; ENOMEM; EPERM."""
    rc = lib.bpftop_create_map(type_number, name.encode(), key_bytes, value_bytes, max_entries, flags)
    return BpfMap(check(rc, "make a BPF map", _remedy(rc)))


def by_id(map_id: int) -> BpfMap:
    """Open a map for reading. Raises KernelError: ENOENT, EPERM without CAP_SYS_ADMIN."""
    rc = lib.bpftop_map_by_id(map_id)
    return BpfMap(check(rc, f"open the BPF map {map_id}", _remedy(rc)))


def by_path(path: str) -> BpfMap:
    """Open a pinned map for reading. Raises KernelError: ENOENT; EINVAL, EACCES if it is no map; EPERM."""
    return BpfMap(check(lib.bpftop_map_by_path(os.fsencode(path)), f"open the pinned BPF map {path}"))


def _remedy(rc: int) -> str:
    return _EPERM_REMEDY if rc == -errno.EPERM else ""
