"""Packets dropped in a private namespace: only their reason counts, on their interface."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from bpftop.collect.bpf import tracing
from bpftop.collect.bpf.drops import DropCounts, Drops
from bpftop.collect.bpf.tracing import RowsByLabel
from bpftop.collect.bpf.xdp_errors import XdpErrors, exceptions
from bpftop.collect.collector import Collectors, Unavailable
from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.hooks.attach_facts import AttachRequest
from bpftop.kernel.bpf import object as objects
from bpftop.kernel.net.netdev import Netdev
from bpftop.model.derive import derive_snapshot
from bpftop.model.sample import Interface
from tests.bpf.counting import loaded, rows, send_datagrams, watching
from tests.bpf.devices import Lab
from tests.waiting import until

pytestmark = pytest.mark.bpf

NEAR, FAR, PORT, PACKETS = "198.18.5.1", "198.18.5.2", 7, 40


@pytest.fixture
def lab(lab: Lab) -> Lab:
    """Add a veth pair without IPv6 to the lab, with its neighbours resolved."""
    lab.ipv4_veth(FAR)
    return lab


def firewall(lab: Lab, hook: str) -> None:
    """Drop the test's datagrams at a hook of nftables."""
    lab.run("nft", f"add table ip t; add chain ip t c {{ type filter hook {hook} priority 0; }}")
    lab.run("nft", f"add rule ip t c udp dport {PORT} drop")


def send_from_far(lab: Lab) -> None:
    with lab.inside(lab.far):
        send_datagrams(NEAR, PORT, PACKETS)


def test_firewall_drop_counts_its_reason(lab: Lab) -> None:
    firewall(lab, "input")
    with watching(Drops(), "v0", "lo") as drops:
        send_from_far(lab)
        assert drops.gained() == {("v0", "NETFILTER_DROP"): PACKETS}
        send_datagrams(NEAR, PORT, 3)
        assert drops.gained() == {("lo", "NETFILTER_DROP"): 3}


def test_a_datagram_to_a_closed_port_has_its_reason(lab: Lab) -> None:
    with watching(Drops(), "v0") as drops:
        send_from_far(lab)
        assert drops.gained() == {("v0", "NO_SOCKET"): PACKETS}


def test_drop_on_unwatched_interface_has_no_interface(lab: Lab) -> None:
    with watching(Drops(), "lo") as drops:
        send_from_far(lab)
        assert drops.gained() == {("", "NO_SOCKET"): PACKETS}


def test_packet_without_device_counts_by_its_socket(lab: Lab) -> None:
    firewall(lab, "output")
    with watching(Drops(), "v0") as drops:
        send_datagrams(FAR, PORT, PACKETS)
        assert drops.gained() == {("", "NETFILTER_DROP"): PACKETS}


def test_messages_of_unix_sockets_are_no_packets(lab: Lab) -> None:
    """A closing Unix socket frees what nobody read, with the reason SOCKET_CLOSE."""
    with watching(Drops(), "v0") as drops:
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        one.send(b"never read")
        one.close()
        other.close()
        send_from_far(lab)
        assert drops.gained() == {("v0", "NO_SOCKET"): PACKETS}


def test_a_full_receive_buffer_has_its_reason(lab: Lab) -> None:
    """The kernel reuses the device field of a queued datagram for other data."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as full, watching(Drops(), "v0") as drops:
        full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        full.bind((NEAR, PORT))
        send_from_far(lab)
        gained = drops.gained()
    assert set(gained) == {("v0", "SOCKET_RCVBUFF")}
    assert 0 < gained["v0", "SOCKET_RCVBUFF"] < PACKETS


def test_drops_in_another_namespace_are_not_counted(lab: Lab) -> None:
    """Packets sent from this namespace do not count either while they still refer to their socket."""
    with lab.inside(lab.far):
        firewall(lab, "input")
    with watching(Drops(), "v0") as drops:
        send_datagrams(FAR, PORT, PACKETS)
        assert drops.gained() == {}


def test_deleted_interface_keeps_its_drops(lab: Lab) -> None:
    with watching(Drops(), "v0", "lo") as drops:
        send_from_far(lab)
        until(lambda: drops.read() == {("v0", "NO_SOCKET"): PACKETS}, "the drops are counted")
        drops.gained()
        drops.interfaces = drops.interfaces[1:]
        assert drops.gained() == {}
        assert drops.read() == {("v0", "NO_SOCKET"): PACKETS}


def test_interfaces_beyond_the_slots_are_counted_in_the_hash(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program has slots for 8 interfaces; "lo" comes first here, and the other seven do not exist."""
    with lab.inside(lab.near), closing(DropCounts((1, *range(90_001, 90_008)))) as counts:
        v0 = socket.if_nametoindex("v0")
        counts.read((1, v0))
        send_from_far(lab)
        rows = counts.read((1, v0)).rows
        assert sum(count for (ifindex, _), (count,) in rows.items() if ifindex == v0) == PACKETS
        monkeypatch.setattr(tracing, "ROWS_MAX", 1)
        with pytest.raises(Unavailable, match=r"the table of count_drop is full \(1 rows\)"):
            counts.read((1, v0))


def test_rows_of_departed_interfaces_stay_only_in_the_sum(lab: Lab) -> None:
    with lab.inside(lab.near), closing(DropCounts((1, *range(90_001, 90_008)))) as counts:
        by_label, seen = RowsByLabel(), []
        for _ in range(3):
            v0 = Interface("v0", "v0", socket.if_nametoindex("v0"))
            counts.read([v0.ifindex, 1])
            send_from_far(lab)
            for watched in ([v0], [], []):
                counted = counts.read([1, *(interface.ifindex for interface in watched)])
                totals = by_label.rows(watched, counted, lambda label, row: (label, str(row[1])))
                seen.append(sum(count for (label, _), (count,) in totals.items() if label == "v0"))
            assert {ifindex for ifindex, _ in counts.read([1]).rows} <= {0, 1}
            lab.ip("link delete v0")
            lab.veth()
            lab.run("ping", "-qc", "1", FAR)
    assert seen == [PACKETS, PACKETS, PACKETS, 2 * PACKETS, 2 * PACKETS, 2 * PACKETS, *[3 * PACKETS] * 3]


def test_two_samples_have_rates(lab: Lab) -> None:
    """The first reading is in the second sample, and its rates count from the attach."""
    source = LiveSource(["v0"], LiveOptions(AttachRequest("none"), interval_s=0.5, first_gap_s=None))
    with closing(source.samples()) as samples:
        first = next(samples)
        assert first.unavailable["drops"] == "drop reasons: being loaded"
        until(lambda: bool(source._collectors) and all_loaded(source), "the tracepoints are attached")
        send_from_far(lab)
        second = next(samples)
    signal = derive_snapshot(first, second).reading("drops")
    assert signal is not None
    assert signal.gained(("v0", "NO_SOCKET"), "packets") == PACKETS
    assert (signal.per_sec(("v0", "NO_SOCKET"), "packets") or 0) > PACKETS
    assert {"drops", "xdp_exceptions", "xdp_redirect_errors"}.isdisjoint(second.unavailable)


def all_loaded(source: LiveSource) -> bool:
    collectors = [collector for collector, _ in source._collectors._states.values()]
    threads = [each._late._thread for each in collectors if isinstance(each, (Drops, XdpErrors))]
    return len(threads) == 3 and not any(thread is None or thread.is_alive() for thread in threads)


def test_failed_collector_leaves_the_others(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    real = objects.object_path
    damaged = f"{tmp_path}/drops.bpf.o"
    with open(damaged, "wb") as file:
        file.write(b"\x7fELF")
    monkeypatch.setattr(objects, "object_path", lambda name: damaged if name == "drops" else real(name))
    with closing(Netdev()) as netdev:
        interfaces = [Interface("v0", "v0", netdev.find("v0").ifindex)]
    parts = Collectors([Drops(), exceptions()], 10**9)
    with closing(parts):
        until(lambda: "being loaded" not in "".join(parts.read(interfaces)[1].values()), "the parts are loaded")
        readings, unavailable = parts.read(interfaces)
    assert set(readings) == {"xdp_exceptions/v0"}
    assert set(unavailable) == {"drops"}
    assert unavailable["drops"].startswith(f"drop reasons: cannot open the BPF object {damaged}: ")


def test_a_second_start_counts_from_zero(lab: Lab) -> None:
    for _ in range(2):
        with closing(Drops()) as drops, closing(Netdev()) as netdev:
            first = loaded(drops, [Interface("v0", "v0", netdev.find("v0").ifindex)])
            assert rows(first) == {}
            previous = first["drops"].previous
            assert previous is not None
            assert previous.read_ns < first["drops"].read_ns
        send_from_far(lab)
