"""A chart of packets per second: one direction above its axis, the other below, both on one scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import compress, count, groupby, repeat

from bpftop.fields import frozen
from bpftop.model.units import si
from bpftop.tui.widgets.line import Line, Span

AXIS = 9
"""Cells of the scale at the left."""
SPAN_S = 600
_CELL_SECONDS = (1, 2, 5, 10, 15, 20, 30, 60, 120)
UPWARDS = " ▁▂▃▄▅▆▇█"
_DOWNWARDS = " ▀█"
_NICE = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)


@frozen
class Plot:
    """The values of a chart, one per cell and the newest last; None is unknown."""

    above: Sequence[float | None]
    below: Sequence[float | None] = ()
    marked: Sequence[bool] = ()
    """Cells with a cross on the axis, in which packets were lost."""
    span_s: float = SPAN_S
    cursor: int | None = None
    """Index of the cell under the cursor."""
    least: float = 1.0
    """Smallest top of the scale, so that next to nothing does not fill the chart."""
    label: Callable[[float], str] = si
    """Formats a number of the scale."""


def cell_seconds(columns: int) -> int:
    """Return how many seconds a cell stands for, so that nine minutes or more fit into ``columns`` cells."""
    return next((s for s in _CELL_SECONDS if s * columns >= 0.9 * SPAN_S), _CELL_SECONDS[-1])


def cell_count(columns: int) -> int:
    """Return how many cells the chart has: ten minutes, or a little less."""
    return min(columns, SPAN_S // cell_seconds(columns))


def chart_lines(plot: Plot, width: int, height: int) -> list[Line]:
    """Return ``height`` lines: about two thirds above the axis, and the rest below if there is a second direction."""
    below_rows = max(1, (height - 1) // 3) if plot.below else 0
    above_rows = max(1, height - 1 - below_rows)
    per_row = _per_row(plot, above_rows, below_rows)
    above = _rows(plot.above, UPWARDS, per_row, above_rows)[::-1]
    lines = [_with_label(plot, text, _label(plot, per_row, above_rows, y)) for y, text in enumerate(above)]
    lines.append(_axis(plot, width))
    for y, text in enumerate(_rows(plot.below, _DOWNWARDS, per_row, below_rows)):
        label = f"{plot.label(per_row * below_rows):>7} ┤" if y == below_rows - 1 and below_rows > 1 else "        │"
        lines.append(_with_label(plot, text, label))
    return lines


def _per_row(plot: Plot, above_rows: int, below_rows: int) -> float:
    """Return the height of a row, so that the top of the scale is a round number and everything fits."""
    highest = max(filter(None, plot.above), default=0.0)
    lowest = max(filter(None, plot.below), default=0.0)
    needed = max(highest, lowest * above_rows / below_rows if below_rows else 0.0, plot.least)
    size = 10.0 ** (math.floor(math.log10(needed)) + 1)
    top = next(nice * size / 10 for nice in _NICE if nice * size / 10 >= needed * (1 - 1e-9))
    return top / above_rows


def _label(plot: Plot, per_row: float, above_rows: int, y: int) -> str:
    """Return the scale at the left of a row: its top, and its middle where the chart is high enough."""
    middle = above_rows // 2 if above_rows >= 4 and above_rows % 2 == 0 else -1
    if y in (0, middle):
        return f"{plot.label(per_row * (above_rows - y)):>7} ┤"
    return "        │"


def _rows(values: Sequence[float | None], cells: str, per_row: float, rows: int) -> list[str]:
    """Return the texts of so many rows, the row at the axis first.

    Little is not nothing: a value above zero has at least one part of a cell.
    """
    parts = len(cells) - 1
    filled = [max(1, round(value / per_row * parts)) if value else 0 for value in values]
    columns = map(_column, filled, repeat(cells), repeat(rows))
    return ["".join(row) for row in zip(*columns, strict=True)] if filled else [""] * rows


@lru_cache(maxsize=256)
def _column(filled: int, cells: str, rows: int) -> tuple[str, ...]:
    """Return the cells of a column, the cell at the axis first. A chart has few heights, and many columns of each."""
    parts = len(cells) - 1
    return tuple([cells[max(0, min(parts, filled - distance * parts))] for distance in range(rows)])


def _with_label(plot: Plot, text: str, label: str) -> Line:
    """Return a row with its part of the scale at the left, and the cell under the cursor in another role."""
    at = plot.cursor
    if at is None or not 0 <= at < len(text):
        return Span(label, "muted"), Span(text, "trend")
    under = text[at] if text[at] != " " else "│"
    return Span(label, "muted"), Span(text[:at], "trend"), Span(under, "key"), Span(text[at + 1 :], "trend")


def _axis(plot: Plot, width: int) -> Line:
    """Return the axis with the times, and a cross at each cell with losses."""
    columns = len(plot.above)
    axis = "─" * columns
    marked = set(compress(count(), plot.marked))
    for at, label in _times(plot, columns):
        if marked.isdisjoint(range(at, at + len(label))):  # a label with crosses in it cannot be read
            axis = axis[:at] + label + axis[at + len(label) :]
    spans = [Span("      0 ┼", "muted")]
    for is_marked, run in groupby(range(columns), marked.__contains__):
        first, *rest = run
        part = axis[first : first + 1 + len(rest)]
        spans.append(Span("×" * len(part), "notice") if is_marked else Span(part, "muted"))
    return tuple(spans)


def _times(plot: Plot, columns: int) -> list[tuple[int, str]]:
    """Return the places of the times on the axis."""
    minutes = round(plot.span_s / 60)
    places = [(1, f" -{minutes} min "), (columns // 2, f" -{minutes / 2:g} min "), (columns - 4, " now")]
    if columns < 30:
        return places[-1:] if columns >= 12 else []
    return [place for place in places if columns >= 60 or place[1] != places[1][1]]
