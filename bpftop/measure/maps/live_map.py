"""Geometry and keys of an existing map, to copy into a scratch map. The map is opened for reading only."""

from __future__ import annotations

from dataclasses import dataclass

from bpftop.errors import BpftopError, UsageError
from bpftop.kernel.bpf import bpf_map, inventory
from bpftop.kernel.bpf.bpf_map import BpfMap, MapInfo, Stop
from bpftop.measure.maps.geometry import KINDS, TYPE_NAMES, Geometry

REAL_KEYS_MAX = 4096
READS_MAX = 1 << 20
"""Limit of get_next_key calls that count the keys. A call takes no lock, and 0.2 to 0.3 µs."""

_NAME_BYTES = 15  # BPF_OBJ_NAME_LEN without the NUL
# Flags that change how a map works. A copy does not need the others (access, frozen, NUMA node).
_COPIED_FLAGS = bpf_map.NO_PREALLOC | bpf_map.NO_COMMON_LRU | bpf_map.ZERO_SEED


@dataclass(frozen=True)
class LiveMap:
    """An existing map.

    ``count`` keys were counted by ``reads`` calls. Without ``complete`` the map has more keys, or changed meanwhile.
    ``real_keys`` are the bytes of the first keys; empty for an array, whose keys are known.
    """

    info: MapInfo
    geometry: Geometry
    count: int
    real_keys: bytes
    reads: int
    complete: bool


def read_live_map(wanted: str, stop: Stop) -> LiveMap:
    """Read the map with this id, name or path in the BPF file system.

    Raises UsageError for another type or an ambiguous name, BpftopError without such a map.
    """
    with _opened(wanted) as live:
        info = live.info()
        if info.type not in TYPE_NAMES:
            raise UsageError(
                f"the map {info.map_id} ({info.name}) is of type {info.type} of enum bpf_map_type; profiled are "
                f"{', '.join(KINDS)}: choose another map"
            )
        if info.type in bpf_map.ARRAYS:  # always full
            return LiveMap(info, _geometry(info, info.max_entries), info.max_entries, b"", 0, True)
        keys = live.keys(min(info.max_entries + 1, READS_MAX), REAL_KEYS_MAX, stop)
    return LiveMap(info, _geometry(info, keys.count), keys.count, keys.first, keys.reads, keys.complete)


def _geometry(info: MapInfo, count: int) -> Geometry:
    flags = info.flags & _COPIED_FLAGS
    kind = TYPE_NAMES[info.type]
    if info.type == bpf_map.HASH and flags & bpf_map.NO_PREALLOC:
        kind = "hash_no_prealloc"
    # An empty map is profiled with one key, so that there is a key to look up.
    population = min(max(1, count), info.max_entries)
    return Geometry(info.type, flags, info.max_entries, info.key_bytes, info.value_bytes, population, kind)


def _opened(wanted: str) -> BpfMap:
    if "/" in wanted:
        return bpf_map.by_path(wanted)
    if wanted.isdecimal():
        number = int(wanted)
        if not 1 <= number < 1 << 32:
            raise UsageError(f"{wanted} is no map id; `bpftool map` lists them")
        return bpf_map.by_id(number)
    named = [each.map_id for each in inventory.maps() if each.name == wanted[:_NAME_BYTES]]
    if not named:
        raise BpftopError(f"there is no map with the name {wanted}; `bpftool map` lists names and ids")
    if len(named) > 1:
        raise UsageError(f"{len(named)} maps are called {wanted}: choose one of the ids {', '.join(map(str, named))}")
    return bpf_map.by_id(named[0])
