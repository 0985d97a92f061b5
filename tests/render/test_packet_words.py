"""Dropped packets in a line each."""

from __future__ import annotations

from scapy.layers.inet import TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether

from bpftop.model.captured_packet import CaptureCounts, CapturedPacket, DroppedPackets
from bpftop.model.packet_filter import ANY_DROP, PacketFilter
from bpftop.render.packet_words import cost_row, dropped_row, packet_words


def packet(content: bytes, *, is_ip: bool, function: str | None = None, wall_ns: int = 10**9) -> CapturedPacket:
    return CapturedPacket(wall_ns, "eth0", "rx", 3, content, len(content), is_ip, reason="NO_SOCKET", function=function)


def test_ipv6_has_brackets_and_an_unknown_function_is_a_dash() -> None:
    content = bytes(IPv6(src="fd00::1", dst="fd00::2") / TCP(sport=5, dport=443))
    assert dropped_row(packet(content, is_ip=True), 3 * 10**9).split() == [
        "2.0", "s", "NO_SOCKET", "TCP", "[fd00::1]:5", "→", "[fd00::2]:443", "3", "-",
    ]  # fmt: skip


def test_a_packet_without_ports_and_one_that_is_too_short() -> None:
    arp = bytes(Ether() / ARP(psrc="198.18.0.1", pdst="198.18.0.2"))
    assert "ARP 198.18.0.1 → 198.18.0.2 " in dropped_row(packet(arp, is_ip=False), 0)
    assert dropped_row(packet(b"\x45", is_ip=True, function="a\x1bb"), 0).split()[3:] == [
        "ethertype", "0x0800", "3", "a\\x1bb",
    ]  # fmt: skip


def test_what_is_captured() -> None:
    assert packet_words(PacketFilter()) == "packets"
    assert packet_words(ANY_DROP) == "dropped packets"
    assert packet_words(PacketFilter(ethertype=0x0806)) == "packets, ARP"
    assert packet_words(PacketFilter(ethertype=0x88CC)) == "packets, ethertype 0x88cc"
    assert packet_words(PacketFilter(True, ("A", "B"), None, 17, 53)) == "packets dropped for A or B, UDP, port 53"


def test_the_cost_and_what_was_left_out() -> None:
    none = DroppedPackets(watched_ns=10**9, most_per_sec=100)
    assert cost_row(none) == "Copied while this is open: 0 packets in 1 s; it costs 0.000 % of a CPU."
    some = DroppedPackets((), CaptureCounts(150, 40, 10, 150_000), 100, 10**9)
    assert cost_row(some) == (
        "Copied while this is open: 100 packets in 1 s, 50 left out (at most 100 a second); it costs 0.015 % of a CPU "
        "(1000 ns a packet)."
    )
