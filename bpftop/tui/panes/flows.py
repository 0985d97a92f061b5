"""Pane 4: who talks to whom. Flows are counted only while this pane is open."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache

from bpftop.model.units import pct
from bpftop.render.flow_columns import FLOW_COLUMNS, INTERFACE, group_columns
from bpftop.render.flow_rows import FlowLine, FlowTables, GroupBy, addresses, flow_lines, flow_tables, matching_flows
from bpftop.tui.measurements.address_names import AddressLookup, AddressNames, Resolve, system_name
from bpftop.tui.panes.pane import Pane
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.header import header, notice_line
from bpftop.tui.widgets.line import Line, Span, clean, crop, line, wrap
from bpftop.tui.widgets.table import TextTable, rule, visible
from bpftop.tui.widgets.traffic_lines import direction_line

NO_PROGRAM = "Flows are not counted: no program is attached. `bpftop doctor` says what is missing."
COUNTING = "Flows are counted from now on; the first flows come with the next tick."
NOT_COUNTED = "There are no flows at this moment: flows are counted only while this pane is open."
_INTERFACE = replace(INTERFACE, text=lambda row, width: clean(INTERFACE.cell(row, width)))
_TITLES = {"flow": "5-tuple", "source": "source", "destination": "destination", "destination_port": "destination port"}


class FlowsPane(Pane):
    """A table of flows, or of groups of flows."""

    terms = (
        *((column.title, column.help) for column in FLOW_COLUMNS),
        ("flows", "Flows in the table, and the size of the table. In a full table, flows that were quiet for the "
         "longest time are replaced; flows that were silent for 60 s are left out. The pane shows 100 flows and 32 "
         "members of each group with the most packets, and as many with the most bytes. ICMP flows have no ports."),
        ("read, +ns/pkt", "Time to read the table, and the cost that it adds to a packet of a known flow, timed on "
         "a copy. A packet of a new flow costs more."),
        ("estimate, 1 in N", "Only one packet in N is counted, chosen at random, and stands for N: cheaper, but "
         "not exact, and small flows are missed."),
        ("filter", "Words that must all match: a port (443), a network (10.0.0.0/8), a protocol (udp), a part of an "
         "address or of a name."),
    )  # fmt: skip
    terms_title = "Flows"

    def lines(self, pane_input: PaneInput, height: int) -> list[Line]:
        head = [header(pane_input), *notice_line(pane_input), direction_line(pane_input, pane_input.view.direction)]
        tables = flow_tables(pane_input.snapshot, pane_input.interface, pane_input.view.direction)
        if tables is None:
            reason = [line((part, "notice")) for part in wrap(_why_none(pane_input), min(pane_input.width, 100))]
            return [*head, rule(pane_input, (), slice(0, 1), None), *reason][:height]
        head.append(_table_line(pane_input, tables))
        rows, rows_unfiltered = _rows(pane_input)
        room = max(1, height - len(head) - 2)
        keys = [row.key for row in rows]
        visible_rows = visible(keys, pane_input.view.cursor, room)
        body = _table(pane_input).lines(rows[visible_rows], pane_input, pane_input.width)
        return [*head, rule(pane_input, keys, visible_rows, rows_unfiltered), *body][:height]

    def keys(self, pane_input: PaneInput) -> list[str]:
        return [row.key for row in _rows(pane_input)[0]]

    def sort_ids(self, pane_input: PaneInput) -> list[str]:
        return _table(pane_input).sort_ids(pane_input, pane_input.width)

    def row_text(self, pane_input: PaneInput, key: str) -> str:
        rows = [row for row in _rows(pane_input)[0] if row.key == key]
        return _table(pane_input).text(rows, pane_input, max(220, pane_input.width))

    def open_measurement(self, notify: Callable[[], object], engine: Resolve | None) -> AddressLookup:
        return AddressLookup(notify, engine or system_name, _visible_addresses)


PANE = FlowsPane()


@lru_cache(maxsize=8)
def _table_of(group_by: GroupBy, with_interface: bool) -> TextTable[FlowLine]:
    columns = group_columns(group_by)
    return TextTable((_INTERFACE, *columns) if with_interface else columns, lambda row: row.key)


def _table(pane_input: PaneInput) -> TextTable[FlowLine]:
    return _table_of(pane_input.view.group_by, pane_input.shows_total)


def _names(pane_input: PaneInput) -> AddressNames:
    state = pane_input.measurement_state
    return state if isinstance(state, AddressNames) else AddressNames()


def _rows(pane_input: PaneInput) -> tuple[list[FlowLine], int]:
    """Return the rows that pass the filter, in screen order, and the number of rows without the filter."""
    view, names = pane_input.view, _names(pane_input).displayed
    rows = flow_lines(pane_input.snapshot, pane_input.interface, view.direction, view.group_by, names)
    return _table(pane_input).ordered(matching_flows(rows, view.filter), view), len(rows)


def _visible_addresses(pane_input: PaneInput) -> Iterable[str]:
    rows, _ = _rows(pane_input)
    return addresses(rows[visible([row.key for row in rows], pane_input.view.cursor, pane_input.height)])


def _table_line(pane_input: PaneInput, flow_tables: FlowTables) -> Line:
    """Return ``Flows  1 234 of 65 536 (2 %)  by 5-tuple  read 3.1 ms  +19 ns/pkt  estimate, 1 in 10``."""
    names, key = _names(pane_input), {action.id: action.first_key for action in pane_input.actions}
    details: list[Span] = [
        (f"  by {_TITLES[pane_input.view.group_by]}", "text"),
        (f" {key['group']}", "key"),
        (f"  looking up {names.pending} names" if names.enabled and names.pending else "", "notice"),
        (f"  read {flow_tables.read_ns / 1e6:.1f} ms", "muted"),
    ]
    if flow_tables.added_ns_per_packet is not None:
        details.append((f"  +{flow_tables.added_ns_per_packet} ns/pkt", "muted"))
    if flow_tables.sampled_1_in > 1:
        details.append((f"  estimate, 1 in {flow_tables.sampled_1_in}", "notice"))
    entries, size = flow_tables.entries, flow_tables.max_entries
    fill = f"{_thousands(entries)} of {_thousands(size)} ({pct(entries / size)})"
    return crop(line(("Flows", "muted"), f"  {fill}", *details), pane_input.width)


def _thousands(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _why_none(pane_input: PaneInput) -> str:
    """Return why the snapshot has no flows."""
    if pane_input.without_program:
        return NO_PROGRAM
    reasons = [reason for part, reason in pane_input.snapshot.unavailable.items() if part.startswith("flows/")]
    if reasons:
        return clean(reasons[0])
    return COUNTING if pane_input.live and pane_input.view.paused is None else NOT_COUNTED
