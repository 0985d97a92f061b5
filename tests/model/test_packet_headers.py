"""Places and values of headers, read from packets that scapy makes."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from bpftop.model.packet_headers import PacketEnds, header_places, packet_ends

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
FOUR, SIX = IP(src="198.18.0.1", dst="198.18.0.2"), IPv6(src="fd00::1", dst="fd00::2")
LATER = IP(src="198.18.0.1", dst="198.18.0.2", frag=5, proto=17)


@pytest.mark.parametrize(
    ("packet", "is_ip", "ends"),
    [
        (ETHER / FOUR / TCP(sport=5, dport=443), False, PacketEnds("TCP", "198.18.0.1", "198.18.0.2", 5, 443)),
        (FOUR / UDP(sport=53, dport=6), True, PacketEnds("UDP", "198.18.0.1", "198.18.0.2", 53, 6)),
        (ETHER / Dot1Q(vlan=7) / (Dot1Q(vlan=8) / FOUR / UDP(sport=1, dport=2)), False,
         PacketEnds("UDP", "198.18.0.1", "198.18.0.2", 1, 2)),
        (ETHER / SIX / IPv6ExtHdrHopByHop() / UDP(sport=5, dport=9), False,
         PacketEnds("UDP", "fd00::1", "fd00::2", 5, 9)),
        (SIX / TCP(sport=5, dport=9), True, PacketEnds("TCP", "fd00::1", "fd00::2", 5, 9)),
        (ETHER / FOUR / ICMP(), False, PacketEnds("ICMP", "198.18.0.1", "198.18.0.2")),
        (ETHER / LATER / Raw(b"later"), False, PacketEnds("UDP", "198.18.0.1", "198.18.0.2")),
        (ETHER / SIX / IPv6ExtHdrFragment(offset=9, nh=17) / Raw(b"later"), False,
         PacketEnds("UDP", "fd00::1", "fd00::2")),
        (ETHER / ARP(psrc="198.18.0.1", pdst="198.18.0.2"), False, PacketEnds("ARP", "198.18.0.1", "198.18.0.2")),
        (Ether(src=ETHER.src, dst=ETHER.dst, type=0x88CC) / Raw(b"lldp"), False, PacketEnds("ethertype 0x88cc")),
    ],
)  # fmt: skip
def test_protocol_addresses_and_ports(packet: Packet, is_ip: bool, ends: PacketEnds) -> None:
    assert packet_ends(bytes(packet), is_ip=is_ip) == ends


def test_a_packet_that_ends_anywhere_is_read_as_far_as_it_goes() -> None:
    whole = bytes(ETHER / Dot1Q(vlan=7) / SIX / IPv6ExtHdrHopByHop() / UDP(sport=5, dport=9))
    read = {packet_ends(whole[:length], is_ip=False) for length in range(len(whole) + 1)}
    assert read == {
        PacketEnds("unknown"), PacketEnds("ethertype 0x86dd"),
        PacketEnds("HOPOPT", "fd00::1", "fd00::2"), PacketEnds("UDP", "fd00::1", "fd00::2"),
        PacketEnds("UDP", "fd00::1", "fd00::2", 5, 9),
    }  # fmt: skip


def test_the_place_of_the_layer_4_header() -> None:
    tagged = bytes(ETHER / Dot1Q(vlan=7) / FOUR / UDP())
    places = header_places(tagged, is_ip=False)
    assert (places.ethertype, places.l3_at, places.l4_at, places.l4_proto) == (0x0800, 18, 38, 17)
