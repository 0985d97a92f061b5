"""The base of the panes of BPF objects: a table with groups, and objects that are read only while a pane is open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from bpftop.render.columns import Column, clipped, marked
from bpftop.tui.bindings import bindings
from bpftop.tui.messages import BpfWanted
from bpftop.tui.moment import Moment
from bpftop.tui.panes.pane import Pane
from bpftop.tui.widgets.line import Line, clean, line, shortened, wrap
from bpftop.tui.widgets.region import Region
from bpftop.tui.widgets.table import Rows, Table

if TYPE_CHECKING:
    from bpftop.render.bpf.loaded_maps import LoadedMapLine
    from bpftop.render.bpf.loaded_programs import LoadedProgramLine

WAITING = "The BPF programs and maps are read with the next tick."
NOT_READ = "There are no BPF objects at this moment: they are read while pane 5 or 6 is open, and by `bpftop record`."
NOT_RECORDED = (
    "This recording has no BPF objects at this moment. `bpftop record` records them, `r` while pane 5 or 6 is open."
)
GROUP_WORDS = {"": "", "type": "type", "owners": "owner"}
"""Property of a line -> the word for it; the lines of an equal property stay together."""
FACT_TITLE, FACT_ROOM, FACT_GAP = 13, 23, 2
FACT_WIDTH = FACT_TITLE + FACT_ROOM + FACT_GAP

LineT = TypeVar("LineT", bound="LoadedMapLine | LoadedProgramLine")


class BpfObjectTable(Table[LineT]):
    """The programs or the maps in their order, or together by type or by owner."""

    def __init__(self) -> None:
        super().__init__()
        self.group_by = ""

    def object_lines(self, moment: Moment) -> Sequence[LineT]:
        """Return the lines of a moment in their own order."""
        raise NotImplementedError

    def rows(self, moment: Moment) -> Rows[LineT]:
        lines, words = self.object_lines(moment), self.words()
        ordered = self.ordered([each for each in lines if all(word in each.searched for word in words)], moment)
        if self.group_by:
            ordered.sort(key=lambda each: str(getattr(each, self.group_by)))
        return Rows.of(ordered, lambda each: each.key, len(lines))

    def empty(self, moment: Moment) -> str:
        reason = moment.snapshot.unavailable.get("bpf_objects")
        if reason:
            return clean(reason)
        if not moment.live:
            return NOT_RECORDED
        return WAITING if moment.choices.paused is None else NOT_READ

    def row_title(self, key: str) -> str:
        rows = list(self.rows(self.moment).build([key])) if self.moment else []
        return (rows[0].name or rows[0].type) if rows else key

    def group_by_next(self) -> None:
        """Keep the objects of one type, or of one owner, together."""
        groups = list(GROUP_WORDS)
        self.group_by = groups[(groups.index(self.group_by) + 1) % len(groups)]
        self.redraw()


def fact_lines(columns: Sequence[Column[LineT]], row: LineT, width: int, *, mark: bool) -> list[Line]:
    """Return titles and values of a row, as many beside each other as fit; long values have a line of their own."""
    short, long = list[tuple[str, str]](), list[tuple[str, str]]()
    for column in marked(columns, mark):
        value = clean(column.cell(row, 4 * width).strip())
        if value:
            (long if column.stretch else short).append((column.title, value))
    across = max(1, width // FACT_WIDTH)
    lines = []
    for at in range(0, len(short), across):
        cells = [
            ((f"{title:<{FACT_TITLE}}", "muted"), (f"{clipped(value, FACT_ROOM):<{FACT_ROOM + FACT_GAP}}", "text"))
            for title, value in short[at : at + across]
        ]
        lines.append(shortened(line(*(part for pair in cells for part in pair)), width))
    for title, value in long:
        parts = wrap(value, max(20, width - FACT_TITLE))
        lines += [
            line((f"{title if i == 0 else '':<{FACT_TITLE}}", "muted"), (part, "text")) for i, part in enumerate(parts)
        ]
    return lines


class BpfObjectHead(Region, Generic[LineT]):
    """The number of objects, what they cost together, and by what they are grouped."""

    def __init__(self, title: str, table: BpfObjectTable[LineT]) -> None:
        super().__init__()
        self._title = title
        self._table = table

    def cost(self, moment: Moment, lines: Sequence[LineT]) -> Sequence[tuple[str, str]]:
        """Return what the objects cost together."""
        raise NotImplementedError

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        lines = self._table.object_lines(moment)
        if not lines:
            return [()]
        parts = [(self._title, "muted"), (f"  {len(lines)}", "text"), *self.cost(moment, lines)]
        if self._table.group_by:
            parts.append((f"  by {GROUP_WORDS[self._table.group_by]}", "notice"))
        return [shortened(line(*parts), width)]


class BpfObjectsPane(Pane):
    """A pane of BPF objects: a head and a table, and the details of a row."""

    BINDINGS = bindings("group")

    def opened(self) -> None:
        self.post_message(BpfWanted(True))

    def closed(self) -> None:
        self.post_message(BpfWanted(False))

    def action_group(self) -> None:
        table = self.table()
        if isinstance(table, BpfObjectTable):
            table.group_by_next()
        self.redraw_regions()
