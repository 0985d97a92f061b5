"""Pane 4: who talks to whom. Flows are counted only while it is open."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache

from bpftop.model.units import pct
from bpftop.render.flow_columns import FLOW_COLUMNS, INTERFACE, group_columns
from bpftop.render.flow_rows import FlowLine, FlowTables, GroupBy, addresses, flow_lines, kept, tables
from bpftop.tui.panes.flows.names import Names, NamesDesk, Resolve, system_name
from bpftop.tui.panes.overview.links import direction_line
from bpftop.tui.panes.overview.protocols import observing
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.header import header, notice_line
from bpftop.tui.widgets.line import Line, Span, clean, crop, line, text, wrap
from bpftop.tui.widgets.table import TextTable, rule, visible

OBSERVER = "Flows are not counted: no program is attached. `bpftop doctor` says what is missing."
LIVE = "Flows are counted from now on; the first ones come with the next tick."
NOT_HERE = "There are no flows at this moment: they are counted only while this pane is open."
_INTERFACE = replace(INTERFACE, text=lambda row, width: clean(INTERFACE.text(row, width)))
_TITLES = {"flow": "5-tuple", "source": "source", "destination": "destination", "destination_port": "destination port"}

TERMS = (
    *((column.title, column.help) for column in FLOW_COLUMNS),
    ("flows", "Flows in the table, of how many it has room for. When it is full, those that were not seen for the "
     "longest time give way; those that were idle for 60 s are removed. 100 flows and 32 members of each group with "
     "the most packets are shown, and as many with the most bytes. ICMP goes by its addresses alone."),
    ("read, +ns/pkt", "What reading the table took, and what it adds to a packet of a flow that is known, timed on "
     "a copy. A packet of a flow that is new costs more."),
    ("estimate, 1 in N", "Only one packet of N is counted, chosen at random, and stands for N: cheaper, and no longer "
     "exact; small flows are missed."),
    ("filter", "Words that all must fit: a port (443), a network (10.0.0.0/8), a protocol (udp), a part of an address "
     "or of a name."),
)  # fmt: skip
"""For the help, while this pane is behind it."""


def open_desk(tell: Callable[[], None], engine: Resolve | None) -> NamesDesk:
    """Where names are asked for; the system's resolver unless another one is handed in."""
    return NamesDesk(tell, engine or system_name, _visible_addresses)


def lines(frame: PaneInput, height: int) -> list[Line]:
    """The pane in ``height`` lines."""
    head = [header(frame), *notice_line(frame), direction_line(frame, frame.view.direction)]
    found = tables(frame.shown, frame.watched, frame.view.direction)
    if found is None:
        said = wrap(_why_none(frame), min(frame.width, 100))
        return [*head, rule(frame, (), slice(0, 1), None), *(line((part, "notice")) for part in said)][:height]
    head.append(_table_line(frame, found))
    rows, every = _rows(frame)
    room = max(1, height - len(head) - 2)
    keys = [row.key for row in rows]
    shown = visible(keys, frame.view.cursor, room)
    return [*head, rule(frame, keys, shown, every), *_table(frame).lines(rows[shown], frame, frame.width)][:height]


def keys(frame: PaneInput) -> list[str]:
    """The rows a cursor can be on, in order."""
    return [row.key for row in _rows(frame)[0]]


def sort_ids(frame: PaneInput) -> list[str]:
    return _table(frame).sort_ids(frame, frame.width)


def row_text(frame: PaneInput, key: str) -> str:
    """The row as text, with its heading, for the clipboard."""
    found = [row for row in _rows(frame)[0] if row.key == key]
    return "\n".join(text(one).rstrip() for one in _table(frame).lines(found, frame, max(140, frame.width)))


@lru_cache(maxsize=8)
def _table_of(by: GroupBy, many: bool) -> TextTable[FlowLine]:
    return TextTable((_INTERFACE, *group_columns(by)) if many else group_columns(by), lambda row: row.key)


def _table(frame: PaneInput) -> TextTable[FlowLine]:
    return _table_of(frame.view.group_by, frame.many and frame.watched is frame.shown.total)


def _names(frame: PaneInput) -> Names:
    return frame.desk if isinstance(frame.desk, Names) else Names()


def _rows(frame: PaneInput) -> tuple[list[FlowLine], int]:
    """The rows that pass the filter, in the order of the screen, and how many there are without it."""
    view = frame.view
    every = flow_lines(frame.shown, frame.watched, view.direction, view.group_by, _names(frame).to_show)
    return _table(frame).ordered(kept(every, view.filter), view), len(every)


def _visible_addresses(frame: PaneInput) -> Iterable[str]:
    rows, _ = _rows(frame)
    return addresses(rows[visible([row.key for row in rows], frame.view.cursor, frame.height)])


def _table_line(frame: PaneInput, found: FlowTables) -> Line:
    """``Flows  1 234 of 65 536 (2 %)  by 5-tuple  read 3.1 ms  +19 ns/pkt  estimate, 1 in 10``."""
    names, key = _names(frame), {action.id: action.first_key for action in frame.actions}
    more: list[Span] = [
        (f"  by {_TITLES[frame.view.group_by]}", "text"),
        (f" {key['group']}", "key"),
        (f"  {names.pending} names asked for" if names.shown and names.pending else "", "notice"),
        (f"  read {found.read_ns / 1e6:.1f} ms", "muted"),
    ]
    if found.added_ns_per_packet is not None:
        more.append((f"  +{found.added_ns_per_packet} ns/pkt", "muted"))
    if found.sampled_1_in > 1:
        more.append((f"  estimate, 1 in {found.sampled_1_in}", "notice"))
    fill = f"{_thousands(found.entries)} of {_thousands(found.max_entries)} ({pct(found.entries / found.max_entries)})"
    return crop(line(("Flows", "muted"), f"  {fill}", *more), frame.width)


def _thousands(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _why_none(frame: PaneInput) -> str:
    if observing(frame):
        return OBSERVER
    reasons = [reason for part, reason in frame.shown.unavailable.items() if part.startswith("flows/")]
    if reasons:
        return clean(reasons[0])
    return LIVE if frame.live and frame.view.paused is None else NOT_HERE
