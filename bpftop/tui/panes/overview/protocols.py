"""What the traffic is made of: one row per protocol."""

from __future__ import annotations

from bpftop.model.sample import DIRECTIONS
from bpftop.render.rows import ProtocolLine, protocol_lines
from bpftop.render.traffic_columns import PROTOCOL_COLUMNS
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.table import TextTable

OBSERVER = (
    "Protocols, sizes and CPUs are not counted: no program is attached. The lines above are the kernel's own counters "
    "(rtnetlink). `bpftop doctor` says what is missing."
)

TABLE: TextTable[ProtocolLine] = TextTable(PROTOCOL_COLUMNS, lambda row: row.key)


def rows(frame: PaneInput) -> tuple[list[ProtocolLine], int]:
    """The rows that pass the filter, in the order of the screen, and how many there are without it."""
    every = protocol_lines(frame.watched, frame.past, frame.flags)
    words = frame.view.filter.lower().replace(",", " ").split()
    kept = [row for row in every if any(word in row.name.lower() for word in words)] if words else every
    return TABLE.ordered(kept, frame.view), len(every)


def observing(frame: PaneInput) -> bool:
    """No program counts either direction of what is looked at."""
    watched = frame.shown.interfaces if frame.watched is frame.shown.total else (frame.watched,)
    return all(one.traffic(d).hook.hook == "none" for one in watched for d in DIRECTIONS)
