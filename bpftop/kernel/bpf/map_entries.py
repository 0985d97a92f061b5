"""Entries of any map, read without changing it: counted, or copied in one bounded walk."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator

from bpftop.fields import frozen
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.bpf_map import PER_CPU, BpfMap, MapInfo, Stop
from bpftop.kernel.return_code import KernelError, check

_COUNT_MAX = 10_000_000
_PERCPU_ARRAYS_OF_STORAGE = 21  # BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE


@frozen
class MapEntry:
    """An entry: the bytes of its key, and its value, for per-CPU maps the values of all possible CPUs in order."""

    key: bytes
    values: tuple[bytes, ...]


@frozen
class MapContent:
    """The entries of a walk, each key once. Not ``complete``: the walk reached a limit before the end of the map.

    ``unreadable`` counts keys whose value could not be read, such as maps in a map of maps that are gone.
    """

    entries: tuple[MapEntry, ...]
    complete: bool
    unreadable: int = 0


def count_entries(bpf_map: BpfMap, limit_s: float) -> tuple[int, bool]:
    """Return the number of keys, and whether the walk reached the end within ``limit_s``.

    A walk over keys copies no value, so that it costs less than reading batches. Raises KernelError: EPERM for a map
    that user space may only write; EOPNOTSUPP, ENOTSUPP for types without keys (ring buffers, queues).
    """
    walk = bpf_map.keys(_COUNT_MAX, 0, Stop(), limit_s)
    return walk.count, walk.complete


def read_entries(bpf_map: BpfMap, info: MapInfo, most: int, limit_s: float) -> MapContent:
    """Read at most ``most`` entries for at most ``limit_s``. Raises KernelError as ``count_entries`` does.

    Where the key that the walk stands on is deleted meanwhile, the kernel begins anew at the first key: the keys that
    were read already are passed over.
    """
    copies = int(lib.libbpf_num_possible_cpus()) if info.type in {*PER_CPU, _PERCPU_ARRAYS_OF_STORAGE} else 1
    step = -(-info.value_bytes // 8) * 8 if copies > 1 else info.value_bytes
    begin_s, entries, unreadable, complete = time.monotonic(), list[MapEntry](), 0, True
    seen = set[bytes]()
    for key in _keys(bpf_map.fd, info.key_bytes):
        if time.monotonic() - begin_s > limit_s:
            complete = False
            break
        if key in seen:
            continue
        if len(seen) >= most:
            complete = False
            break
        seen.add(key)
        try:
            content = bpf_map.lookup(key, step * copies)
        except KernelError as error:
            if error.errno == errno.EPERM:
                raise
            content = None
        if content is None:
            unreadable += 1
            continue
        values = (content[at * step : at * step + info.value_bytes] for at in range(copies))
        entries.append(MapEntry(key, tuple(values)))
    return MapContent(tuple(entries), complete, unreadable)


def _keys(fd: int, key_bytes: int) -> Iterator[bytes]:
    """Yield the keys, those before a deleted key again: get_next_key of a key that is gone begins anew."""
    previous, key = ffi.NULL, ffi.new("unsigned char[]", max(1, key_bytes))
    while True:
        rc = lib.bpf_map_get_next_key(fd, previous, key)
        if rc == -errno.ENOENT:
            return
        check(rc, "walk the keys of a BPF map")
        current = bytes(ffi.buffer(key, key_bytes))
        yield current
        previous = ffi.new("unsigned char[]", current)
