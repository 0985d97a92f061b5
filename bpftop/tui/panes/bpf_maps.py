"""Pane 6: every BPF map of the machine, how full it is, who uses it, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

from textual.widget import Widget

from bpftop.model.units import si
from bpftop.render.bpf.loaded_maps import (
    LOADED_MAP_COLUMNS,
    MAP_PAST_COLUMNS,
    LoadedMapLine,
    recorded_map_lines,
)
from bpftop.render.columns import Column
from bpftop.tui.measurements.background_text import BackgroundText
from bpftop.tui.measurements.bpf_object_texts import map_text
from bpftop.tui.moment import Moment
from bpftop.tui.panes.bpf_objects import BpfObjectHead, BpfObjectsPane, BpfObjectTable
from bpftop.tui.widgets.detail import RowDetail
from bpftop.tui.widgets.line import Line, clean, line
from bpftop.tui.widgets.scroller import TextPanel

_SAMPLED = tuple(column for column in LOADED_MAP_COLUMNS if column.id not in ("key", "value", "programs"))
COLUMNS = (*_SAMPLED[:-2], *MAP_PAST_COLUMNS, *_SAMPLED[-2:])
"""The columns that samples have values for."""


class MapTable(BpfObjectTable[LoadedMapLine]):
    """The maps, the map that is nearest to full first, or below each other by a group."""

    def columns(self, moment: Moment) -> Sequence[Column[LoadedMapLine]]:
        return COLUMNS

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


class EntryPanel(TextPanel):
    """The entries of the chosen map, decoded by BTF, read again with each tick while they are on the screen."""

    def __init__(self, reader: BackgroundText) -> None:
        super().__init__()
        self._reader = reader

    def text_lines(self, moment: Moment, width: int) -> list[Line]:
        key = moment.frame.place.row
        if not moment.live:
            return [line(("A recording has no entries of maps.", "muted"))]
        texts = self._reader.lines(int(key), moment.snapshot.seq) if key.isdecimal() else ()
        head, *rest = texts or ("",)
        lines = [line(("─" * (width + 2), "muted")), line((clean(head), "title"))]
        return [*lines, *(line((clean(each), "text")) for each in rest)]


class BpfMapsPane(BpfObjectsPane):
    """The table of maps; the details of one are all its columns and its entries."""

    DEFAULT_CSS = """
    BpfMapsPane MapHead { height: 1; }
    BpfMapsPane MapTable { height: 1fr; }
    BpfMapsPane RowDetail { height: 1fr; }
    BpfMapsPane EntryPanel { height: 2fr; }
    """
    title = "Maps"
    hints: ClassVar = (
        ("choose", "entries"),
        ("group", "group"),
        ("filter", "filter"),
        ("sort", "sort"),
        ("mark", "mark"),
        ("pause", "pause"),
    )
    columns = COLUMNS
    terms = (
        ("used", "Entries, counted by a walk over the keys of at most 50 ms for a map; > means at least. Arrays are "
         "always full, and LRU maps evict when they are."),
        ("entries", "Keys and values by the map's BTF, else as hexadecimal bytes; values of per-CPU maps are added up. "
         "Nothing is ever written or deleted."),
    )  # fmt: skip

    def compose_list(self) -> Iterator[Widget]:
        self._maps = MapTable()
        yield from (MapHead("Maps", self._maps), self._maps)

    def compose_detail(self) -> Iterator[Widget]:
        self._reader = BackgroundText(self.engines.get("map_text") or map_text, self.redraw_soon)
        yield from (RowDetail(self.table), EntryPanel(self._reader))

    def table(self) -> MapTable:
        return self._maps
