"""The filter of flows, and the sums over interfaces."""

from __future__ import annotations

import pytest

from bpftop.model.derive import derive_snapshot
from bpftop.model.sample import Reading, Sample
from bpftop.render.flows.flow_columns import age_text
from bpftop.render.flows.flow_rows import FlowLine, GroupBy, flow_lines, flow_tables, matching_flows
from tests import samples
from tests.tui.fake_flows import flow_readings

SECOND_NS = 10**9


def sample(*labels: str) -> Sample:
    interfaces = [samples.interface(label, number) for number, label in enumerate(labels, 1)]
    readings: dict[str, Reading] = {}
    for one in interfaces:
        readings |= flow_readings(one, "rx", 3, 50 * SECOND_NS, 1)
    return samples.sample(50, seq=3, cpus=2, interfaces=interfaces, readings=readings)


def lines(*labels: str, by: GroupBy = "flow") -> list[FlowLine]:
    snapshot = derive_snapshot(None, sample(*labels))
    return flow_lines(snapshot, snapshot.total, "rx", by, {"10.1.2.3": "printer.example"})


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
        ("nothing", set()),
        ("²", set()),
    ],
)
def test_every_word_of_the_filter_must_fit(typed: str, expected: set[str]) -> None:
    assert {row.saddr for row in matching_flows(lines("eth0"), typed)} == expected


def test_groups_are_filtered_by_what_they_have_in_common() -> None:
    assert [row.member for row in matching_flows(lines("eth0", by="destination_port"), "22")] == ["TCP 22"]
    assert [row.member for row in matching_flows(lines("eth0", by="destination_port"), "tcp")] == ["TCP 443", "TCP 22"]
    assert [row.member for row in matching_flows(lines("eth0", by="source"), "10.0.0.0/8")] == ["10.1.2.4", "10.1.2.3"]


def test_rates_need_no_sample_before() -> None:
    """The reading carries the one before it: a recording that begins here has rates all the same."""
    first = lines("eth0")[0]
    assert (first.saddr, first.packets_per_sec, first.bits_per_sec) == ("203.0.113.77", 310_000, 310_000 * 66 * 8)
    assert first.age_ns == 14 * SECOND_NS


def test_several_interfaces_are_rows_and_sums() -> None:
    snapshot = derive_snapshot(None, sample("eth0", "eth1"))
    both = flow_tables(snapshot, snapshot.total, "rx")
    assert both is not None
    assert (both.entries, both.max_entries, both.added_ns_per_packet) == (2 * 12_345, 2 * 65_536, 19)
    rows = lines("eth0", "eth1")
    assert [row.interface for row in rows[:2]] == ["eth0", "eth1"]
    assert len({row.key for row in rows}) == len(rows)
    assert flow_tables(snapshot, snapshot.total, "tx") is None


@pytest.mark.parametrize(
    ("age_s", "words"), [(0, "0 s"), (99, "99 s"), (100, "1 m"), (5999, "99 m"), (6000, "1 h"), (10**6, "277 h")]
)
def test_ages(age_s: int, words: str) -> None:
    assert age_text(age_s * SECOND_NS) == words
    assert age_text(None) == "-"
