"""Frame builders: scapy reads back fields and checksums."""

import socket

from scapy.contrib.lldp import LLDPDU, LLDPDUSystemName, LLDPDUTimeToLive
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Packet

from bpftop.demo import frames
from bpftop.demo.raw_mix import raw_frames
from bpftop.demo.sides import GENERATOR, WATCHED

MIX: list[Packet] = [
    Ether(frame)
    for _, kind in raw_frames(GENERATOR, WATCHED, True, memoryview(bytes(range(256)) * 8))
    for frame in kind
]


def built_anew(packet: Packet) -> bytes:
    """Return the packet with lengths and checksums recomputed by scapy; a UDP checksum of 0 stays."""
    copy: Packet = packet.copy()
    for layer in (IP, ICMP, ICMPv6EchoRequest, ICMPv6ND_NS):
        if layer in copy:
            for field in ("len", "chksum", "cksum"):
                if field in copy[layer].fields:
                    delattr(copy[layer], field)
    if IPv6 in copy:
        del copy[IPv6].plen
    return bytes(copy)


def test_lengths_and_checksums_equal_scapys() -> None:
    for packet in MIX:
        assert bytes(packet) == built_anew(packet), packet.summary()


def test_every_raw_kind_is_in_the_mix() -> None:
    for layer in (ARP, Dot1Q, Dot1AD, ICMP, ICMPv6EchoRequest, ICMPv6ND_NS, LLDPDU, UDP):
        assert any(layer in packet for packet in MIX), layer.__name__


def test_voice_is_priority_tagged() -> None:
    voice = next(packet for packet in MIX if UDP in packet)
    assert (voice[Dot1Q].prio, voice[Dot1Q].vlan, voice[IP].tos, voice[UDP].dport) == (5, 0, 0xB8, 5004)


def test_solicitation() -> None:
    packet = next(packet for packet in MIX if ICMPv6ND_NS in packet)
    assert packet.dst == "33:33:ff:00:00:01"
    assert (packet[IPv6].dst, packet[IPv6].hlim) == ("ff02::1:ff00:1", 255)
    assert packet[ICMPv6ND_NS].tgt == WATCHED.ipv6[0]
    assert packet[ICMPv6NDOptSrcLLAddr].lladdr == GENERATOR.mac


def test_lldp() -> None:
    packet = next(packet for packet in MIX if LLDPDU in packet)
    assert packet[LLDPDUTimeToLive].ttl == 120
    assert packet[LLDPDUSystemName].system_name == b"bpftop-generator"


def test_the_checksum_of_an_odd_number_of_bytes() -> None:
    assert frames.internet_checksum(b"\x01\x02\x03") == 0xFFFF - (0x0102 + 0x0300)


def test_addresses_are_from_reserved_ranges() -> None:
    for side in (WATCHED, GENERATOR):
        assert all(address.startswith("198.18.") for address in side.ipv4)
        assert all(socket.inet_pton(socket.AF_INET6, address)[0] == 0xFD for address in side.ipv6)
        assert side.mac_bytes[0] & 3 == 2
