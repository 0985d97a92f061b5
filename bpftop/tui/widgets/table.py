"""Tables: titles that sort, rows that can be selected, and only the rows on the screen are built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Generic

from textual import events
from textual.message import Message

from bpftop.fields import field, frozen
from bpftop.render.columns import Column, RowT, clipped, fitting, marked
from bpftop.tui.bindings import bindings
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.line import Line, Span, clean, line, shortened, text, wrapped
from bpftop.tui.widgets.prompt import PromptLine
from bpftop.tui.widgets.scroller import Scroller

CURSOR_BEHIND, CURSOR_BEFORE = "◂", "▸"
FALLING, RISING = "▼", "▲"


@frozen
class ReadyLine:
    """A line among the rows that has no cells. With a key that begins with ``#`` it cannot be selected: a heading."""

    key: str
    line: Line


@frozen
class Rows(Generic[RowT]):
    """The rows of a table in the order of the screen.

    ``build`` returns the rows of some keys: 512 CPUs have keys, and only the rows on the screen are built. The keys of
    ``ready`` have lines in place of rows.
    """

    keys: Sequence[str]
    build: Callable[[Sequence[str]], Iterable[RowT]]
    unfiltered: int = 0
    """Number of rows without the filter."""
    ready: Mapping[str, Line] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[RowT | ReadyLine], key: Callable[[RowT], str], unfiltered: int = 0) -> Rows[RowT]:
        """Return rows that are built already."""
        by_key: dict[str, RowT] = {}
        ready: dict[str, Line] = {}
        keys: dict[str, None] = {}
        for row in rows:
            if isinstance(row, ReadyLine):
                ready[row.key] = row.line
                keys[row.key] = None
            else:
                by_key[key(row)] = row
                keys[key(row)] = None
        return cls(list(keys), lambda wanted: [by_key[each] for each in wanted], unfiltered or len(keys), ready)


class Table(Scroller, Generic[RowT]):
    """A table of rows.

    The cursor stays on its row in every order; ``cursor`` is the row's key, empty while no row is selected. A narrow
    screen drops columns by their rank. ``sort`` is the id of the column to sort by; empty: the table's own order.
    """

    BINDINGS = bindings("sort", "reverse", "choose", "filter")
    columns_are_chosen: ClassVar[bool] = True
    """True for the table of a pane whose columns a person may choose: COLUMN_TABLES."""
    caption_lines: ClassVar[int] = 0

    class _OfRow(Message):
        def __init__(self, table: Table[Any], key: str) -> None:
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> Table[Any]:
            return self.table

    class Chosen(_OfRow):
        """The person pressed enter on a row, or clicked on the selected row."""

    class Selected(_OfRow):
        """Another row, or none, is selected."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.cursor, self.sort, self.reverse, self.filter = "", "", False, ""
        self._keys: Sequence[str] = ()

    @property
    def heading_lines(self) -> int:
        """Return the number of lines above the rows: the caption, what the filter is, and the titles."""
        return self.caption_lines + (2 if self.filter else 1)

    def caption(self, moment: Moment, width: int) -> Sequence[Line]:
        """Return ``caption_lines`` lines that stand above everything else."""
        return ()

    def columns(self, moment: Moment) -> Sequence[Column[RowT]]:
        """Return all columns."""
        raise NotImplementedError

    def rows(self, moment: Moment) -> Rows[RowT]:
        """Return the rows that pass the filter of the pane, in the order that ``sort`` and ``reverse`` say."""
        raise NotImplementedError

    def empty(self, moment: Moment) -> str:
        """Return the sentence in place of the rows while there are none."""
        return "nothing"

    def row_title(self, key: str) -> str:
        """Return what the row is called in the way to its details."""
        return key

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        rows = self.rows(moment)
        self._keys = rows.keys
        self.clamp_top(len(rows.keys))
        columns = self.fitting_columns(moment, width)
        titles = tuple([Span(self._title(column, cells), "title") for column, cells in columns])
        on_screen = rows.keys[self.top : self.top + self.room]
        lines = self._lines(rows, on_screen, columns)
        if not lines:
            empty = f"no row matches {self.filter}" if self.filter and rows.unfiltered else self.empty(moment)
            lines = wrapped(empty, "muted", min(width, 100))
        heading: list[Line] = [titles]
        if self.filter:
            count = f"{len(rows.keys)} of {rows.unfiltered} rows"
            heading.insert(0, shortened(line((f"filter: {clean(self.filter)}", "notice", "filter"),
                                             (f"   {count}, esc ends the filter", "muted")), width))  # fmt: skip
        return self.with_bar([*self.caption(moment, width), *heading, *lines], width)

    def row_text(self, key: str, width: int) -> str:
        """Return the titles and a row as text for the clipboard; empty if there is no such row."""
        moment = self.moment
        if moment is None:
            return ""
        with moment.lock:
            rows = self.rows(moment)
            if key not in rows.keys:
                return ""
            columns = self.fitting_columns(moment, max(width, self.size.width))
            titles = "".join(self._title(column, cells) for column, cells in columns)
            (spans,) = self._lines(rows, [key], columns, mark=False)
            return f"{titles.rstrip()}\n{text(spans).rstrip()}"

    def ordered(self, rows: Sequence[RowT], moment: Moment) -> list[RowT]:
        """Return the rows in order: numbers fall, names rise, unknown values come last."""
        column = next((c for c in self.columns(moment) if c.id == self.sort), None)
        if column is None:
            return list(rows[::-1] if self.reverse else rows)
        known = [(value, row) for row in rows if (value := column.value(row)) is not None]
        unknown = [row for row in rows if column.value(row) is None]
        falling = column.look != "name"
        known.sort(key=lambda pair: pair[0], reverse=falling != self.reverse)
        return [row for _, row in known] + unknown

    def sort_ids(self, moment: Moment) -> list[str]:
        """Return the ids of the columns on the screen that rows can be sorted by."""
        return [column.id for column, _ in self.fitting_columns(moment) if column.sortable]

    def select(self, key: str) -> None:
        """Select a row, and scroll to it; an empty key selects none."""
        self.cursor = key
        self.bring_into_view(key)
        self.redraw()
        self.post_message(self.Selected(self, key))

    def bring_into_view(self, key: str) -> None:
        """Scroll as little as needed to have the row on the screen."""
        if key in self._keys:
            at = self._keys.index(key)
            with_heading = at - 1 if at and self._keys[at - 1].startswith("#") else at
            with_last = at + 1 if [key[:1] for key in self._keys[at + 1 :]] == ["#"] else at
            self.top = max(min(self.top, with_heading), with_last - self.room + 1)

    def sort_by(self, column_id: str, reverse: bool = False) -> None:
        """Sort by a column; empty: the table's own order."""
        self.sort, self.reverse, self.top = column_id, reverse, 0
        self.redraw()
        if self.cursor:
            self.bring_into_view(self.cursor)
            self.redraw()

    def filter_by(self, text: str) -> None:
        """Show only the rows that match the text."""
        self.filter = text.strip()
        self.top = 0
        self.redraw()

    def step_back(self) -> bool:
        """End the selection, else the filter. Return False if there is neither."""
        if self.cursor:
            self.select("")
        elif self.filter:
            self.filter_by("")
        else:
            return False
        return True

    def words(self) -> list[str]:
        """Return the words of the filter in lower case."""
        return self.filter.lower().replace(",", " ").split()

    def on_click(self, event: events.Click) -> None:
        event.stop()
        if event.y < self.heading_lines:
            if event.y == self.heading_lines - 1:
                self._title_clicked(event.x)
            return
        at = self.top + event.y - self.heading_lines
        key = self._keys[at] if at < len(self._keys) else ""
        if key and key == self.cursor:
            self.action_choose()
        elif key and not key.startswith("#"):
            self.select(key)

    def _title_clicked(self, x: int) -> None:
        if self.moment is None:
            return
        for column, cells in self.fitting_columns(self.moment):
            x -= cells
            if x < 0:
                if column.sortable:
                    self.sort_by(column.id, column.id == self.sort and not self.reverse)
                return

    def action_first(self) -> None:
        self._go(self._selectable()[:1])

    def action_last(self) -> None:
        self._go(self._selectable()[-1:])

    def action_sort(self) -> None:
        """Sort by the column after the current one; after the last column, in the table's own order."""
        if self.moment is not None:
            ring = ["", *self.sort_ids(self.moment)]
            at = ring.index(self.sort) if self.sort in ring else 0
            self.sort_by(ring[(at + 1) % len(ring)])

    def action_reverse(self) -> None:
        self.sort_by(self.sort, not self.reverse)

    async def action_filter(self) -> None:
        """Filter the rows while the person types."""

        def done(text: str | None) -> None:
            self.filter_by(text or "")
            self.screen.set_focus(self, scroll_visible=False)

        await self.screen.query_one(PromptLine).ask("/", self.filter, self.filter_by, done)

    def action_choose(self) -> None:
        if not self.cursor:
            self.action_first()
        if self.cursor:
            self.post_message(self.Chosen(self, self.cursor))

    def _selectable(self) -> list[str]:
        return [key for key in self._keys if not key.startswith("#")]

    def _go(self, keys: Sequence[str]) -> None:
        self.select(keys[0] if keys else "")

    def move(self, lines: int) -> None:
        """Move the cursor by some rows. The first step selects the first row on the screen."""
        keys = self._selectable()
        if self.cursor in keys:
            self._go([keys[max(0, min(len(keys) - 1, keys.index(self.cursor) + lines))]])
        else:
            self._go([key for key in self._keys[self.top :] if key in keys][:1])

    def fitting_columns(self, moment: Moment, width: int | None = None) -> tuple[tuple[Column[RowT], int], ...]:
        """Return the columns that fit the table (or ``width`` cells), each with its width."""
        cells = (self.size.width if width is None else width) - 1  # the bar at the right edge
        return _fitting(self._chosen_columns(moment), cells, moment.mark is not None)

    def _chosen_columns(self, moment: Moment) -> tuple[Column[RowT], ...]:
        """Return the columns that the person chose for the pane, if this is the table that they are of; else all."""
        columns = tuple(self.columns(moment))
        chosen = moment.choices.columns.get(moment.frame.place.pane)
        if chosen is None or not self.columns_are_chosen:
            return columns
        return (*columns[:1], *(column for column in columns[1:] if column.id in chosen))

    def _title(self, column: Column[RowT], width: int) -> str:
        title = column.title
        if column.id == self.sort:
            title = f"{RISING if self.reverse != (column.look == 'name') else FALLING}{title}"
        return cell(column, title, width)

    def row_spans(self, row: RowT, columns: Sequence[tuple[Column[RowT], int]]) -> Line:
        """Return the cells of a row."""
        cells = [
            Span(
                cell(column, column.cell(row, width - column.gap), width),
                column.look(row) if callable(column.look) else column.look,
            )
            for column, width in columns
        ]
        return tuple(cells)

    def _lines(
        self, rows: Rows[RowT], keys: Sequence[str], columns: Sequence[tuple[Column[RowT], int]], *, mark: bool = True
    ) -> list[Line]:
        """Return the lines of some rows; ``mark``: the row with the cursor is marked."""
        with_cells = [key for key in keys if key not in rows.ready]
        built = rows.build(with_cells)
        spans = {key: self.row_spans(row, columns) for key, row in zip(with_cells, built, strict=True)}
        lines = [spans[key] if key in spans else rows.ready[key] for key in keys]
        return [selected(each) if mark and key == self.cursor else each for key, each in zip(keys, lines, strict=True)]


@lru_cache(maxsize=64)
def _fitting(columns: tuple[Column[RowT], ...], width: int, mark: bool) -> tuple[tuple[Column[RowT], int], ...]:
    return fitting(marked(columns, mark), width)


def cell(column: Column[RowT], content: str, width: int) -> str:
    """Return the content aligned in a column of ``width`` cells."""
    if not column.left:
        return content.rjust(width)
    return f"{' ' * column.gap}{clipped(content, width - column.gap)}".ljust(width)


def selected(spans: Line) -> Line:
    """Return the spans of a row with the cursor in the first free cell."""
    (name, role, _), (number, number_role, _), *rest = spans
    if name.startswith(" "):
        name = CURSOR_BEFORE + name[1:]
    elif name.endswith(" "):
        name = name[:-1] + CURSOR_BEHIND
    else:
        number = CURSOR_BEHIND + number[1:]
    marked_spans = (Span(name, role), Span(number, number_role), *rest)
    return tuple(span._replace(role=f"{span.role}!") for span in marked_spans)
