"""Pane 1: losses, received and sent packets, their CPUs, protocols and sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from textual.widget import Widget

from bpftop.model.snapshot import TOTAL, InterfaceSnapshot
from bpftop.render.columns import Column
from bpftop.render.interface_columns import INTERFACE_COLUMNS, InterfaceLine, interface_line
from bpftop.render.traffic_columns import PROTOCOL_COLUMNS
from bpftop.render.traffic_rows import ProtocolLine, protocol_lines
from bpftop.tui.messages import GoTo, InterfaceRequested, TopFlowsWanted
from bpftop.tui.moment import Moment, Place, listed
from bpftop.tui.panes.pane import Pane
from bpftop.tui.widgets.breakdown import BLOCK, GAP, Breakdown
from bpftop.tui.widgets.covered import CoveredHorizontal, CoveredVertical
from bpftop.tui.widgets.cpu_overview import CpuOverview
from bpftop.tui.widgets.line import Line, clean
from bpftop.tui.widgets.loss_line import LossLines
from bpftop.tui.widgets.table import Rows, Table
from bpftop.tui.widgets.top_flows import LEAST_LINES, MOST_LINES, MOST_LINES_BELOW_THREE, TopFlows, top_flows_1_in
from bpftop.tui.widgets.traffic import Traffic

TABLE_WIDTH = 100
"""Widest table when a breakdown stands beside it."""
WHOLE_TABLE_WIDTH = 126
"""Width from which the table of protocols has blank cells only: a third column of breakdowns takes them."""
LONGEST_COLUMN = 16
"""Lines of frame sizes and TCP flags above each other, and the empty lines between and below them."""
NO_PROGRAM = (
    "Protocols, sizes and CPUs are not counted: no program is attached. The numbers above are the kernel's own "
    "counters (rtnetlink). `bpftop doctor` says what is missing."
)


class InterfaceTable(Table[InterfaceLine]):
    """The interfaces, of many the busiest first. The selected row is the interface that everything else is about."""

    columns_are_chosen = False

    def columns(self, moment: Moment) -> Sequence[Column[InterfaceLine]]:
        return INTERFACE_COLUMNS

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        if self.cursor != moment.choices.label:
            self.cursor = moment.choices.label
            self._keys = self.rows(moment).keys
            self.bring_into_view(self.cursor)
        return super().draw(moment, width, height)

    def rows(self, moment: Moment) -> Rows[InterfaceLine]:
        snapshot, words = moment.snapshot, self.words()
        matching = [i for i in listed(snapshot.interfaces) if not words or any(w in i.label.lower() for w in words)]
        if self.sort or self.reverse:
            lines = self.ordered([interface_line(snapshot, i) for i in matching], moment)
            matching = [line.interface for line in lines]
        by_label: dict[str, InterfaceSnapshot] = {TOTAL: snapshot.total, **{i.label: i for i in matching}}
        return Rows(
            list(by_label),
            lambda keys: [interface_line(snapshot, by_label[key]) for key in keys],
            len(snapshot.interfaces) + 1,
        )

    def select(self, key: str) -> None:
        if key:
            self.bring_into_view(key)
            self.post_message(InterfaceRequested(key))

    def step_back(self) -> bool:
        if self.filter:
            self.filter_by("")
            return True
        return False


class ProtocolTable(Table[ProtocolLine]):
    """A row per protocol, and per TCP flag that is a large part of TCP."""

    def columns(self, moment: Moment) -> Sequence[Column[ProtocolLine]]:
        return PROTOCOL_COLUMNS

    def rows(self, moment: Moment) -> Rows[ProtocolLine]:
        if moment.without_program:
            return Rows.of([], lambda row: row.key)
        rows, words = protocol_lines(moment.past, moment.flags), self.words()
        matching = [row for row in rows if any(w in row.name.lower() for w in words)] if words else rows
        return Rows.of(self.ordered(matching, moment), lambda row: row.key, len(rows))

    def empty(self, moment: Moment) -> str:
        return NO_PROGRAM if moment.without_program else "nothing was counted yet"

    def row_title(self, key: str) -> str:
        rows = self.rows(self.moment).build([key]) if self.moment else []
        return next((row.name for row in rows), key)


class OverviewPane(Pane):
    """Losses, traffic and CPUs above the tables of interfaces and protocols."""

    DEFAULT_CSS = """
    OverviewPane LossLines { height: 2; }
    OverviewPane Traffic { height: 4; }
    OverviewPane CpuOverview { height: 1; }
    OverviewPane Horizontal { height: 1fr; }
    OverviewPane .right { display: none; margin: 0 0 0 3; }
    OverviewPane Breakdown { height: 1fr; }
    OverviewPane TopFlows { display: none; }
    OverviewPane ProtocolTable { width: 1fr; height: 1fr; }
    OverviewPane InterfaceTable { display: none; }
    """
    source = (
        "The counting program (XDP or TCX, as line 2 says), read once a tick; totals without a "
        "program come from rtnetlink."
    )
    hints = (("choose", "flows"), ("direction", "RX/TX"), ("pause", "pause"), ("mark", "mark"), ("filter", "filter"),
             ("sort", "sort"), ("next_interface", "interface"), ("other", "list"),
             ("record", "record"), ("save", "save"))  # fmt: skip
    columns = PROTOCOL_COLUMNS
    terms = (
        ("Top flows", "On a screen of 160 columns: the flows with the most bits per second, RX and TX together, "
         "counted while the Overview is open from 1 packet in 128 (1 in 16 at low rates), which adds about 1 ns to "
         "a packet; the tables are read every 5 s or so. Pane 4 counts all packets."),
    )  # fmt: skip

    def compose_list(self) -> Iterator[Widget]:
        self._losses, self._interfaces, self._traffic = LossLines(), InterfaceTable(), Traffic()
        self._protocols, self._breakdown = ProtocolTable(), Breakdown()
        yield from (self._losses, self._interfaces, self._traffic, CpuOverview())
        self._top_flows, self._counting_top_flows = TopFlows(), 0
        self._right = CoveredVertical(self._breakdown, self._top_flows, classes="right")
        yield CoveredHorizontal(self._protocols, self._right)

    def table(self) -> Table[Any]:
        return next((table for table in (self._interfaces, self._top_flows) if table.has_focus), self._protocols)

    def take_focus(self) -> None:
        self._protocols.focus(scroll_visible=False)

    def divide(self, moment: Moment, width: int, height: int) -> None:
        right = self._right
        count = len(moment.snapshot.interfaces) + 2 if moment.has_many_interfaces else 0
        blocks = max(0, min(2, (width - TABLE_WIDTH) // (BLOCK + GAP)))
        blocks += width - 3 * (BLOCK + GAP) >= WHOLE_TABLE_WIDTH
        heights = {
            self._interfaces: min(count, max(3, height // 4)) if count else 0,
            self._losses: 2 if height >= 8 else 1,
            self._traffic: 2 if height < 14 else 4 if height < 22 else height // 3,
        }
        for region, lines in heights.items():
            set_height(region, lines)
        if right.display != bool(blocks):
            right.display = bool(blocks)
        columns = blocks * (BLOCK + GAP) - GAP
        if blocks and (right.styles.width is None or right.styles.width.value != columns):
            right.styles.width = columns
        left = height - sum(heights.values()) - 1 - LONGEST_COLUMN
        most = MOST_LINES_BELOW_THREE if blocks > 2 else MOST_LINES
        flow_lines = min(left, most) if blocks > 1 and left >= LEAST_LINES else 0
        set_height(self._top_flows, flow_lines)

    def show(self, moment: Moment) -> None:
        super().show(moment)
        if moment.live and moment.choices.paused is None:
            shown = self._right.display and self._top_flows.display
            self._count_top_flows(top_flows_1_in(moment.snapshot, self._counting_top_flows) if shown else 0)

    def _count_top_flows(self, sample_1_in: int) -> None:
        """Have flows counted by one packet of this many, or (0) no more."""
        if sample_1_in != self._counting_top_flows:
            self._counting_top_flows = sample_1_in
            self.post_message(TopFlowsWanted(sample_1_in))

    def closed(self) -> None:
        self._count_top_flows(0)

    def choose(self, table: Table[Any], key: str) -> None:
        """Open the flows of the protocol, or the flow; enter on an interface returns to the protocols."""
        if isinstance(table, InterfaceTable):
            self.take_focus()
            return
        if isinstance(table, TopFlows):
            self.post_message(GoTo(Place("flows", table.row_title(key), row=key)))
            return
        title = table.row_title(key)
        word = "tcp" if key.startswith("tcp_flags/") else title.lower().partition(" ")[0]
        self.post_message(GoTo(Place("flows", clean(title), filter=word)))


def set_height(region: Widget, height: int) -> None:
    """Set the height if it has changed: setting it lays out the screen again. 0 hides the region."""
    if region.display != bool(height):
        region.display = bool(height)
    if height and (region.styles.height is None or region.styles.height.value != height):
        region.styles.height = height
