"""All columns of one row, whole, each with its meaning: what a narrow table leaves out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

from bpftop.render.columns import clipped
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.line import Line, clean, line, wrap
from bpftop.tui.widgets.scroller import TextPanel
from bpftop.tui.widgets.table import Table

NAME_WIDTH, VALUE_WIDTH = 18, 40


class RowDetail(TextPanel):
    """Lists the columns of a row of the table that ``table`` returns."""

    def __init__(self, table: Callable[[], Table[Any] | None]) -> None:
        super().__init__()
        self._table = table

    def text_lines(self, moment: Moment, width: int) -> list[Line]:
        key, table = moment.frame.place.row, self._table()
        rows = table.rows(moment) if table is not None else None
        if table is None or rows is None or key not in rows.keys:
            return [line(("This row is not there at this moment.", "muted"))]
        (row,) = rows.build([key])
        lines: list[Line] = []
        cells = [(column, clean(column.cell(row, VALUE_WIDTH).strip())) for column in table.columns(moment)]
        value_width = min(max(len(value) for _, value in cells), (width - NAME_WIDTH) // 2)
        for column, cell in cells:
            name = clipped(column.title, NAME_WIDTH - 1)
            values = wrap(cell, value_width)
            meanings = wrap(column.help, width - NAME_WIDTH - value_width - 2)
            for title, value, meaning in zip_longest([name], values, meanings, fillvalue=""):
                lines.append(
                    line((f"{title:<{NAME_WIDTH}}", "title"), (f"{value:<{value_width}}  ", "text"), (meaning, "muted"))
                )
        return lines
