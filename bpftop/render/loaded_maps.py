"""Rows and columns of the list of BPF maps, and of the contents of one map."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.fields import frozen
from bpftop.model.bpf_inventory import BpfInventory, BpfMap, Entries, growth
from bpftop.model.map_contents import EntryRow, text_of
from bpftop.model.units import UNKNOWN, si, since
from bpftop.render.columns import Column, clipped, share_text

_PREALLOCATED = frozenset({"array", "percpu_array", "prog_array", "array_of_maps", "cgroup_array"})


@frozen
class LoadedMapLine:
    """A map with the number of its entries, their growth per second and the time until it is full."""

    bpf_map: BpfMap
    entries: Entries | None
    per_sec: float | None
    full_in_s: float | None
    programs: str

    @property
    def key(self) -> str:
        return str(self.bpf_map.map_id)

    @property
    def share(self) -> float | None:
        """The used share of the map; None for arrays, which are always full, and where it is unknown."""
        if self.entries is None or not self.bpf_map.max_entries or self.bpf_map.type in _PREALLOCATED:
            return None
        return self.entries.used / self.bpf_map.max_entries

    @property
    def used(self) -> str:
        if self.bpf_map.type in _PREALLOCATED:
            return "array"
        if self.entries is None:
            return UNKNOWN
        mark = "" if self.entries.complete else ">"
        return f"{mark}{si(self.entries.used)}{' LRU' if self.bpf_map.type.startswith('lru') else ''}"

    @property
    def owners(self) -> str:
        names = [str(owner) for owner in self.bpf_map.owners] or [f"pin {path}" for path in self.bpf_map.pinned]
        return ", ".join(names)


def loaded_map_lines(before: BpfInventory | None, now: BpfInventory) -> list[LoadedMapLine]:
    """Return a line per map: the map that is nearest to full first, then by memory."""
    lines = []
    for map_id, each in now.maps.items():
        per_sec, full_in_s = growth(before, now, map_id)
        names = ", ".join(now.programs[prog_id].name for prog_id in each.prog_ids if prog_id in now.programs)
        lines.append(LoadedMapLine(each, now.entries.get(map_id), per_sec, full_in_s, names))
    return sorted(
        lines, key=lambda line: (-(line.share or 0.0), -(line.bpf_map.memory_bytes or 0), line.bpf_map.map_id)
    )


LOADED_MAP_COLUMNS: tuple[Column[LoadedMapLine], ...] = (
    Column("id", "id", "", 8, "id of the map in the kernel", lambda line: line.bpf_map.map_id, form=str, gap=0),
    Column("type", "type", "", 17, "type of the map, as in bpftool", lambda line: line.bpf_map.type,
           lambda line, width: clipped(line.bpf_map.type, width), left=True, gap=2),
    Column("name", "name", "", 17, "name of the map, at most 15 bytes", lambda line: line.bpf_map.name, form=str,
           left=True, look="name"),
    Column("key", "key B", "B", 7, "size of a key", lambda line: line.bpf_map.key_bytes, form=str, rank=4),
    Column("value", "value B", "B", 9, "size of a value, for per-CPU maps on each CPU",
           lambda line: line.bpf_map.value_bytes, form=str, rank=4),
    Column("used", "used", "", 10, "entries, counted by a walk over the keys; >: at least; LRU maps evict when full",
           lambda line: None if line.entries is None else line.entries.used, lambda line, _: line.used),
    Column("max", "of", "", 8, "most entries (max_entries)", lambda line: line.bpf_map.max_entries),
    Column("share", "full", "%", 14, "used share of the entries", lambda line: line.share,
           lambda line, width: UNKNOWN if line.share is None else share_text(line.share, width), rank=2, look="bar"),
    Column("growth", "+/s", "1/s", 8, "gain of entries per second", lambda line: line.per_sec, rank=3),
    Column("full_in", "full in", "s", 9, "time until the map is full, if it goes on growing like that",
           lambda line: line.full_in_s,
           lambda line, _: UNKNOWN if line.full_in_s is None else since(line.full_in_s), rank=3),
    Column("memory", "mem KiB", "KiB", 9, "memory that the kernel charges for the map (memlock of its fdinfo)",
           lambda line: line.bpf_map.memory_bytes,
           lambda line, _: UNKNOWN if line.bpf_map.memory_bytes is None else si(line.bpf_map.memory_bytes / 1024)),
    Column("programs", "used by", "", 20, "programs that use the map", lambda line: line.programs,
           lambda line, width: clipped(line.programs, width), left=True, gap=2, stretch=20, rank=1),
    Column("owners", "held by", "", 22, "processes that hold the map, with container or unit; else its pins",
           lambda line: line.owners, lambda line, width: clipped(line.owners, width), left=True, gap=2, stretch=40,
           rank=2),
)  # fmt: skip


def content_columns(rows: Sequence[EntryRow]) -> list[Column[EntryRow]]:
    """Return the columns for the entries of a map, as wide as the entries need; rates only where they are known."""
    keys = max((len(text_of(row.key)) for row in rows), default=0)
    values = max((len(text_of(row.value)) for row in rows), default=0)
    columns: list[Column[EntryRow]] = [
        Column("key", "key", "", max(3, keys), "the key", lambda row: text_of(row.key), form=str, left=True, gap=0),
        Column("value", "value", "", 2 + max(5, values), "the value; per-CPU values are added up",
               lambda row: text_of(row.value), form=str, left=True, gap=2),
    ]  # fmt: skip
    if any(row.per_sec for row in rows):
        widest = max(len(_rates(row)) for row in rows)
        columns.append(Column("rates", "per second", "1/s", 2 + max(10, widest), "change of each number per second",
                              _rates, form=str, left=True, gap=2))  # fmt: skip
    return columns


def _rates(row: EntryRow) -> str:
    return " ".join(f"{path}={si(rate)}" for path, rate in row.per_sec if rate)
