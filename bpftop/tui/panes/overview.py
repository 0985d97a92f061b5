"""Pane 1: what arrives, how much, on which CPU, and its protocols."""

from __future__ import annotations

from bpftop.render.rows import ProtocolLine, protocol_lines
from bpftop.render.traffic_columns import PROTOCOL_COLUMNS
from bpftop.tui.panes.pane import Pane
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.breakdown import GAP, breakdown, columns
from bpftop.tui.widgets.header import header, notice_line
from bpftop.tui.widgets.line import Line, beside, line, wrap
from bpftop.tui.widgets.loss_line import loss_lines
from bpftop.tui.widgets.table import TextTable, rule, visible
from bpftop.tui.widgets.traffic_lines import traffic_lines
from bpftop.tui.widgets.verdict import verdict_lines

TABLE: TextTable[ProtocolLine] = TextTable(PROTOCOL_COLUMNS, lambda row: row.key)
TABLE_WIDTH = 100
"""Widest table when a breakdown stands beside it."""

NO_PROGRAM = (
    "Protocols, sizes and CPUs are not counted: no program is attached. The lines above are the kernel's own counters "
    "(rtnetlink). `bpftop doctor` says what is missing."
)


class OverviewPane(Pane):
    """Traffic, losses and the verdict above a table of protocols."""

    def lines(self, pane_input: PaneInput, height: int) -> list[Line]:
        head = [header(pane_input), *notice_line(pane_input), *verdict_lines(pane_input), *loss_lines(pane_input)]
        head += traffic_lines(pane_input)
        room = max(1, height - len(head) - 2)
        if pane_input.without_program:
            reason = [line((part, "notice")) for part in wrap(NO_PROGRAM, min(pane_input.width, 100))]
            return [*head, rule(pane_input, (), slice(0, room), None), *reason][:height]
        rows, rows_unfiltered = _rows(pane_input)
        keys = [row.key for row in rows]
        visible_rows = visible(keys, pane_input.view.cursor, room)
        blocks = columns(pane_input.width, TABLE_WIDTH)
        width = _table_width(pane_input)
        body = TABLE.lines(rows[visible_rows], pane_input, width)
        if blocks:
            body = beside(body, breakdown(pane_input, blocks, room + 1), width, GAP)
        return [*head, rule(pane_input, keys, visible_rows, rows_unfiltered), *body][:height]

    def keys(self, pane_input: PaneInput) -> list[str]:
        return [] if pane_input.without_program else [row.key for row in _rows(pane_input)[0]]

    def sort_ids(self, pane_input: PaneInput) -> list[str]:
        return TABLE.sort_ids(pane_input, _table_width(pane_input))

    def row_text(self, pane_input: PaneInput, key: str) -> str:
        rows = [row for row in _rows(pane_input)[0] if row.key == key]
        return TABLE.text(rows, pane_input, TABLE_WIDTH)


PANE = OverviewPane()


def _table_width(pane_input: PaneInput) -> int:
    return TABLE_WIDTH if columns(pane_input.width, TABLE_WIDTH) else pane_input.width


def _rows(pane_input: PaneInput) -> tuple[list[ProtocolLine], int]:
    """Return the rows that pass the filter, in screen order, and the number of rows without the filter."""
    rows = protocol_lines(pane_input.past, pane_input.flags)
    words = pane_input.view.filter.lower().replace(",", " ").split()
    matching = [row for row in rows if any(word in row.name.lower() for word in words)] if words else rows
    return TABLE.ordered(matching, pane_input.view), len(rows)
