"""The busiest flows beside the protocols of a wide Overview, estimated from a few packets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from bpftop.fields import replace
from bpftop.model.readings import RatedReading
from bpftop.model.sample import DIRECTIONS
from bpftop.model.snapshot import Snapshot
from bpftop.model.units import NS_PER_SEC, si
from bpftop.render.columns import Column
from bpftop.render.flows.flow_columns import FLOW_COLUMNS
from bpftop.render.flows.flow_pairs import flow_pairs
from bpftop.render.flows.flow_readings import flow_readings, flow_tables
from bpftop.render.flows.flow_table import FlowRow, matching_flows
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.line import Line, clean, line, shortened
from bpftop.tui.widgets.table import Rows, Table

LEAST_LINES, MOST_LINES, MOST_LINES_BELOW_THREE = 5, 10, 24
"""Lines of the table: the heading, the titles and the flows. Three columns of breakdowns leave room for more."""
SOME_PACKETS, FEW_PACKETS = 16, 128
"""One packet in so many is counted: at low rates, where a packet may cost more, and above."""
_HIGH_RATE, _LOW_RATE = 20_000.0, 5_000.0
"""Packets per second from which one in FEW_PACKETS is counted, and below which one in SOME_PACKETS is again."""
_FIRST_SEQ = 3
"""Sequence number of the sample from which on flows are counted: loading the programs would delay the first rates."""

_REMOTE = next(column for column in FLOW_COLUMNS if column.id == "remote")


def top_flows_1_in(snapshot: Snapshot, counting_1_in: int) -> int:
    """Return which part of the packets to count, where 1 in ``counting_1_in`` (0: none) is counted now."""
    if snapshot.seq < _FIRST_SEQ:
        return counting_1_in
    rate = sum(snapshot.total.traffic(direction).totals.packets_per_sec or 0.0 for direction in DIRECTIONS)
    limit = _LOW_RATE if counting_1_in == FEW_PACKETS else _HIGH_RATE
    return FEW_PACKETS if rate > limit else SOME_PACKETS


class TopFlows(Table[FlowRow]):
    """The busiest flows, both directions together. Their rates are estimates, and stay for some seconds."""

    columns_are_chosen = False
    caption_lines = 1

    def __init__(self) -> None:
        super().__init__()
        self._made: tuple[list[RatedReading], tuple[str, int], list[FlowRow]] | None = None

    def columns(self, moment: Moment) -> Sequence[Column[FlowRow]]:
        return _columns(_sampled_1_in(moment) > 1)

    def rows(self, moment: Moment) -> Rows[FlowRow]:
        rows = self._flows(moment)
        return Rows.of(self.ordered(matching_flows(rows, self.filter), moment), lambda row: row.key, len(rows))

    def caption(self, moment: Moment, width: int) -> Sequence[Line]:
        sampled = _sampled_1_in(moment)
        elapsed_ns = max((each.elapsed_ns or 0 for each in _readings(moment)), default=0)
        mean = f"mean of {elapsed_ns / NS_PER_SEC:.0f} s, " if elapsed_ns else ""
        how = f"  {mean}estimated from 1 in {sampled} packets" if sampled > 1 else ""
        heading = line(("Top flows", "title", "flows"), (how, "muted", "flows"))
        return [shortened(heading, width)]

    def depends_on(self, moment: Moment) -> object:
        """Return the reads of the tables, which stay for some ticks, and the choices of the person."""
        reads = [(each.reading.epoch, each.reading.read_ns) for each in _readings(moment)]
        chosen = (moment.interface.label, self.cursor, self.sort, self.reverse, self.filter, self.top)
        return (reads, chosen) if reads else None

    def empty(self, moment: Moment) -> str:
        reasons = (reason for part, reason in moment.snapshot.unavailable.items() if part.startswith("flows/"))
        if moment.without_program or not moment.live or moment.choices.paused is not None:
            return clean(next(reasons, "not counted at this moment"))
        return clean(next(reasons, "the first flows come with the next ticks"))

    def row_title(self, key: str) -> str:
        rows = list(self.rows(self.moment).build([key])) if self.moment else []
        return clean(rows[0].pair.name) if rows else key

    def _flows(self, moment: Moment) -> list[FlowRow]:
        """Return the busiest flows of the selected interface; made once for each read of the tables."""
        snapshot, interface = moment.snapshot, moment.interface
        readings = _readings(moment)
        made = self._made
        count = max(MOST_LINES, self.size.height) - 2
        if made is None or made[1] != (interface.label, count) or not _are_same(made[0], readings):
            names: Mapping[str, str] = {}
            has_rates = any(each.pair is not None for each in readings)  # the first reads of the tables have none
            pairs = list(flow_pairs(snapshot, interface).values()) if has_rates else []
            pairs = sorted(pairs, key=lambda pair: -pair.bits_per_sec)[:count]
            rows = [FlowRow(pair, names, moment.history.flow_trends, snapshot.mono_ns) for pair in pairs]
            made = self._made = readings, (interface.label, count), rows
        return made[2]


def _are_same(before: Sequence[RatedReading], now: Sequence[RatedReading]) -> bool:
    """Return True if both are of the same reads of the tables."""
    return len(before) == len(now) and all(a.reading is b.reading for a, b in zip(before, now, strict=True))


def _readings(moment: Moment) -> list[RatedReading]:
    """Return the reads of the tables of the selected interface."""
    return [
        each
        for direction in DIRECTIONS
        for each in flow_readings(moment.snapshot, moment.interface, direction, "flows")
    ]


def _sampled_1_in(moment: Moment) -> int:
    tables = (flow_tables(moment.snapshot, moment.interface, direction) for direction in DIRECTIONS)
    return max((table.sampled_1_in for table in tables if table is not None), default=1)


def _rate(value: float) -> str:
    return f"~{si(value)}"


def _service(row: FlowRow) -> str:
    port = row.pair.service_port
    return f"{row.pair.protocol} {port}" if port else row.pair.protocol


@lru_cache(maxsize=2)
def _columns(are_estimates: bool) -> tuple[Column[FlowRow], ...]:
    """Return the columns; estimates are marked."""
    form = _rate if are_estimates else si
    source = _REMOTE.source
    return (
        replace(_REMOTE, width=16, stretch=32),
        Column("service", "service", "", 10, "Protocol and port of the side that offers the service.", _service,
               lambda row, width: _service(row)[:width], gap=1, left=True, source=source),
        Column("packets_per_sec", "pps", "packets/s", 9, "Packets per second of both directions.",
               lambda row: row.pair.packets_per_sec, form=form, source=source),
        Column("bits_per_sec", "bit/s", "bits/s", 9, "L2 bits per second of both directions.",
               lambda row: row.pair.bits_per_sec, form=form, source=source),
    )  # fmt: skip
