"""Rows and columns of the list of BPF maps, and of the contents of one map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bpftop.fields import frozen, replace
from bpftop.model.bpf.inventory import (
    ARRAY_TYPES,
    EVICTING_TYPES,
    BpfInventory,
    Entries,
    KnownMap,
    full_in_s,
    growth,
)
from bpftop.model.bpf.map_contents import EntryRow, text_of
from bpftop.model.snapshot import Snapshot
from bpftop.model.units import UNKNOWN, pct, si, since
from bpftop.render.columns import Column, change_look, change_text, clipped, share_text
from bpftop.render.comparison import ratio


@frozen
class LoadedMapLine:
    """A map with the number of its entries, their growth per second and the time until it is full.

    ``used`` is None where the entries were not counted. Not ``complete``: there are at least so many. ``programs`` and
    ``owners`` are texts; empty is unknown.
    """

    map_id: int
    type: str
    name: str
    used: int | None
    complete: bool
    max_entries: int | None
    per_sec: float | None
    full_in_s: float | None
    memory_bytes: int | None
    owners: str
    programs: str = ""
    key_bytes: int | None = None
    value_bytes: int | None = None
    used_then: float | None = None
    """Entries at an earlier moment, to compare with."""

    @property
    def key(self) -> str:
        return str(self.map_id)

    @property
    def searched(self) -> str:
        """Return the text that a filter looks at, in lower case."""
        return f"{self.map_id} {self.type} {self.name} {self.programs} {self.owners}".lower()

    @property
    def share(self) -> float | None:
        """Return the used share, or the least that it can be; None for arrays, and where it is unknown."""
        if self.used is None or not self.max_entries or self.type in ARRAY_TYPES:
            return None
        return self.used / self.max_entries

    def share_text(self, width: int) -> str:
        """Return the used share with its bar; ``> 4 %`` of a map that was not counted to its end."""
        if self.share is None:
            return UNKNOWN
        return share_text(self.share, width) if self.complete else f"> {pct(self.share)}"

    @property
    def used_text(self) -> str:
        if self.type in ARRAY_TYPES:
            return "array"
        if self.used is None:
            return UNKNOWN
        return f"{'' if self.complete else '>'}{si(self.used)}{' LRU' if self.type in EVICTING_TYPES else ''}"


def loaded_map_lines(before: BpfInventory | None, now: BpfInventory) -> list[LoadedMapLine]:
    """Return a line per map: the map that is nearest to full first, then by memory."""
    return _ordered(_line(before, now, each) for each in now.maps.values())


def loaded_map_line(
    each: KnownMap, entries: Entries | None, rates: tuple[float | None, float | None] = (None, None), used_by: str = ""
) -> LoadedMapLine:
    """Return the line of a map; ``rates`` are its growth per second and the time until it is full."""
    return LoadedMapLine(
        each.map_id,
        each.type,
        each.name,
        None if entries is None else entries.used,
        entries is None or entries.complete,
        each.max_entries,
        *rates,
        each.memory_bytes,
        ", ".join([str(owner) for owner in each.owners] or [f"pin {path}" for path in each.pinned]),
        used_by,
        each.key_bytes,
        each.value_bytes,
    )


def _line(before: BpfInventory | None, now: BpfInventory, each: KnownMap) -> LoadedMapLine:
    used_by = ", ".join(now.programs[prog_id].name for prog_id in each.prog_ids if prog_id in now.programs)
    return loaded_map_line(each, now.entries.get(each.map_id), growth(before, now, each.map_id), used_by)


def recorded_map_lines(
    snapshot: Snapshot, earlier: Callable[[int], float | None] = lambda map_id: None
) -> list[LoadedMapLine]:
    """Return the same from the readings of a snapshot, live or recorded; none where they were not read.

    ``earlier`` returns the entries of a map at an earlier moment, by its id.
    """
    reading = snapshot.reading("bpf_maps")
    if reading is None:
        return []
    lines, in_part = [], snapshot.reading("bpf_maps_in_part")
    for key in reading.keys:
        map_id, kind, name, owners = map(str, key)
        used, most = reading.value(key, "entries"), reading.value(key, "max_entries")
        at_least = None if in_part is None else in_part.value((map_id,), "entries")
        gained = reading.per_sec(key, "entries")
        room = None if used is None or not most else most - used
        full_s = None if room is None else full_in_s(kind, room, gained)
        memory = reading.value(key, "memory_bytes")
        counted = (used, True) if at_least is None else (at_least, False)
        lines.append(LoadedMapLine(int(map_id), kind, name, *counted, most, gained, full_s, memory, owners))
    with_past = [replace(each, used_then=earlier(each.map_id)) if each.complete else each for each in lines]
    return sorted(with_past, key=_rank)


def _rank(line: LoadedMapLine) -> tuple[int, int, int]:
    """Return the place of a map: shares in steps of 5 %, sizes by their power of two, so that no row jumps."""
    return -round(20 * (line.share or 0)), -(line.memory_bytes or 0).bit_length(), line.map_id


def _ordered(lines: Iterable[LoadedMapLine]) -> list[LoadedMapLine]:
    return sorted(lines, key=lambda line: (-(line.share or 0), -(line.memory_bytes or 0), line.map_id))


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else str(value)


_INFO = "bpf_map_info of the kernel, as in bpftool map"
_WALK = "the kernel's counter of the map (Linux 6.6, hash maps), else a walk over its keys"

LOADED_MAP_COLUMNS: tuple[Column[LoadedMapLine], ...] = (
    Column("id", "id", "number", 8, "id of the map in the kernel", lambda line: line.map_id, form=str, gap=0,
          source=_INFO),
    Column("type", "type", "", 17, "type of the map, as in bpftool", lambda line: line.type,
           lambda line, width: clipped(line.type, width), left=True, gap=2, rank=1, source=_INFO),
    Column("name", "name", "", 17, "name of the map, at most 15 bytes", lambda line: line.name, form=str,
           left=True, look="name", source=_INFO),
    Column("key", "key B", "B", 7, "size of a key", lambda line: line.key_bytes, form=_count, rank=5, source=_INFO),
    Column("value", "value B", "B", 9, "size of a value, for per-CPU maps on each CPU",
           lambda line: line.value_bytes, form=_count, rank=5, source=_INFO),
    Column("used", "used", "entries", 10, "entries in use; >: at least; LRU maps evict when full",
           lambda line: line.used, lambda line, _: line.used_text, source=_WALK),
    Column("max", "of", "entries", 8, "most entries (max_entries)", lambda line: line.max_entries, source=_INFO),
    Column("share", "full", "%", 14, "used share of the entries", lambda line: line.share,
           lambda line, width: line.share_text(width), rank=3, look="bar",
           source=_WALK),
    Column("growth", "entries/s", "entries/s", 10, "gain of entries per second", lambda line: line.per_sec, rank=4,
          source=_WALK),
    Column("full_in", "full in", "s", 9, "time until the map is full, if it goes on growing like that",
           lambda line: line.full_in_s,
           lambda line, _: UNKNOWN if line.full_in_s is None else since(line.full_in_s), rank=4, source=_WALK),
    Column("memory", "mem KiB", "KiB", 9, "memory that the kernel charges for the map (memlock of its fdinfo)",
           lambda line: line.memory_bytes,
           lambda line, _: UNKNOWN if line.memory_bytes is None else si(line.memory_bytes / 1024),
           source="/proc/PID/fdinfo, memlock"),
    Column("programs", "used by", "", 20, "programs that use the map", lambda line: line.programs,
           lambda line, width: clipped(line.programs, width), left=True, gap=2, stretch=20, rank=2,
           source="the map ids in bpf_prog_info of each program"),
    Column("owners", "held by", "", 22, "processes that hold the map, with container or unit; else its pins",
           lambda line: line.owners, lambda line, width: clipped(line.owners, width), left=True, gap=2, stretch=40,
           rank=3, source="the kernel's iterator over open files; bpffs for pins"),
)  # fmt: skip


MAP_PAST_COLUMNS: tuple[Column[LoadedMapLine], ...] = (
    Column("factor", "vs 1 min ago", "times", 13,
           "how many times as many entries as one minute ago; after `m`, as at the mark",
           lambda line: ratio(line.used, line.used_then), lambda line, _: change_text(line.used, line.used_then),
           rank=4, look=lambda line: change_look(line.used, line.used_then), source=_WALK),
    Column("since_mark", "since mark", "entries", 11, "entries more, or less, than at the mark",
           lambda line: None if line.used is None or line.used_then is None else line.used - line.used_then,
           rank=2, source=_WALK),
)  # fmt: skip
"""The columns of a screen, which has a past."""

_SAMPLED = tuple(column for column in LOADED_MAP_COLUMNS if column.id not in ("key", "value", "programs"))
MAP_SCREEN_COLUMNS = (*_SAMPLED[:-2], *MAP_PAST_COLUMNS, *_SAMPLED[-2:])
"""The columns that samples have values for."""


FLAGS = {
    0x1: "no_prealloc", 0x2: "no_common_lru", 0x4: "numa_node", 0x8: "rdonly", 0x10: "wronly", 0x20: "stack_build_id",
    0x40: "zero_seed", 0x80: "rdonly_prog", 0x100: "wronly_prog", 0x200: "clone", 0x400: "mmapable",
    0x800: "preserve_elems", 0x1000: "inner_map", 0x2000: "link", 0x8000: "vtype_btf_obj_fd", 0x20000: "segv_on_fault",
    0x40000: "no_user_conv",
}  # fmt: skip
"""BPF_F_... flags of BPF_MAP_CREATE, in lower case (include/uapi/linux/bpf.h, Linux 6.18)."""


def flags_text(flags: int) -> str:
    """Return ``no_prealloc, mmapable``; an unknown flag as a number; ``none`` without flags."""
    names = [FLAGS.get(1 << bit, hex(1 << bit)) for bit in range(32) if flags >> bit & 1]
    return ", ".join(names) or "none"


def map_facts(which: KnownMap, inventory: BpfInventory) -> list[str]:
    """Return what samples do not have of a map: sizes, flags, pins, and the programs that use it."""
    users = [inventory.programs[each].name or str(each) for each in which.prog_ids if each in inventory.programs]
    sizes = f"key {which.key_bytes} B, value {which.value_bytes} B, flags {flags_text(which.flags)}"
    return [
        sizes + (", frozen: user space may not write" if which.frozen else ""),
        f"used by {', '.join(users) or 'no program'}",
        f"pinned at {', '.join(which.pinned)}" if which.pinned else "not pinned",
    ]


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
