"""Rates and totals of a snapshot: right numbers, or no value where no rate may be taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bpftop.history.history import History
from bpftop.model.derive import counted_twice, derive_snapshot
from bpftop.model.readings import gain, pair_readings
from bpftop.model.sample import FAMILIES, Interface, Key, Reading, Sample, reading_key
from bpftop.model.snapshot import TOTAL
from tests import samples

SECOND = 10**9


def reading(family: str, rows: Mapping[Key, tuple[int, ...]], read_ns: int, epoch: int = 1) -> Reading:
    return samples.reading(family, rows, read_ns / SECOND, epoch=epoch)


def protocols(label: str, rows: Mapping[int, tuple[int, ...]], read_ns: int, epoch: int = 1) -> dict[str, Reading]:
    """Return a reading of protocols. ``rows``: number -> packets of every CPU, then bytes of every CPU."""
    keyed: dict[Key, tuple[int, ...]] = {(label, "rx", number): row for number, row in rows.items()}
    return {reading_key("protocols", label, "rx"): reading("protocols", keyed, read_ns, epoch)}


def sample(seq: int, mono_ns: int, readings: Mapping[str, Reading], *interfaces: Interface) -> Sample:
    watched = interfaces or (samples.ETH0,)
    return samples.sample(mono_ns / SECOND, seq=seq, cpus=2, interfaces=watched, readings=readings)


@pytest.mark.parametrize(
    ("before", "after", "wrap_bits", "expected"),
    [
        (5, 9, 64, 4),
        (5, 5, 64, 0),
        (9, 5, 64, None),  # reset
        (2**32 - 2, 3, 32, 5),  # wrapped
        (7, 3, 32, None),  # from the lower half: reset
        (2**64 - 1, 3, 64, None),
        (None, 3, 64, None),
        (3, None, 64, None),
    ],
)
def test_gain(before: int | None, after: int | None, wrap_bits: int, expected: int | None) -> None:
    assert gain(before, after, wrap_bits) == expected


def test_the_first_sample_has_counts_and_no_rates() -> None:
    first = derive_snapshot(None, sample(0, SECOND, protocols("eth0", {6: (1, 2, 100, 200)}, SECOND)))
    totals = first.total.rx.totals
    assert (totals.packets, totals.bytes, totals.packets_per_sec, totals.bits_per_sec) == (3, 300, None, None)
    assert first.interval_ns is None
    assert first.total.rx.cpu_rates == ()


def test_rates_use_the_time_of_the_reading() -> None:
    before = sample(0, SECOND, protocols("eth0", {6: (10, 0, 1000, 0)}, SECOND))
    after = sample(1, 2 * SECOND, protocols("eth0", {6: (20, 30, 2000, 3000)}, SECOND + SECOND // 2))
    traffic = derive_snapshot(before, after).total.rx
    assert traffic.totals.packets_per_sec == 80.0  # 40 packets in the half second between the reads
    assert traffic.totals.bits_per_sec == 8 * 4000 * 2
    assert traffic.cpu_rates == (20.0, 60.0)
    assert [row.counts.packets_per_sec for row in traffic.cpus] == [20.0, 60.0]
    assert [(p.name, p.counts.packets_per_sec) for p in traffic.cpus[1].protocols] == [("TCP", 60.0)]


def test_a_new_protocol_began_at_zero() -> None:
    before = sample(0, 0, protocols("eth0", {6: (10, 0, 1000, 0)}, SECOND))
    after = sample(1, SECOND, protocols("eth0", {1: (3, 0, 300, 0), 6: (10, 0, 1000, 0)}, 2 * SECOND))
    rows = {row.name: row.counts.packets_per_sec for row in derive_snapshot(before, after).total.rx.protocols}
    assert rows == {"ICMP": 3.0, "TCP": 0.0}


def test_no_rate_across_epochs() -> None:
    before = sample(0, 0, protocols("eth0", {6: (10, 0, 1000, 0)}, SECOND, epoch=1))
    after = sample(1, SECOND, protocols("eth0", {6: (90, 0, 9000, 0)}, 2 * SECOND, epoch=2))
    totals = derive_snapshot(before, after).total.rx.totals
    assert (totals.packets, totals.packets_per_sec, totals.bits_per_sec) == (90, None, None)


def test_a_counter_that_went_backwards_has_no_rate() -> None:
    before = sample(0, 0, protocols("eth0", {6: (10, 5, 1000, 500), 17: (1, 1, 10, 10)}, SECOND))
    after = sample(1, SECOND, protocols("eth0", {6: (2, 0, 200, 0), 17: (2, 1, 20, 10)}, 2 * SECOND))
    traffic = derive_snapshot(before, after).total.rx
    rates = {row.name: row.counts.packets_per_sec for row in traffic.protocols}
    assert rates == {"TCP": None, "UDP": 1.0}
    assert traffic.cpu_rates[0] is None


@pytest.mark.parametrize("read_ns", [SECOND, SECOND - 1])
def test_no_rate_without_elapsed_time(read_ns: int) -> None:
    before = protocols("eth0", {6: (1, 0, 1, 0)}, SECOND)["protocols/eth0/rx"]
    after = protocols("eth0", {6: (2, 0, 2, 0)}, read_ns)["protocols/eth0/rx"]
    assert pair_readings(before, after) is None


def test_without_a_program_the_totals_come_from_rtnetlink() -> None:
    def links(packets: int, read_ns: int) -> dict[str, Reading]:
        width = len(FAMILIES["links"].columns)
        row = (packets, packets * 100, 7, 70, *(0,) * (width - 4))
        return {"links/eth0": reading("links", {("eth0",): row}, read_ns)}

    traffic = derive_snapshot(sample(0, 0, links(10, SECOND)), sample(1, SECOND, links(15, 2 * SECOND))).total
    assert traffic.rx.totals.packets_per_sec == 5.0
    assert traffic.rx.totals.bits_per_sec == 4000.0
    assert traffic.tx.totals.packets == 7
    assert traffic.rx.protocols == ()


def test_unreadable_cells_are_unknown() -> None:
    bare = reading("links", {("eth0",): tuple(range(len(FAMILIES["links"].columns)))}, SECOND)
    holes = replace(bare, missing=frozenset({0}))
    assert holes.totals["eth0",][0] is None
    assert holes.totals["eth0",][1] == 1


def interface(label: str, ifindex: int, kind: str | None = None, **fields: Any) -> Interface:
    return samples.interface(label, ifindex, kind=kind, **fields)


@pytest.mark.parametrize(
    ("interfaces", "left_out"),
    [
        ([interface("eth0", 2), interface("eth1", 3)], set()),
        (
            [interface("bond0", 9, "bond"), interface("eth0", 2, master=9), interface("eth1", 3, master=9)],
            {"eth0", "eth1"},
        ),
        ([interface("eth0", 2, master=9), interface("eth1", 3, master=9)], set()),
        ([interface("br0", 9, "bridge"), interface("eth0", 2, master=9)], {"br0"}),
        ([interface("br0", 9, "bridge")], set()),
        ([interface("eth0", 2), interface("eth0.7", 5, "vlan", lower=2)], {"eth0.7"}),
        ([interface("v0", 2, "veth", lower=3), interface("v1", 3, "veth", lower=2)], set()),
        ([interface("eth0", 2), interface("mv0", 6, "macvlan", lower=2)], {"mv0"}),
        ([interface("eth0", 2), interface("mv0", 6, "macvlan", lower=9, below=(9, 2))], {"mv0"}),  # br0 is not watched
        (
            [interface("b.7", 7, "vlan", lower=9, below=(9, 2, 3)), interface("e0", 2, master=9), interface("e1", 3)],
            {"b.7"},
        ),
        (
            [interface("bond0", 9, "bond", below=(2,)), interface("e0", 2, master=9), interface("b.7", 7, lower=9)],
            {"e0", "b.7"},
        ),
        ([interface("bond0", 9, "bond", below=(5, 2)), interface("eth0", 2)], {"bond0"}),  # its leg is a VLAN of eth0
        ([interface("eth0", 2), interface("vx0", 6, "vxlan", lower=2, below=(2,))], {"vx0"}),
        ([interface("eth0", 2), interface("vx0", 6, "vxlan", lower=4, below=(4,))], set()),  # by a device not watched
        ([interface("eth0", 2), interface("wg0", 6, "wireguard")], {"wg0"}),
        ([interface("gre1", 5, "gre"), interface("wg0", 6, "wireguard")], set()),
        ([interface("lo", 1), interface("wg0", 6, "wireguard")], set()),
    ],
)
def test_the_total_counts_no_packet_twice(interfaces: list[Interface], left_out: set[str]) -> None:
    assert set(counted_twice(interfaces)) == left_out


def test_an_interface_called_total_is_not_the_total() -> None:
    history = History()
    for second in range(3):
        interfaces = [samples.interface(name, number) for number, name in enumerate(("total", "b"), 5)]
        counted = [samples.protocols(second, {6: [second * i.ifindex]}, i.label) for i in interfaces]
        shown = history.push(samples.sample(second, *counted, seq=second, interfaces=interfaces, cpus=1))
    assert shown.interface("total").rx.totals.packets_per_sec == 5
    assert shown.interface(TOTAL).rx.totals.packets_per_sec == 11
    slices = history.tick_ranges(shown.mono_ns, 1.0, 2)[:1]  # the second that ended
    assert history.means(("total", "rx", "packets"), slices) == [5]
    assert history.means((TOTAL, "rx", "packets"), slices) == [11]


def test_the_total_of_several_interfaces() -> None:
    eth0, eth1 = interface("eth0", 2, master=9), interface("eth1", 3)
    bond = interface("bond0", 9, "bond")

    def both(base: int, read_ns: int) -> dict[str, Reading]:
        rows = {6: (base, base, base * 10, base * 10)}
        return {k: v for name in ("eth0", "eth1", "bond0") for k, v in protocols(name, rows, read_ns).items()}

    before = sample(0, 0, both(1, SECOND), eth0, eth1, bond)
    after = sample(1, SECOND, both(3, 2 * SECOND), eth0, eth1, bond)
    snapshot = derive_snapshot(before, after)
    assert snapshot.left_out == {"eth0": "part of bond0"}
    assert snapshot.total.rx.totals.packets_per_sec == 8.0  # eth1 and bond0, two CPUs, 2 packets each
    assert snapshot.total.rx.cpu_rates == (4.0, 4.0)
    assert [row.counts.packets for row in snapshot.total.rx.protocols] == [12]


@pytest.mark.parametrize("same_keys", [True, False], ids=["keys of one reader", "equal keys"])
def test_counter_rates_are_those_that_are_known(same_keys: bool) -> None:
    """A counter that fell has no rate, nor has one that could not be read in one of the two readings."""
    keys: tuple[Key, ...] = (("TcpInSegs",), ("TcpInErrs",), ("TcpOutRsts",), ("UdpNoPorts",))
    again = keys if same_keys else tuple((str(key[0]),) for key in keys)
    first = samples.packed("snmp", keys, [10, 5, 9, 1], 1.0)
    moved = derive_snapshot(
        samples.sample(1.0, first), samples.sample(3.0, samples.packed("snmp", again, [30, 5, 8, 1], 3.0))
    )
    assert moved.counter_rates == {"TcpInSegs": 10.0, "TcpInErrs": 0.0, "UdpNoPorts": 0.0}
    unread = samples.packed("snmp", again, [30, 0, 9, 1], 3.0, missing=frozenset((1,)))
    rates = derive_snapshot(samples.sample(1.0, first), samples.sample(3.0, unread)).counter_rates
    assert rates == {"TcpInSegs": 10.0, "TcpOutRsts": 0.0, "UdpNoPorts": 0.0}
