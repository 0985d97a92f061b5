"""The rows of the table of flows: filter, sums over interfaces, groups, trends."""

from __future__ import annotations

import pytest

from bpftop.history.flow_trends import FlowTrends
from bpftop.model.derive import derive_snapshot
from bpftop.model.sample import Reading, Sample, reading_key
from bpftop.model.snapshot import Snapshot
from bpftop.render.columns import Column, fitting
from bpftop.render.flows.flow_columns import FLOW_COLUMNS, age_text
from bpftop.render.flows.flow_pairs import Amounts, PairBy
from bpftop.render.flows.flow_readings import flow_tables
from bpftop.render.flows.flow_table import FlowRow, flow_view, matching_flows
from tests import samples
from tests.samples import SECOND_NS, packed
from tests.tui.fake_flows import flow_readings


def sample(*labels: str) -> Sample:
    interfaces = [samples.interface(label, number) for number, label in enumerate(labels, 1)]
    readings: dict[str, Reading] = {}
    for one in interfaces:
        readings |= flow_readings(one, "rx", 3, 50 * SECOND_NS, 1)
    return samples.sample(50, seq=3, cpus=2, interfaces=interfaces, readings=readings)


def rows_of(*labels: str, by: PairBy = "flow", trends: FlowTrends | None = None) -> list[FlowRow]:
    snapshot = derive_snapshot(None, sample(*labels))
    names = {"10.1.2.3": "printer.example"}
    return flow_view(snapshot, snapshot.total, by, names, trends or FlowTrends()).rows


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("10.1.0.0/16", {"10.1.2.3", "10.1.2.4"}),
        ("10.1.2.4/", {"10.1.2.4"}),
        ("10.1.2.4/99", set()),
        ("fe80::/10", {"fe80::1"}),
        ("203.0.113.7", {"203.0.113.77", "203.0.113.78"}),
        ("udp", {"198.51.100.9", "198.51.100.10", "10.1.2.4"}),
        ("udp 53", {"198.51.100.9", "198.51.100.10"}),
        ("33001,udp", {"198.51.100.10"}),
        ("icmp", {"10.1.2.3"}),
        ("printer", {"10.1.2.3"}),
        ("nginx 8a2e", {"2001:db8:85a3:1234:5678:8a2e:370:7334"}),
        ("nothing", set()),
        ("²", set()),
    ],
)
def test_every_word_of_the_filter_must_fit(typed: str, expected: set[str]) -> None:
    assert {row.pair.remote[0] for row in matching_flows(rows_of("eth0"), typed)} == expected


def test_groups_are_filtered_by_what_they_have_in_common() -> None:
    def names(by: PairBy, typed: str) -> list[str]:
        return [row.pair.name for row in matching_flows(rows_of("eth0", by=by), typed)]

    assert names("port", "22") == ["TCP 22"]
    assert names("port", "tcp") == ["TCP 443", "TCP 22"]
    assert names("address", "10.0.0.0/8") == ["10.1.2.4", "10.1.2.3"]
    assert names("process", "nginx") == ["nginx[812]"]
    assert names("container", "docker") == ["docker 0123456789ab"]


def test_rates_need_no_sample_before() -> None:
    """The reading carries the one before it: a recording that begins here has rates all the same."""
    row = next(row for row in rows_of("eth0") if row.pair.remote == ("203.0.113.77", 40001))
    assert row.pair.rx == Amounts(310_000 * 66 * 8, 310_000, 4 * 310_000 * 66, 4 * 310_000)
    assert row.pair.age_ns == 14 * SECOND_NS


def test_several_interfaces_are_rows_and_sums() -> None:
    snapshot = derive_snapshot(None, sample("eth0", "eth1"))
    both = flow_tables(snapshot, snapshot.total, "rx")
    assert both is not None
    assert (both.entries, both.max_entries, both.added_ns_per_packet) == (2 * 12_345, 2 * 65_536, 19)
    rows = rows_of("eth0", "eth1")
    assert [row.pair.interface for row in rows[:2]] == ["eth0", "eth1"]
    assert len({row.key for row in rows}) == len(rows)
    assert flow_tables(snapshot, snapshot.total, "tx") is None


def test_groups_by_port_have_all_flows_of_the_table() -> None:
    one = samples.interface("eth0", 1)
    readings = flow_readings(one, "rx", 3, 50 * SECOND_NS, 1)
    key = reading_key("flows", "eth0", "rx")
    few = readings[key].keys[:1]
    cells = [cell or 0 for cell in readings[key].totals[few[0]]]
    readings[key] = packed("flows", few, cells, read_ns=50 * SECOND_NS, epoch=1)
    snapshot = derive_snapshot(None, samples.sample(50, seq=3, cpus=2, interfaces=(one,), readings=readings))
    (row,) = flow_view(snapshot, snapshot.total, "port", {}, FlowTrends()).rows
    assert row.pair.name == "TCP 443"
    assert row.pair.rx.packets == 4 * (310_000 + 120_000 + 9_000)


def test_trends_are_of_both_directions_and_of_whole_groups() -> None:
    trends, one = FlowTrends(), samples.interface("eth0", 1)

    def snapshot_at(second: int) -> Snapshot:
        readings = {
            **flow_readings(one, "rx", second, second * SECOND_NS, 1),
            **flow_readings(one, "tx", second, second * SECOND_NS, 1),
        }
        made = samples.sample(second, mono_ns=second * SECOND_NS, interfaces=(one,), readings=readings)
        return derive_snapshot(None, made)

    for second in (50, 51, 52):
        trends.push(snapshot_at(second))
    row = next(row for row in rows_of("eth0", trends=trends) if row.pair.remote == ("203.0.113.77", 40001))
    assert row.trend == [(310_000 + 310_000 // 4) * 66 * 8], "ticks after the snapshot are not shown"
    (group,) = (row for row in rows_of("eth0", by="port", trends=trends) if row.pair.name == "TCP 443")
    members = ((310_000, 66), (120_000, 1200), (9_000, 900))
    assert group.trend == [8 * sum((pps + pps // 4) * size for pps, size in members)]
    trends.push(derive_snapshot(None, samples.sample(53)))
    assert trends.trend(row.pair.ends, 60 * SECOND_NS, 12) == [], "a tick without flows ends the trend"


def test_a_narrow_table_keeps_the_rates() -> None:
    interface = Column[FlowRow]("interface", "Interface", "", 11, "", lambda row: "", left=True, gap=0)
    rates = ["rx_bits_per_sec", "tx_bits_per_sec"]
    assert [column.id for column, _ in fitting(FLOW_COLUMNS, 59)] == ["remote", "local", *rates]
    assert [column.id for column, _ in fitting((interface, *FLOW_COLUMNS), 59)] == ["interface", "remote", *rates]


@pytest.mark.parametrize(
    ("age_s", "words"), [(0, "0 s"), (99, "99 s"), (100, "1 m"), (5999, "99 m"), (6000, "1 h"), (10**6, "277 h")]
)
def test_ages(age_s: int, words: str) -> None:
    assert age_text(age_s * SECOND_NS) == words
    assert age_text(None) == "-"
