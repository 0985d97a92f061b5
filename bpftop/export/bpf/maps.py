"""The BPF maps of the machine as a table, JSON (``bpftop.maps/1``) or CSV, and the contents of one map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from bpftop.export.bpf.programs import csv_page, owner_objects
from bpftop.export.json_writing import TOOL, rounded
from bpftop.fields import frozen, replace
from bpftop.model.bpf.inventory import ARRAY_TYPES, BpfInventory, KnownMap
from bpftop.model.bpf.map_contents import EntryRow, text_of
from bpftop.model.escaping import escaped_text
from bpftop.model.timestamps import rfc3339
from bpftop.render.bpf.loaded_maps import LOADED_MAP_COLUMNS, LoadedMapLine, content_columns
from bpftop.render.columns import fitting, text_table

if TYPE_CHECKING:
    from bpftop.export.bpf.inventory_types import LoadedMapObject, LoadedMapsDocument, MapContentDocument

LIST_SCHEMA: Final = "bpftop.maps/1"
CONTENT_SCHEMA: Final = "bpftop.map/1"


@frozen
class MapList:
    """Maps in their order, of the inventory ``now`` against ``before``; a table has ``width`` cells."""

    before: BpfInventory | None
    now: BpfInventory
    lines: Sequence[LoadedMapLine]
    width: int


@frozen
class MapContents:
    """The decoded entries of one map.

    ``looked_at``: how many entries were searched or sorted, where the map has more; None: all of it.
    """

    bpf_map: KnownMap
    line: LoadedMapLine
    wall_ns: int
    rows: Sequence[EntryRow]
    complete: bool
    unreadable: int
    per_cpu: bool = False
    looked_at: int | None = None


def table(maps: MapList) -> str:
    """Write aligned columns."""
    columns = [replace(column, width=width) for column, width in fitting(LOADED_MAP_COLUMNS, maps.width)]
    lines = [line.rstrip() for line in text_table(columns, maps.lines)]
    lines += [f"{part}: {escaped_text(why)}" for part, why in maps.now.unavailable.items()]
    return "\n".join(lines) + "\n"


def document(maps: MapList) -> LoadedMapsDocument:
    """Return the whole document."""
    before, now = maps.before, maps.now
    return {
        "schema": LIST_SCHEMA,
        "tool": TOOL,
        "taken_at": rfc3339(now.wall_ns),
        "interval_s": None if before is None else rounded((now.read_ns - before.read_ns) / 1e9),
        "maps": [_map(line, now.maps[line.map_id]) for line in maps.lines],
        "unavailable": dict(now.unavailable),
    }


def csv_text(maps: MapList) -> str:
    """Write a row per map; lists are joined by semicolons. Unknown is empty."""
    return csv_page([dict(row) for row in document(maps)["maps"]])


def _map(line: LoadedMapLine, each: KnownMap) -> LoadedMapObject:
    return {
        "id": each.map_id,
        "type": each.type,
        "name": each.name,
        "key_bytes": each.key_bytes,
        "value_bytes": each.value_bytes,
        "max_entries": each.max_entries,
        "flags": each.flags,
        "frozen": each.frozen,
        "memory_bytes": each.memory_bytes,
        "entries": line.used,
        "entries_complete": None if line.used is None else line.complete,
        "growth_per_sec": rounded(line.per_sec),
        "full_in_s": rounded(line.full_in_s),
        "prog_ids": list(each.prog_ids),
        "pinned": list(each.pinned),
        "owners": owner_objects(each.owners),
    }


def content_table(content: MapContents) -> str:
    """Write the entries in lines; with ``per_cpu`` the value of each CPU below its entry."""
    each = content.bpf_map
    count = str(each.max_entries) if each.type in ARRAY_TYPES else content.line.used_text
    noun = "entry" if count == "1" else "entries"
    head_line = f"{each.name or each.type} (id {each.map_id}), {each.type}, {count} {noun}"
    lines = [escaped_text(head_line)]
    columns = content_columns(content.rows)
    head, *body = [line.rstrip() for line in text_table(columns, content.rows)]
    lines += ["", head]
    for line, row in zip(body, content.rows, strict=True):
        lines.append(line)
        if content.per_cpu:
            lines += [f"  CPU {cpu}: {escaped_text(text_of(value))}" for cpu, value in enumerate(row.per_cpu)]
    if content.unreadable:
        keys = "1 key has" if content.unreadable == 1 else f"{content.unreadable} keys have"
        lines += ["", f"{keys} no value that can be read"]
    if content.looked_at is not None:
        lines += ["", f"Only the first {content.looked_at} entries were looked at; the map has more."]
    elif not content.complete:
        lines += ["", "There are more entries; --limit shows more."]
    return "\n".join(lines) + "\n"


def content_document(content: MapContents) -> MapContentDocument:
    """Return the entries as a document."""
    return {
        "schema": CONTENT_SCHEMA,
        "tool": TOOL,
        "taken_at": rfc3339(content.wall_ns),
        "map": _map(content.line, content.bpf_map),
        "complete": content.complete,
        "unreadable": content.unreadable,
        "entries": [
            {"key": row.key, "value": row.value, "per_cpu": list(row.per_cpu), "per_sec": dict(row.per_sec)}
            for row in content.rows
        ],
    }


def content_csv(content: MapContents) -> str:
    """Write a row per entry, with the key and the value as text."""
    rows: list[Mapping[str, object]] = [{"key": text_of(row.key), "value": text_of(row.value)} for row in content.rows]
    return csv_page(rows)
