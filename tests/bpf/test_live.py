"""Real packets through real devices in private namespaces: all sent packets are counted."""

from __future__ import annotations

import os
import re
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether

from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.collect.procfs.counter_files import Snmp
from bpftop.collect.procfs.tree import Tree
from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED
from bpftop.hooks.steps import ProgramName
from bpftop.kernel.bpf.bpf_link import Link
from bpftop.kernel.net.netdev import Netdev
from bpftop.model.protocols import MALFORMED
from tests.bpf import devices, frames_tc, reference
from tests.bpf.frame import Layers
from tests.bpf.harness import as_counts
from tests.bpf.reference import Counts
from tests.bpf.sender import send_exactly, times_sent
from tests.waiting import until

pytestmark = pytest.mark.bpf

FRAMES_SENT = 1_000_000


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(quiet=True) as lab:
        yield lab


def mixed_frames() -> list[bytes]:
    """Return one frame of each kind that the screen shows, in several sizes."""
    ether: Layers = Ether(src=GENERATOR.mac, dst=WATCHED.mac)
    to_all: Layers = Ether(src=GENERATOR.mac, dst="ff:ff:ff:ff:ff:ff")
    ip4: Layers
    ip6: Layers
    ip4, ip6 = IP(src="198.18.9.1", dst="198.18.9.2"), IPv6(src="fd00::9", dst="fd00::a")
    packets = [
        ether / ip4 / UDP(sport=53, dport=40000) / bytes(30),
        ether / ip4 / UDP(sport=40000, dport=443) / bytes(1200),
        ether / ip4 / TCP(sport=1, dport=9, flags="S"),
        ether / ip4 / TCP(sport=1, dport=9, flags="A") / bytes(700),
        ether / ip4 / TCP(sport=1, dport=9, flags="FA"),
        ether / ip4 / ICMP(type=0) / bytes(56),
        ether / ip6 / TCP(sport=1, dport=9, flags="R"),
        ether / ip6 / ICMPv6EchoRequest() / bytes(100),
        ether / Dot1Q(vlan=7) / ip4 / UDP(sport=1900, dport=1) / bytes(300),
        to_all / ARP() / bytes(18),
        ether / ip4 / bytes(20),
    ]
    return [bytes(packet) for packet in packets]


def counted(
    lab: Lab,
    attach: Callable[[PacketCounter, int], Link],
    program: ProgramName,
    send: Callable[[], object],
    expected: Counts | None = None,
) -> Counts:
    """Return the counts on the watched side after ``send``, once they are ``expected`` or no longer change."""

    def inside() -> Counts:
        counter = PacketCounter(program, "rx")
        with (
            closing(counter),
            closing(Netdev()) as netdev,
            closing(attach(counter, netdev.find(WATCHED.interface).ifindex)),
        ):
            send()
            return settled(counter, expected)

    return lab.call_in(WATCHED, inside)


def settled(counter: PacketCounter, expected: Counts | None = None) -> Counts:
    """Return the counts once they are ``expected``; where that is None, once two reads 50 ms apart are the same."""
    before: Counts | None = expected

    def stands_still() -> Counts | None:
        nonlocal before
        time.sleep(0.05)
        now = as_counts(counter.read("test0", 1))
        same, before = now == before, now if expected is None else expected
        return now if same else None

    return until(stands_still, lambda: f"the counters stand still at {before}")


@pytest.mark.parametrize("program", ["count_xdp", "count_xdp_frags"])
def test_a_million_frames_are_counted_exactly(lab: Lab, program: ProgramName) -> None:
    frames = mixed_frames()
    expected: Counts = {}
    for frame, times in zip(frames, times_sent(FRAMES_SENT, len(frames)), strict=True):
        reference.add(expected, {cell: (p * times, b * times) for cell, (p, b) in reference.count(frame).items()})

    def send() -> None:
        sent = lab.call_in(GENERATOR, lambda: send_exactly(GENERATOR.interface, frames, FRAMES_SENT))
        assert sent.lost == 0

    counts = counted(lab, lambda counter, ifindex: Link.xdp(counter.program.fd, ifindex), program, send, expected)
    assert_sums_agree(counts, FRAMES_SENT)


def assert_sums_agree(counts: Counts, packets: int) -> None:
    """Check that each frame counts once as a protocol and once in a joint cell, and that TCP classes sum to TCP."""

    def total(name: str) -> tuple[int, int]:
        rows = [value for cell, value in counts.items() if cell[0] == name]
        return sum(p for p, _ in rows), sum(b for _, b in rows)

    assert total("protocol")[0] == packets
    assert total("joint") == total("protocol")
    assert total("tcp_flags") == counts["protocol", 6]


def test_vlan_tags_on_tcx_count_with_their_bytes(lab: Lab) -> None:
    """The kernel moves the outer tag from the packet to the skb before TCX."""
    cases = [f for f in frames_tc.TAG_BESIDE if f.direction == "rx" and len(f.wire) >= 18]
    frames = [frame.wire[:12] + b"\x81\x00\x00\x07" + frame.wire[12:] for frame in cases]
    expected: Counts = {}
    for case in cases:
        reference.add(expected, case.expect)
    counts = counted(
        lab,
        lambda counter, ifindex: Link.tcx(counter.program.fd, ifindex, "rx"),
        "count_tc",
        lambda: lab.call_in(GENERATOR, lambda: send_exactly(GENERATOR.interface, frames, len(frames))),
        expected,
    )
    assert counts == expected


def test_bulk_tcp_on_tcx_is_counted_in_wire_packets(lab: Lab) -> None:
    """TCX sees super-frames of up to 64 kB: their segments must equal the packets that the sender's TCP counted."""

    def segments() -> int:
        text: str = lab.run_in(GENERATOR, ["cat", "/proc/net/snmp"]).stdout
        header, values = re.findall(r"^Tcp: (.*)$", text, re.M)
        row = dict(zip(header.split(), values.split(), strict=True))
        return int(row["OutSegs"]) + int(row["RetransSegs"])

    def transfer() -> None:
        server = threading.Thread(target=lambda: lab.run_in(WATCHED, ["iperf3", "-s", "-1", "-p", "5301"]))
        server.start()
        client = ["iperf3", "-c", WATCHED.ipv4[0], "-p", "5301", "-t", "2", "-P", "2"]
        for _ in range(50):
            time.sleep(0.1)
            if lab.run_in(GENERATOR, client).returncode == 0:
                break
        else:
            pytest.fail("iperf3 could not connect")
        server.join()

    before = segments()
    counts = counted(lab, lambda counter, i: Link.tcx(counter.program.fd, i, "rx"), "count_tc", transfer)
    sent = segments() - before
    assert sent > 10_000
    assert abs(counts["protocol", 6][0] - sent) <= sent / 100
    assert_sums_agree(counts, sum(p for (name, *_), (p, _) in counts.items() if name == "protocol"))


VIRTIO_NET_HDR = struct.Struct("<BBHHHH")
NEEDS_CSUM, GSO_TCPV4 = 1, 1


def test_frames_without_gso_segs_are_counted_exactly() -> None:
    """A tap with IFF_VNET_HDR passes gso_size without gso_segs, as virtio_net does."""
    sizes = [(1448, 10 * 1448), (1448, 10 * 1448 + 1), (1448, 1449), (536, 60_000), (1448, 1448)]
    ether: Layers = Ether(src=GENERATOR.mac, dst=WATCHED.mac)
    segment = (
        ether
        / IP(src="198.18.9.1", dst="198.18.9.2")
        / TCP(sport=1, dport=2, flags="FA", options=[("Timestamp", (1, 2))])
    )
    expected: Counts = {}
    with devices.Lab() as lab, ExitStack() as stack:
        tap_fd = lab.tunnel_device("tap0", devices.IFF_TAP | devices.IFF_VNET_HDR)
        counter = stack.enter_context(closing(PacketCounter("count_tc", "rx")))
        netdev = stack.enter_context(closing(Netdev()))
        stack.enter_context(closing(Link.tcx(counter.program.fd, netdev.find("tap0").ifindex, "rx")))
        for gso_size, payload_bytes in sizes:
            frame = bytes(segment / bytes(payload_bytes))
            headers = len(frame) - payload_bytes
            header = VIRTIO_NET_HDR.pack(NEEDS_CSUM, GSO_TCPV4, headers, gso_size, 34, 16)
            assert os.write(tap_fd, header + frame) == len(header) + len(frame)
            skb = reference.Skb(gso_size=gso_size if payload_bytes > gso_size else 0)
            reference.add(expected, reference.count(frame, skb=skb))
        settled(counter, expected)


def test_guests_super_frames_of_total_length_0() -> None:
    """Linux takes the length of a guest's super-frame from the skb (iph_totlen): what Linux accepts is not malformed.

    The same frames without gso are malformed for both.
    """
    payload_bytes, gso_size, frames = 2896, 1448, 5
    with devices.Lab() as lab, ExitStack() as stack:
        tap_fd = lab.tunnel_device("tap0", devices.IFF_TAP | devices.IFF_VNET_HDR)
        lab.switch_ipv6_off()
        lab.ip(f"link set tap0 address {WATCHED.mac}")
        lab.ip("address add 198.18.9.2/24 dev tap0")
        counter = stack.enter_context(closing(PacketCounter("count_tc", "rx")))
        netdev = stack.enter_context(closing(Netdev()))
        stack.enter_context(closing(Link.tcx(counter.program.fd, netdev.find("tap0").ifindex, "rx")))
        snmp = stack.enter_context(closing(Snmp(Tree())))
        layers: Layers = Ether(src=GENERATOR.mac, dst=WATCHED.mac)
        layers = layers / IP(src="198.18.9.1", dst="198.18.9.2", len=0) / TCP(sport=1, dport=9, flags="A", seq=1, ack=1)
        frame = bytes(layers / bytes(payload_bytes))
        expected: Counts = {}

        def gains(kind: int, size: int) -> tuple[int, int]:
            """Send the frames. Return the gains of packets with a bad header, and of resets sent in answer."""
            header = VIRTIO_NET_HDR.pack(NEEDS_CSUM, kind, len(frame) - payload_bytes, size, 34, 16)
            snmp.read([])
            before = snmp.words
            for _ in range(frames):
                assert os.write(tap_fd, header + frame) == len(header) + len(frame)
                reference.add(expected, reference.count(frame, skb=reference.Skb(gso_size=size)))
            settled(counter, expected)
            snmp.read([])
            bad, resets = (int(snmp.words[name]) - int(before[name]) for name in ("IpInHdrErrors", "TcpOutRsts"))
            return bad, resets

        assert gains(GSO_TCPV4, gso_size) == (0, frames)
        assert {cell: packets for cell, (packets, _) in expected.items() if cell[0] == "protocol"} == {
            ("protocol", 6): 2 * frames
        }
        assert gains(0, 0) == (frames, 0)
        assert expected["protocol", MALFORMED][0] == frames
