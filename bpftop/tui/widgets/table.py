"""Drawing a table whose columns are fields: heading, cells, sort mark, cursor, scrolling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Generic

from bpftop.render.columns import Column, RowT, fitting, marked
from bpftop.tui.view import PaneInput, View, window
from bpftop.tui.widgets.line import Line, Span, crop, line

CURSOR_BEHIND, CURSOR_BEFORE = "◂", "▸"


class TextTable(Generic[RowT]):
    """``key`` names a row for as long as it lives, so that the cursor stays on it whatever the order."""

    def __init__(self, fields: Sequence[Column[RowT]], key: Callable[[RowT], str]) -> None:
        self.fields = fields
        self.key = key
        self._columns = lru_cache(maxsize=8)(lambda width, mark: fitting(marked(fields, mark), width))

    def columns(self, frame: PaneInput, width: int) -> tuple[tuple[Column[RowT], int], ...]:
        return self._columns(width, frame.view.mark is not None)

    def sort_ids(self, frame: PaneInput, width: int) -> list[str]:
        """The columns on the screen that rows can be sorted by."""
        return [field.id for field, _ in self.columns(frame, width) if field.sortable]

    def ordered(self, rows: list[RowT], view: View) -> list[RowT]:
        """Numbers fall, names rise, ``view.reverse`` turns that round; unknown comes last. No column: as they are."""
        field = next((f for f in self.fields if f.id == view.sort), None)
        if field is None:
            return rows[::-1] if view.reverse else rows
        known = [(value, row) for row in rows if (value := field.value(row)) is not None]
        unknown = [row for row in rows if field.value(row) is None]
        falling = field.look != "name"
        known.sort(key=lambda pair: pair[0], reverse=falling != view.reverse)
        return [row for _, row in known] + unknown

    def lines(self, rows: Iterable[RowT], frame: PaneInput, width: int) -> list[Line]:
        """The heading, and a line for each of the rows."""
        columns = self.columns(frame, width)
        heading = tuple((_heading(field, cells, frame.view), "title") for field, cells in columns)
        return [heading, *(_row(row, columns, self.key(row) == frame.view.cursor) for row in rows)]


def visible(keys: Sequence[str], cursor: str, height: int) -> slice:
    """The rows that are on the screen."""
    top = window(keys, cursor, height) if len(keys) > height else 0
    return slice(top, top + height)


def rule(frame: PaneInput, keys: Sequence[str], shown: slice, kept_of: int | None) -> Line:
    """The line above a table: what is filtered, and which rows of a longer table these are."""
    says = ""
    if frame.view.filter:
        says = f" filter: {frame.view.filter} ({len(keys)} of {kept_of}) " if kept_of is not None else ""
    if len(keys) > shown.stop - shown.start:
        says += f" rows {shown.start + 1}-{min(shown.stop, len(keys))} of {len(keys)} "
    return crop(line(("──" if says else "", "muted"), (says, "notice"), ("─" * frame.width, "muted")), frame.width)


def _heading(field: Column[RowT], width: int, view: View) -> str:
    title = field.title
    if field.id == view.sort:
        rising = view.reverse != (field.look == "name")
        title = f"{'▲' if rising else '▼'}{title}"
    return f"{' ' * field.gap}{title}".ljust(width)[:width] if field.left else title.rjust(width)


def _row(row: RowT, columns: Sequence[tuple[Column[RowT], int]], chosen: bool) -> Line:
    spans: list[Span] = []
    for field, width in columns:
        cell = field.text(row, width - field.gap)
        look = field.look(row) if callable(field.look) else field.look
        spans.append((f"{' ' * field.gap}{cell}".ljust(width)[:width] if field.left else cell.rjust(width), look))
    if not chosen:
        return tuple(spans)
    (name, role), (number, number_role) = spans[:2]
    if name.startswith(" "):
        spans[0] = (CURSOR_BEFORE + name[1:], role)
    elif name.endswith(" "):
        spans[0] = (name[:-1] + CURSOR_BEHIND, role)
    else:
        spans[1] = (CURSOR_BEHIND + number[1:], number_role)
    return tuple((text, f"{role}!") for text, role in spans)
