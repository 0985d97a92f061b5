"""Rows and columns of the tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpftop.history.history import History
from bpftop.model.sample import Direction, Hook, Interface, Key
from bpftop.model.snapshot import Counts, DirectionTraffic, ProtocolRow, Snapshot
from bpftop.render.columns import change_look, fitting, marked
from bpftop.render.comparison import ratio
from bpftop.render.traffic_columns import CPU_COLUMNS, PROTOCOL_COLUMNS
from bpftop.render.traffic_rows import CpuTable, Past, effective_cpus, flags_to_show, protocol_lines
from tests.tui.fake_source import FakeSource, interface


def shown(ticks: int = 3, cpus: int = 4, interfaces: tuple[Interface, ...] = ()) -> tuple[History, Snapshot]:
    history = History()
    snapshots = [history.push(each) for each in FakeSource(cpus, interfaces, count=ticks).samples()]
    return history, snapshots[-1]


def past(direction: Direction = "rx", ticks: int = 3, cpus: int = 4) -> Past:
    history, snapshot = shown(ticks, cpus)
    return Past(snapshot, snapshot.total, history, direction=direction)


def test_the_order_of_protocols_does_not_depend_on_traffic() -> None:
    before = past()
    names = [row.name for row in protocol_lines(before)]
    assert names[:5] == ["TCP", "UDP", "ICMP", "ICMPv6", "IGMP"]
    assert names[-3:] == ["LLDP", "other ethertype", "malformed"]
    assert [row.name for row in protocol_lines(before, {"syn", "rst"})][:4] == [
        "TCP",
        "SYN",
        "RST",
        "UDP",
    ]


def test_shares_and_rates_are_those_of_the_direction() -> None:
    rx, tx = (next(iter(protocol_lines(p))) for p in (past("rx"), past("tx")))
    assert rx.now == rx.rx.packets_per_sec
    assert tx.now == tx.tx.packets_per_sec
    assert rx.share == pytest.approx(ratio(rx.now, past("rx").interface.rx.totals.packets_per_sec))


def test_a_protocol_absent_in_a_direction_is_zero_or_unknown() -> None:
    before = past()
    sctp = ProtocolRow("rx", 132, "SCTP", Counts(5, 500, 5.0, 4000.0))
    one = replace(before.interface, rx=replace(before.interface.rx, protocols=(sctp,)))
    (row,) = (r for r in protocol_lines(replace(before, interface=one)) if r.name == "SCTP")
    assert row.tx.packets_per_sec is not None
    without = replace(one, tx=replace(one.tx, protocols=tuple(r for r in one.tx.protocols if r.number != 132)))
    (row,) = (r for r in protocol_lines(replace(before, interface=without)) if r.name == "SCTP")
    assert row.tx == Counts(0, 0, 0.0, 0.0)
    observed = replace(one, tx=DirectionTraffic("tx", Hook(), totals=Counts(1, 1, 1.0, 8.0)))
    (row,) = (r for r in protocol_lines(replace(before, interface=observed)) if r.name == "SCTP")
    assert row.tx.packets_per_sec is None


def flow_with(syn: float, tcp: float = 100.0) -> DirectionTraffic:
    row = ProtocolRow("rx", 6, "TCP", Counts(1, 1, tcp, 1.0))
    cells: dict[Key, Counts] = {("syn",): Counts(1, 1, syn, 1.0), ("other",): Counts(1, 1, tcp - syn, 1.0)}
    return DirectionTraffic(
        "rx", Hook("tcx"), totals=Counts(1, 1, tcp, 1.0), protocols=(row,), breakdowns={"tcp_flags": cells}
    )


def test_a_flag_has_a_row_from_ten_down_to_five_percent() -> None:
    assert flags_to_show(flow_with(9.9), ()) == set()
    assert flags_to_show(flow_with(10.0), ()) == {"syn"}
    assert flags_to_show(flow_with(5.1), {"syn"}) == {"syn"}
    assert flags_to_show(flow_with(4.9), {"syn"}) == set()
    assert flags_to_show(flow_with(0.0, 0.0), {"syn"}) == set()
    assert flags_to_show(DirectionTraffic("rx", Hook("tcx")), {"syn"}) == {"syn"}  # unknown: as it was


@pytest.mark.parametrize(
    ("rates", "effective"),
    [([], None), ([0, None], None), ([5], 1), ([5, 5, 5, 5], 4), ([97, 1, 1, 1], 1.06), ([None, 7, 0], 1)],
)
def test_effective_cpus(rates: list[float | None], effective: float | None) -> None:
    assert effective_cpus(rates) == (None if effective is None else pytest.approx(effective, rel=0.01))


def test_cpu_rows_agree_with_the_flow() -> None:
    before = past(ticks=4, cpus=6)
    table = CpuTable(before)
    rows = table.lines(table.visible_cpus)
    assert [row.cpu for row in rows] == list(range(6))
    assert [row.counts for row in rows] == [
        replace(row.counts, packets=None, bytes=None) for row in before.interface.rx.cpus
    ]
    assert sum(row.share or 0 for row in rows) == pytest.approx(1)
    assert [name for name, _ in rows[3].top] == [row.name for row in before.interface.rx.cpu_protocols(3)[:3]]


def test_cpu_rows_of_a_total_add_up_its_interfaces() -> None:
    bond = (interface("bond0", 5, kind="bond"), interface("eth0", 2, master=5), interface("eth9", 9))
    history, snapshot = shown(14, 4, bond)
    table = CpuTable(Past(snapshot, snapshot.total, history))
    parts = [CpuTable(Past(snapshot, w, history)) for w in snapshot.interfaces]
    assert table.rates[3] == pytest.approx((parts[0].rates[3] or 0) + (parts[2].rates[3] or 0))
    row, first, last = table.lines([3])[0], parts[0].lines([3])[0], parts[2].lines([3])[0]
    assert row.counts.bits_per_sec == pytest.approx((first.counts.bits_per_sec or 0) + (last.counts.bits_per_sec or 0))
    assert row.trend[-1] == pytest.approx((first.trend[-1] or 0) + (last.trend[-1] or 0))


def test_cpus_without_a_rate_have_rows_too() -> None:
    before = past(ticks=1)
    table = CpuTable(before)
    assert table.visible_cpus == [0, 1, 2, 3]
    assert {(row.now, row.share, row.top) for row in table.lines(table.visible_cpus)} == {(None, None, ())}


def test_an_offline_cpu_has_a_row_only_with_packets() -> None:
    before = past()
    before = replace(before, snapshot=replace(before.snapshot, online_cpus=(0, 1)))
    assert CpuTable(before).visible_cpus == [0, 1, 2, 3]  # all four moved packets
    still = replace(before.interface, rx=replace(before.interface.rx, pairs=()))
    assert CpuTable(replace(before, interface=still)).visible_cpus == [0, 1]


def test_narrow_screens_leave_out_columns_by_rank() -> None:
    ids = {width: [field.id for field, _ in fitting(PROTOCOL_COLUMNS, width)] for width in (40, 60, 70, 80, 92, 100)}
    assert ids[40] == ["name", "rx_packets_per_sec", "rx_bits_per_sec"]
    assert ids[60] == [*ids[40], "share", "factor"]
    assert ids[70] == ids[60]
    assert ids[80] == [*ids[60], "tx_packets_per_sec", "tx_bits_per_sec"]
    assert ids[92] == [*ids[80], "trend"]
    assert ids[100] == [*ids[80], "trend", "mean_size_bytes"]


@pytest.mark.parametrize("width", range(40, 200))
def test_columns_never_take_more_than_there_is(width: int) -> None:
    assert sum(cells for _, cells in fitting(PROTOCOL_COLUMNS, width)) <= width
    assert sum(cells for _, cells in fitting(CPU_COLUMNS, width)) <= width


@pytest.mark.parametrize("width", [80, 100, 130])
def test_no_cell_is_wider_than_its_column(width: int) -> None:
    before = past(ticks=70)
    for field, cells in fitting(PROTOCOL_COLUMNS, width):
        assert len(field.title) <= cells - field.gap
        for row in protocol_lines(before, {"syn"}):
            assert len(field.cell(row, cells - field.gap)) <= cells - field.gap
    table = CpuTable(before)
    for cpu_field, cells in fitting(CPU_COLUMNS, width):
        for cpu_row in table.lines(table.visible_cpus):
            assert len(cpu_field.cell(cpu_row, cells - cpu_field.gap)) <= cells - cpu_field.gap


def test_every_column_has_a_meaning_and_an_id_of_its_own() -> None:
    for fields in (PROTOCOL_COLUMNS, CPU_COLUMNS):
        assert len({field.id for field in fields}) == len(fields)
        assert all(field.help.endswith(".") and field.title for field in fields)
    assert [field.title for field in marked(PROTOCOL_COLUMNS, True) if field.id == "factor"] == ["vs mark"]


def test_large_changes_stand_out() -> None:
    assert [change_look(now, then) for now, then in ((3, 1), (1, 3), (2, 0), (2, 1), (0, 0), (0, 9), (None, 1))] == [
        "factor", "factor", "factor", "muted", "muted", "muted", "muted",
    ]  # fmt: skip
    assert [change_look(now, then, 10.0) for now, then in ((9, 1), (1, 9), (10, 1), (1, 10))] == [
        "muted", "muted", "factor", "factor",
    ]  # fmt: skip
