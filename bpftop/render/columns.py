"""The mechanism of all tables: what a column is, which columns fit a width, and a table as aligned text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, Literal, TypeVar

from bpftop.fields import frozen, replace
from bpftop.model.escaping import escaped_text
from bpftop.model.units import UNKNOWN, bar, factor, pct, si
from bpftop.render.cutting import cut

RowT = TypeVar("RowT")
Look = Literal["text", "name", "bar", "factor", "trend", "muted", "good", "notice", "alarm"]
"""The role of a cell; a theme gives each role a colour."""


@frozen
class Column(Generic[RowT]):
    """Title, unit, width, value and meaning of a column, declared once for the screen, the documents and the help.

    ``width`` includes ``gap``, the empty cells on the left. Cells are right-aligned, unless ``left``. ``value`` is what
    rows are sorted by, and what ``form`` formats for the cell; ``text``, where there is one, formats the cell from the
    row, for a width without the gap. Narrow screens leave out the columns of the highest ``rank`` first; wide ones
    widen a column by up to ``stretch``. ``source``: what the kernel or bpftop takes the value from.
    """

    id: str
    title: str
    unit: str
    width: int
    help: str
    value: Callable[[RowT], float | str | None]
    text: Callable[[RowT, int], str] | None = None
    form: Callable[[Any], str] = si
    rank: int = 0
    gap: int = 1
    left: bool = False
    stretch: int = 0
    look: Look | Callable[[RowT], Look] = "text"
    sortable: bool = True
    source: str = ""

    @property
    def explanation(self) -> str:
        """Return the help as a sentence, with the unit and where the numbers come from."""
        unit = f" Unit: {self.unit}." if self.unit else ""
        return f"{self.help[:1].upper()}{self.help[1:].rstrip('.')}.{unit} Source: {self.source}."

    def cell(self, row: RowT, width: int) -> str:
        """Return the text of a cell for a width without the gap."""
        return self.form(self.value(row)) if self.text is None else self.text(row, width)

    def aligned(self, text: str) -> str:
        """Pad a text to the column's own width, gap included."""
        width = self.width - self.gap
        return " " * self.gap + (text.ljust(width) if self.left else text.rjust(width))


MARK_RANK = 2
"""After `m` the factor compares with the mark, and 80 cells are enough to show it."""


def marked(columns: Sequence[Column[RowT]], mark: bool) -> tuple[Column[RowT], ...]:
    """Adapt the columns to a mark: the factor refers to the mark; the column since the mark exists only with a mark."""
    applicable = (column for column in columns if mark or column.id != "since_mark")
    return tuple(
        replace(c, title="vs mark", rank=min(c.rank, MARK_RANK)) if mark and c.id == "factor" else c for c in applicable
    )


def fitting(columns: Sequence[Column[RowT]], width: int) -> tuple[tuple[Column[RowT], int], ...]:
    """Return the columns that fit ``width``, each with its width. Columns of one rank are left out together.

    Where not even the columns of the least rank fit, the last of them are left out, except the first column.
    """
    for rank in sorted({column.rank for column in columns}, reverse=True):
        fit = [column for column in columns if column.rank <= rank]
        if sum(column.width for column in fit) <= width:
            break
    while len(fit) > 1 and sum(column.width for column in fit) > width:
        fit.pop()
    spare = max(0, width - sum(column.width for column in fit))
    result = []
    for column in fit:
        extra = min(column.stretch, spare)
        spare -= extra
        result.append((column, column.width + extra))
    return tuple(result)


def text_table(columns: Sequence[Column[RowT]], rows: Iterable[RowT]) -> Iterator[str]:
    """Format a table as lines of aligned, escaped text: the titles, then the rows, all columns at their own widths."""
    yield "".join(column.aligned(column.title) for column in columns)
    for row in rows:
        cells = (escaped_text(column.cell(row, column.width - column.gap)) for column in columns)
        yield "".join(map(Column.aligned, columns, cells))


FEW_PPS = 10.0
"""Packets per second below which a change is chance: a protocol with one packet in some seconds."""


def change_look(now: float | None, then: float | None, least: float = 0.0) -> Look:
    """Return the role of a factor: it stands out from three times as much, a third, or a start from nothing.

    Args:
        now: The value now.
        then: The value before.
        least: If both are smaller, the factor does not stand out.
    """
    if now is None or then is None or max(now, then) < least:
        return "muted"
    return "factor" if now > 0 and (now >= 3 * then or 3 * now <= then) else "muted"


def change_text(now: float | None, then: float | None) -> str:
    """Return ``1.4 x``; ``new`` where there was nothing before, and a dash where a value is unknown."""
    change = factor(now, then)
    return change if change in (UNKNOWN, "new") else f"{change} x"


def clipped(text: str, width: int) -> str:
    """Return ``text``; where it is longer than ``width``, cut at a word, if it has several, with an ellipsis."""
    if len(text) <= width:
        return text
    end, ellipsis = cut(text, width)
    return text[:end] + ellipsis


def share_text(share: float | None, width: int) -> str:
    """Format a share as a bar followed by its percentage."""
    return bar(share, width - 6) + pct(share).rjust(6)


def bits_text(bits_per_sec: float | None) -> str:
    """Format a bit rate."""
    return si(bits_per_sec, "b/s")


def size_text(size_bytes: float | None) -> str:
    """Format a mean size in whole bytes."""
    return UNKNOWN if size_bytes is None else f"{size_bytes:.0f} B"
