"""Pane 4: who talks to whom. All flows are counted only while this pane is open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from textual.widget import Widget

from bpftop.fields import replace
from bpftop.model.sample import DIRECTIONS
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot
from bpftop.model.units import pct
from bpftop.render.columns import Column
from bpftop.render.flows.flow_columns import FLOW_COLUMNS, INTERFACE, group_columns
from bpftop.render.flows.flow_pairs import PAIR_GROUPS, PairBy
from bpftop.render.flows.flow_readings import FlowTables, flow_tables
from bpftop.render.flows.flow_table import FlowRow, FlowView, addresses, flow_view, matching_flows
from bpftop.tui.bindings import bindings
from bpftop.tui.measurements.address_names import AddressLookup, system_name
from bpftop.tui.messages import FlowsWanted
from bpftop.tui.moment import Moment
from bpftop.tui.panes.pane import Pane
from bpftop.tui.widgets.line import Line, Span, clean, line, shortened
from bpftop.tui.widgets.region import Region
from bpftop.tui.widgets.table import Rows, Table
from bpftop.tui.widgets.traffic import direction_line

NO_PROGRAM = "Flows are not counted: no program is attached. `bpftop doctor` says what is missing."
COUNTING = "Flows are counted from now on; the first flows come with the next tick."
NO_SENTENCE = "no port has half of what is received"
REST_KEY = "#rest"
"""Key of the row of all others, which cannot be selected."""
NOT_COUNTED = "There are no flows at this moment: all flows are counted only while this pane is open."
NOT_RECORDED = (
    "This recording has no flows at this moment. `bpftop record` keeps the busiest flows, `r` once pane 4 was opened."
)
_INTERFACE = replace(INTERFACE, text=lambda row, width: clean(INTERFACE.cell(row, width)))
_TITLES: Mapping[PairBy, str] = {
    "flow": "flow",
    "address": "address",
    "port": "port",
    "process": "process",
    "container": "container or unit",
}
_SAMPLE_RATES = {1: 10, 10: 100, 100: 1}


class FlowsTable(Table[FlowRow]):
    """The busiest flows with both directions in a row, or groups of flows; the last row is all others."""

    def __init__(self, lookup: AddressLookup) -> None:
        super().__init__()
        self.group_by: PairBy = "flow"
        self.lookup = lookup
        self._made: tuple[Snapshot, InterfaceSnapshot, PairBy, Mapping[str, str], FlowView] | None = None

    def columns(self, moment: Moment) -> Sequence[Column[FlowRow]]:
        return _columns(self.group_by, moment.shows_total and self.group_by == "flow")

    def rows(self, moment: Moment) -> Rows[FlowRow]:
        if _tables(moment) is None:
            return Rows.of([], lambda row: row.key)
        view = self.view(moment)
        matching = self.ordered(matching_flows(view.rows, self.filter), moment)
        others = [] if self.filter or not view.rows else [view.rest]  # beside some of the rows it would be no rest
        return Rows.of([*matching, *others], lambda row: REST_KEY if row is view.rest else row.key, len(view.rows))

    def view(self, moment: Moment) -> FlowView:
        """Return the rows without the filter; made once for each snapshot."""
        names, snapshot, interface = self.lookup.state.displayed, moment.snapshot, moment.interface
        made = self._made
        if made is None or made[0] is not snapshot or made[1] is not interface or made[2:4] != (self.group_by, names):
            view = flow_view(snapshot, interface, self.group_by, names, moment.history.flow_trends)
            made = self._made = snapshot, interface, self.group_by, names, view
        return made[4]

    def empty(self, moment: Moment) -> str:
        return _why_none(moment)

    def row_title(self, key: str) -> str:
        rows = list(self.rows(self.moment).build([key])) if self.moment else []
        return clean(rows[0].pair.name) if rows else key

    def row_text(self, key: str, width: int) -> str:
        return super().row_text(key, max(300, width))

    def visible_addresses(self) -> list[str]:
        """Return the addresses on the screen."""
        if self.moment is None:
            return []
        with self.moment.lock:
            rows = self.rows(self.moment)
            return addresses(list(rows.build(rows.keys[self.top : self.top + self.room])))

    def group_by_next(self) -> None:
        """Group by the next property."""
        self.group_by = PAIR_GROUPS[(PAIR_GROUPS.index(self.group_by) + 1) % len(PAIR_GROUPS)]
        self.cursor, self.sort, self.reverse = "", "", False
        self.redraw()


class FlowSummary(Region):
    """The direction, how full the table of flows is and what it costs, and what most packets have in common."""

    def __init__(self, table: FlowsTable) -> None:
        super().__init__()
        self._table = table

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        tables = _tables(moment)
        lines = [direction_line(moment, moment.direction, width)]
        if tables is None:
            return lines
        sentence = clean(self._table.view(moment).sentence)
        none = NO_SENTENCE if tables.entries else ""
        said = [Span(sentence or none, "name" if sentence else "muted")]
        unnamed = _why(moment, "flow_sockets/")
        if unnamed:
            said.append(Span(f"{'  ' if said[0].text else ''}{unnamed}", "notice"))
        return [*lines, self._table_line(moment, tables, width), shortened(said, width)]

    def _table_line(self, moment: Moment, tables: FlowTables, width: int) -> Line:
        """Return ``Flows  1 234 of 65 536 (2 %)  by flow  read 3.1 ms  +19 ns a packet  estimate, 1 in 10``."""
        names, key = self._table.lookup.state, moment.frame.key_of("group")
        entries, size = tables.entries, tables.max_entries
        spans = [
            *line(("Flows", "muted"), f"  {_thousands(entries)} of {_thousands(size)} ({pct(entries / size)})"),
            Span(f"  by {_TITLES[self._table.group_by]}", "text", "group"),
            Span(f" {key}", "key", "group"),
        ]
        if names.enabled and names.pending:
            spans.append(Span(f"  looking up {names.pending} names", "notice"))
        if tables.sampled_1_in > 1:
            spans.append(Span(f"  estimate, 1 in {tables.sampled_1_in}", "notice"))
        if tables.added_ns_per_packet is not None:
            spans.append(Span(f"  +{tables.added_ns_per_packet} ns a packet", "muted"))
        spans.append(Span(f"  read in {tables.read_ns / 1e6:.1f} ms", "muted"))
        while sum(len(span.text) for span in spans) > width:
            spans.pop()
        return shortened(spans, width)


class FlowsPane(Pane):
    """A table of flows, or of groups of flows."""

    DEFAULT_CSS = """
    FlowsPane FlowSummary { height: 3; }
    FlowsPane FlowsTable { height: 1fr; }
    """
    BINDINGS = bindings("group", "names", "sample")
    source = (
        "The table of flows in the counting program, read once a tick while this pane is open; "
        "processes from /proc, TCP figures from sock_diag."
    )
    hints = (("choose", "details"), ("group", "group"), ("names", "names"), ("pause", "pause"), ("filter", "filter"),
             ("sort", "sort"), ("sample", "1 in N"), ("direction", "RX/TX"))  # fmt: skip
    columns = FLOW_COLUMNS
    terms = (
        ("flows", "Flows in the table, and the size of the table. In a full table, flows that were quiet for the "
         "longest time are replaced; flows that were silent for 60 s are left out. The pane shows the 100 flows "
         "of each direction with the most packets, and those with the most bytes; groups by address or port are of all "
         "flows in the table. ICMP flows have no ports."),
        ("read, +ns a packet", "Time to read the table, and the cost that it adds to a packet of a known flow, timed "
         "on a copy. A packet of a new flow costs more."),
        ("estimate, 1 in N", "Only one packet in N is counted, chosen evenly, and stands for N: cheaper, but "
         "not exact, and small flows are missed."),
        ("filter", "Words that must all match: a port (443), a network (10.0.0.0/8), a protocol (udp), a part of an "
         "address, of a name, of a process or of a container."),
        ("(all others)", "What the interface carries beyond the rows, so that the shares add up to 100 %."),
    )  # fmt: skip

    def compose_list(self) -> Iterator[Widget]:
        self._lookup = AddressLookup(self.redraw_soon, self.engines.get("names") or system_name)
        self._sample_1_in = 1
        self._flows = FlowsTable(self._lookup)
        yield from (FlowSummary(self._flows), self._flows)

    def table(self) -> FlowsTable:
        return self._flows

    def opened(self) -> None:
        self.post_message(FlowsWanted(self._sample_1_in))

    def closed(self) -> None:
        self.post_message(FlowsWanted(0))

    def on_unmount(self) -> None:
        self._lookup.close()

    def action_group(self) -> None:
        self._flows.group_by_next()
        self.redraw_regions()

    def action_names(self) -> None:
        self._lookup.look_up(self._flows.visible_addresses())
        self.redraw_regions()

    def action_sample(self) -> None:
        self._sample_1_in = _SAMPLE_RATES[self._sample_1_in]
        self.opened()


@lru_cache(maxsize=8)
def _columns(group_by: PairBy, with_interface: bool) -> tuple[Column[FlowRow], ...]:
    columns = group_columns(group_by)
    return (_INTERFACE, *columns) if with_interface else tuple(columns)


def _tables(moment: Moment) -> FlowTables | None:
    """Return the table of the selected direction, or of the direction that is counted."""
    directions = (moment.direction, *(each for each in DIRECTIONS if each != moment.direction))
    tables = (flow_tables(moment.snapshot, moment.interface, each) for each in directions)
    return next((each for each in tables if each is not None), None)


def _thousands(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _why(moment: Moment, parts: str) -> str:
    """Return why parts of a kind are not known; empty if they are."""
    reasons = (reason for part, reason in moment.snapshot.unavailable.items() if part.startswith(parts))
    return clean(next(reasons, ""))


def _why_none(moment: Moment) -> str:
    """Return why the snapshot has no flows."""
    if moment.without_program:
        return NO_PROGRAM
    reason = _why(moment, "flows/")
    if reason:
        return reason
    if not moment.live:
        return NOT_RECORDED
    return COUNTING if moment.choices.paused is None else NOT_COUNTED
