"""Pane 6: every BPF map of the machine, how full it is, who uses it, and its entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

from textual.widget import Widget

from bpftop.fields import replace
from bpftop.model.bpf.map_contents import EntryRow, text_of
from bpftop.model.units import si
from bpftop.render.bpf.loaded_maps import (
    MAP_SCREEN_COLUMNS,
    LoadedMapLine,
    recorded_map_lines,
)
from bpftop.render.bpf.map_entries import entry_columns
from bpftop.render.columns import Column
from bpftop.tui.bindings import bindings
from bpftop.tui.measurements.background_reading import BackgroundReading
from bpftop.tui.measurements.map_entries import ENTRIES_MAX, MapEntries, MapReader
from bpftop.tui.messages import GoTo, Said
from bpftop.tui.moment import Moment, Place
from bpftop.tui.panes.bpf_objects import WAITING, BpfObjectHead, BpfObjectsPane, BpfObjectTable
from bpftop.tui.widgets.line import Line, at_most, clean, line, shortened, wrapped
from bpftop.tui.widgets.region import Region
from bpftop.tui.widgets.table import Rows, Table

FACT_LINES, FACT_LINES_LOW = 6, 3
LOW = 15
"""Height of the pane below which the facts of a map leave room for its entries."""
READ_EVERY_NS = 10**9
NOT_THERE = "This map is not there at this moment."


class MapTable(BpfObjectTable[LoadedMapLine]):
    """The maps, the map that is nearest to full first, or below each other by a group."""

    def columns(self, moment: Moment) -> Sequence[Column[LoadedMapLine]]:
        return MAP_SCREEN_COLUMNS

    def object_lines(self, moment: Moment) -> Sequence[LoadedMapLine]:
        return recorded_map_lines(moment.snapshot, partial(_earlier, moment))


def _earlier(moment: Moment, map_id: int) -> float | None:
    """Return the entries of a map at the mark, or else a minute ago."""
    if moment.mark is not None:
        marked = moment.mark.bpf.entries
        return None if marked is None else marked.get(map_id, 0.0)
    return moment.history.bpf_trends.entries(map_id, moment.snapshot.mono_ns - 60 * 10**9)


class MapHead(BpfObjectHead[LoadedMapLine]):
    """The number of maps and their memory."""

    def cost(self, moment: Moment, lines: Sequence[LoadedMapLine]) -> Sequence[tuple[str, str]]:
        return [(f"  {si(sum(each.memory_bytes or 0 for each in lines), 'B')} of memory", "text")]


class MapFacts(Region):
    """The facts of the chosen map, the more important ones first; the last line says how many entries are below."""

    def __init__(self, table: MapTable, reader: BackgroundReading[MapEntries]) -> None:
        super().__init__()
        self._table, self._reader = table, reader

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        key = moment.frame.place.row
        row = next((each for each in self._table.object_lines(moment) if each.key == key), None)
        read = _entries(self._reader, moment)
        absent = NOT_THERE if moment.snapshot.reading("bpf_maps") is not None else WAITING
        lines = [line((absent, "muted"))] if row is None else [_numbers(row), line(f"held by {_holder(row)}")]
        if isinstance(read, MapEntries):
            lines += [line((clean(fact), "text")) for fact in read.facts]
        lines = [shortened(each, width) for each in lines[: height - 1]]
        head = read.head if isinstance(read, MapEntries) else read
        return [*lines, *[()] * (height - 1 - len(lines)), shortened(line((clean(head), "notice")), width)]


def _numbers(row: LoadedMapLine) -> Line:
    """Return ``hash, id 8   64.5 k of 100 k entries   +50/s   full in 12 min   11.7 MB of memory``."""
    cells = {column.id: column.cell(row, 20).strip() for column in MAP_SCREEN_COLUMNS}
    parts = [f"{row.type}, id {row.map_id}"]
    if row.used is not None:
        parts.append(f"{cells['used']} of {cells['max']} entries")
    if row.per_sec:
        parts.append(f"{si(abs(row.per_sec))} {'more' if row.per_sec > 0 else 'fewer'} a second")
    if row.full_in_s is not None:
        parts.append(f"full in {cells['full_in']}")
    if row.memory_bytes is not None:
        parts.append(f"{si(row.memory_bytes, 'B')} of memory")
    return line((clean("   ".join(parts)), "text"))


def _holder(row: LoadedMapLine) -> str:
    return clean(row.owners) or "nobody that is visible here"


def _entries(reader: BackgroundReading[MapEntries], moment: Moment) -> MapEntries | str:
    """Return the entries of the chosen map, or a sentence in their place."""
    key = moment.frame.place.row
    if not moment.live:
        return "A recording has no entries of maps."
    if not key.isdecimal():
        return NOT_THERE
    value = reader.get(int(key), moment.snapshot.mono_ns // READ_EVERY_NS)
    return "reading the entries..." if value is None else value


class EntryTable(Table[EntryRow]):
    """The entries of the chosen map, decoded by BTF, read again once a second while they are on the screen."""

    columns_are_chosen = False

    def __init__(self, reader: BackgroundReading[MapEntries]) -> None:
        super().__init__()
        self._reader = reader

    def entries(self, moment: Moment) -> Sequence[EntryRow]:
        """Return the entries; none while they are read for the first time."""
        read = _entries(self._reader, moment)
        return read.rows if isinstance(read, MapEntries) else ()

    def columns(self, moment: Moment) -> Sequence[Column[EntryRow]]:
        return tuple(map(_drawable, entry_columns(self.entries(moment))))

    def rows(self, moment: Moment) -> Rows[EntryRow]:
        entries, words = self.entries(moment), self.words()
        matching = [each for each in entries if all(word in _searched(each) for word in words)] if words else entries
        return Rows.of(self.ordered(matching, moment), lambda each: repr(each.key), len(entries))

    def empty(self, moment: Moment) -> str:
        return "no entries"

    def begin_anew(self) -> None:
        """Forget the order, the filter and the selection of another map."""
        self.cursor, self.sort, self.reverse, self.filter, self.top = "", "", False, "", 0


def _drawable(column: Column[EntryRow]) -> Column[EntryRow]:
    """Return the column with a title and texts that are safe to draw: both come from somebody's BTF and memory."""
    return replace(column, title=clean(column.title), text=lambda row, width: clean(column.cell(row, width)))


def _searched(row: EntryRow) -> str:
    return f"{text_of(row.key)} {text_of(row.value)}".lower()


class EntryDetail(Region):
    """The selected entry: its value on each CPU for a per-CPU map, else the whole of its key and value."""

    def __init__(self, table: EntryTable) -> None:
        super().__init__()
        self._table = table

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        entries = self._table.entries(moment)
        row = next((each for each in entries if repr(each.key) == self._table.cursor), None)
        if row is None:
            select = "Select an entry to see all of it, and its value on each CPU." if entries else ""
            return [line(("─" * width, "muted")), line((select, "muted"))]
        values = [f"CPU {cpu}: {text_of(value)}" for cpu, value in enumerate(row.per_cpu)] or [text_of(row.value)]
        text = clean(f"{text_of(row.key)}  ->  {'; '.join(values)}")
        return [line(("─" * width, "muted")), *at_most(wrapped(text, "text", width), width, height - 1)]


class BpfMapsPane(BpfObjectsPane):
    """The table of maps; the details of one are its facts and its entries."""

    DEFAULT_CSS = """
    BpfMapsPane MapHead { height: 1; }
    BpfMapsPane MapTable { height: 1fr; }
    BpfMapsPane EntryTable { height: 1fr; }
    """
    BINDINGS = bindings("profile_map")
    hints: ClassVar = (
        ("choose", "entries"), ("profile_map", "profile"), ("group", "group"), ("pause", "pause"), ("filter", "filter"),
        ("sort", "sort"), ("mark", "mark"),
    )  # fmt: skip
    detail_hints: ClassVar = (("filter", "search"), ("sort", "sort by a field"), ("profile_map", "profile"))
    columns = MAP_SCREEN_COLUMNS
    terms = (
        ("used", "Entries: the kernel's counter of a hash map (Linux 6.6), else counted by a walk over the keys of at "
         "most 50 ms; > means at least. Arrays are always full, and LRU maps evict when they are."),
        ("entries", "Keys and values by the map's BTF, else as hexadecimal bytes; values of per-CPU maps are added up. "
         f"At most {ENTRIES_MAX} are read, once a second; /s is the change since the reading before. Nothing is ever "
         "written or deleted."),
    )  # fmt: skip

    def compose_list(self) -> Iterator[Widget]:
        self._maps = MapTable()
        self._shown_map = ""
        yield from (MapHead("Maps", self._maps), self._maps)

    def compose_detail(self) -> Iterator[Widget]:
        reader = BackgroundReading[MapEntries](self.engines.get("map_entries") or MapReader(), self.redraw_soon)
        self._entries = EntryTable(reader)
        self._entry = EntryDetail(self._entries)
        self._facts = MapFacts(self._maps, reader)
        yield from (self._facts, self._entries, self._entry)

    def divide(self, moment: Moment, width: int, height: int) -> None:
        self._entry.styles.height = max(2, height // 6)
        self._facts.styles.height = FACT_LINES if height >= LOW else FACT_LINES_LOW

    def enter(self, place: Place) -> None:
        if place.row and place.row != self._shown_map:
            self._shown_map = place.row
            self._entries.begin_anew()
        super().enter(place)

    def table(self) -> Table[Any]:
        return self._entries if self.has_class("-looking-in") else self._maps

    def choose(self, table: Table[Any], key: str) -> None:
        """Open a map; an entry is shown whole below the entries already."""
        if table is self._maps:
            super().choose(table, key)

    def on_table_selected(self, event: Table.Selected) -> None:
        """Show the selected entry."""
        event.stop()
        self.redraw_regions()

    def action_profile_map(self) -> None:
        """Measure the operations of the chosen map, on copies of it, in Measure."""
        key = self._shown_map if self.has_class("-looking-in") else self._maps.cursor
        if not key:
            self.post_message(Said("Select a map first: the arrows do."))
        elif self.moment is not None and not self.moment.live:
            self.post_message(Said("This is a recording: its maps cannot be measured here."))
        else:
            title = f"profile of {self._maps.row_title(key)}"
            self.post_message(GoTo(Place("measure", title, subject=key)))
