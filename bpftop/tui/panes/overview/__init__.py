"""Pane 1: what arrives, how much, on which CPU, and what it is made of."""

from __future__ import annotations

from bpftop.tui.panes.overview.breakdown import GAP, breakdown, columns
from bpftop.tui.panes.overview.links import links
from bpftop.tui.panes.overview.losses import loss_line
from bpftop.tui.panes.overview.protocols import OBSERVER, TABLE, observing, rows
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.header import header, notice_line
from bpftop.tui.widgets.line import Line, beside, line, text, wrap
from bpftop.tui.widgets.table import rule, visible
from bpftop.tui.widgets.verdict import verdict_lines

TABLE_WIDTH = 100
"""With a breakdown beside it the table gets no wider than this."""


def lines(frame: PaneInput, height: int) -> list[Line]:
    """The pane in ``height`` lines."""
    head = [header(frame), *notice_line(frame), *verdict_lines(frame), loss_line(frame), *links(frame)]
    room = max(1, height - len(head) - 2)
    if observing(frame):
        said = wrap(OBSERVER, min(frame.width, 100))
        return [*head, rule(frame, (), slice(0, room), None), *(line((part, "notice")) for part in said)][:height]
    found, every = rows(frame)
    keys = [row.key for row in found]
    shown = visible(keys, frame.view.cursor, room)
    blocks = columns(frame.width, TABLE_WIDTH)
    width = TABLE_WIDTH if blocks else frame.width
    drawn = TABLE.lines(found[shown], frame, width)
    if blocks:
        drawn = beside(drawn, breakdown(frame, blocks, room + 1), width, GAP)
    return [*head, rule(frame, keys, shown, every), *drawn][:height]


def keys(frame: PaneInput) -> list[str]:
    """The rows a cursor can be on, in order."""
    return [] if observing(frame) else [row.key for row in rows(frame)[0]]


def sort_ids(frame: PaneInput) -> list[str]:
    return TABLE.sort_ids(frame, TABLE_WIDTH if columns(frame.width, TABLE_WIDTH) else frame.width)


def row_text(frame: PaneInput, key: str) -> str:
    """The row as text, with its heading, for the clipboard."""
    found = [row for row in rows(frame)[0] if row.key == key]
    return "\n".join(text(drawn).rstrip() for drawn in TABLE.lines(found, frame, TABLE_WIDTH))
