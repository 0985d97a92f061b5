"""Tables of text: heading, cells, sort mark, cursor, scrolling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Generic

from bpftop.render.columns import Column, RowT, fitting, marked
from bpftop.tui.view import PaneInput, View, first_visible
from bpftop.tui.widgets.line import Line, Span, crop, line, text

CURSOR_BEHIND, CURSOR_BEFORE = "◂", "▸"


class TextTable(Generic[RowT]):
    """Draws rows in columns.

    Args:
        all_columns: The columns; a narrow screen drops some by their rank.
        key: Returns the permanent key of a row, so that the cursor stays on its row in every sort order.
    """

    def __init__(self, all_columns: Sequence[Column[RowT]], key: Callable[[RowT], str]) -> None:
        self.all_columns = all_columns
        self.key = key
        self._columns = lru_cache(maxsize=8)(lambda width, mark: fitting(marked(all_columns, mark), width))

    def columns(self, pane_input: PaneInput, width: int) -> tuple[tuple[Column[RowT], int], ...]:
        """Return the columns that fit, each with its width."""
        return self._columns(width, pane_input.view.mark is not None)

    def sort_ids(self, pane_input: PaneInput, width: int) -> list[str]:
        """Return the ids of the visible columns that rows can be sorted by."""
        return [column.id for column, _ in self.columns(pane_input, width) if column.sortable]

    def ordered(self, rows: list[RowT], view: View) -> list[RowT]:
        """Return the rows in the view's order: numbers fall, names rise, unknown values come last."""
        column = next((f for f in self.all_columns if f.id == view.sort), None)
        if column is None:
            return rows[::-1] if view.reverse else rows
        known = [(value, row) for row in rows if (value := column.value(row)) is not None]
        unknown = [row for row in rows if column.value(row) is None]
        falling = column.look != "name"
        known.sort(key=lambda pair: pair[0], reverse=falling != view.reverse)
        return [row for _, row in known] + unknown

    def lines(self, rows: Iterable[RowT], pane_input: PaneInput, width: int) -> list[Line]:
        """Return the heading and one line per row."""
        columns = self.columns(pane_input, width)
        heading = tuple((_heading(column, cells, pane_input.view), "title") for column, cells in columns)
        return [heading, *(_row(row, columns, self.key(row) == pane_input.view.cursor) for row in rows)]

    def text(self, rows: Iterable[RowT], pane_input: PaneInput, width: int) -> str:
        """Return the heading and the rows as text for the clipboard."""
        return "\n".join(text(spans).rstrip() for spans in self.lines(rows, pane_input, width))


def visible(keys: Sequence[str], cursor: str, height: int) -> slice:
    """Return the slice of the rows that are on the screen."""
    top = first_visible(keys, cursor, height) if len(keys) > height else 0
    return slice(top, top + height)


def rule(pane_input: PaneInput, keys: Sequence[str], visible_rows: slice, rows_unfiltered: int | None) -> Line:
    """Return the line above a table, which names the filter and the visible part of a longer table.

    Args:
        keys: Keys of the rows that pass the filter.
        visible_rows: The rows on the screen.
        rows_unfiltered: Number of rows without the filter; None hides the filter.
    """
    note, height = "", visible_rows.stop - visible_rows.start
    if pane_input.view.filter and rows_unfiltered is not None:
        note = f" filter: {pane_input.view.filter} ({len(keys)} of {rows_unfiltered}) "
    if len(keys) > height:
        note += f" rows {visible_rows.start + 1}-{min(visible_rows.stop, len(keys))} of {len(keys)} "
    width = pane_input.width
    return crop(line(("──" if note else "", "muted"), (note, "notice"), ("─" * width, "muted")), width)


def cell(column: Column[RowT], content: str, width: int) -> str:
    """Return the content aligned in a column of ``width`` cells."""
    return f"{' ' * column.gap}{content}".ljust(width)[:width] if column.left else content.rjust(width)


def selected(spans: Sequence[Span]) -> Line:
    """Return the spans of a row with the cursor in the first free cell."""
    (name, role), (number, number_role), *rest = spans
    if name.startswith(" "):
        name = CURSOR_BEFORE + name[1:]
    elif name.endswith(" "):
        name = name[:-1] + CURSOR_BEHIND
    else:
        number = CURSOR_BEHIND + number[1:]
    return tuple((text, f"{role}!") for text, role in ((name, role), (number, number_role), *rest))


def _heading(column: Column[RowT], width: int, view: View) -> str:
    title = column.title
    if column.id == view.sort:
        rising = view.reverse != (column.look == "name")
        title = f"{'▲' if rising else '▼'}{title}"
    return cell(column, title, width)


def _row(row: RowT, columns: Sequence[tuple[Column[RowT], int]], is_selected: bool) -> Line:
    spans = [
        (
            cell(column, column.cell(row, width - column.gap), width),
            column.look(row) if callable(column.look) else column.look,
        )
        for column, width in columns
    ]
    return selected(spans) if is_selected else tuple(spans)
