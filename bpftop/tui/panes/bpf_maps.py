"""Pane 6: every BPF map of the machine, how full it is, who uses it, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.widget import Widget

from bpftop.render.bpf.loaded_maps import LOADED_MAP_COLUMNS, LoadedMapLine, recorded_map_lines
from bpftop.render.columns import Column
from bpftop.tui.measurements.background_text import BackgroundText
from bpftop.tui.measurements.bpf_object_texts import map_text
from bpftop.tui.messages import BpfWanted
from bpftop.tui.moment import Moment
from bpftop.tui.panes.bpf_programs import why_none
from bpftop.tui.panes.pane import Pane
from bpftop.tui.widgets.detail import RowDetail
from bpftop.tui.widgets.line import Line, clean, line
from bpftop.tui.widgets.region import Region
from bpftop.tui.widgets.scroller import TextPanel
from bpftop.tui.widgets.table import Rows, Table

COLUMNS = tuple(column for column in LOADED_MAP_COLUMNS if column.id not in ("key", "value", "programs"))
"""The columns that samples have values for."""


class MapTable(Table[LoadedMapLine]):
    """The maps, the one that is nearest to full first."""

    def columns(self, moment: Moment) -> Sequence[Column[LoadedMapLine]]:
        return COLUMNS

    def rows(self, moment: Moment) -> Rows[LoadedMapLine]:
        lines = recorded_map_lines(moment.snapshot)
        matching = [each for each in lines if _matches(each, self.words())]
        return Rows.of(self.ordered(matching, moment), lambda each: each.key, len(lines))

    def empty(self, moment: Moment) -> str:
        return why_none(moment)

    def row_title(self, key: str) -> str:
        rows = list(self.rows(self.moment).build([key])) if self.moment else []
        return (rows[0].name or rows[0].type) if rows else key


def _matches(each: LoadedMapLine, words: Sequence[str]) -> bool:
    searched = f"{each.map_id} {each.type} {each.name} {each.owners}".lower()
    return all(word in searched for word in words)


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


class BpfMapsPane(Pane):
    """The table of maps; the details of one are all its columns and its entries."""

    DEFAULT_CSS = """
    BpfMapsPane MapTable { height: 1fr; }
    BpfMapsPane RowDetail { height: 1fr; }
    BpfMapsPane EntryPanel { height: 2fr; }
    """
    title = "Maps"
    hints: ClassVar = (("choose", "entries"), ("filter", "filter"), ("sort", "sort"), ("pause", "pause"))
    columns = COLUMNS
    terms = (
        ("used", "Entries, counted by a walk over the keys of at most 50 ms for a map; > means at least. Arrays are "
         "always full, and LRU maps evict when they are."),
        ("entries", "Keys and values by the map's BTF, else as hexadecimal bytes; values of per-CPU maps are added up. "
         "Nothing is ever written or deleted."),
    )  # fmt: skip

    def compose_list(self) -> Iterator[Widget]:
        self._maps = MapTable()
        yield self._maps

    def compose_detail(self) -> Iterator[Widget]:
        self._reader = BackgroundText(self.engines.get("map_text") or map_text, self._read)
        yield from (RowDetail(self.table), EntryPanel(self._reader))

    def table(self) -> MapTable:
        return self._maps

    def opened(self) -> None:
        self.post_message(BpfWanted(True))

    def closed(self) -> None:
        self.post_message(BpfWanted(False))

    def _read(self) -> None:
        """Draw entries that were read. Called in a thread of the reader."""
        if self.is_running:
            self.app.call_later(self._redraw)

    def _redraw(self) -> None:
        for region in self.query(Region):
            region.redraw()
