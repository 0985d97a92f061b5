"""A named frame with what it must add to every cell, and the pieces that the named frames are built from.

The expectations are worked out by hand from docs/counting.md, never by reference.py.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from tests.bpf.reference import Cell, Counts, Direction, Link, Skb

ARP, LLDP, MPLS, PPPOE, OTHER, LENGTH, TRUNCATED, MALFORMED = 256, 257, 258, 259, 260, 261, 262, 263

# mypy 2.4 does not understand scapy's "/" with bytes among the layers.
Layers: TypeAlias = Any

UNICAST = "02:00:00:00:00:02"
SOURCE = "02:00:00:00:00:01"
BROADCAST = "ff:ff:ff:ff:ff:ff"
MULTICAST = "01:00:5e:00:00:fb"
MULTICAST6 = "33:33:00:00:00:01"

# BPF_PROG_TEST_RUN cuts longer frames to this size for a plain XDP program, without an error. A frags program gets the
# whole frame (up to about 72 kB), tc gets EINVAL above 3712 bytes (measured on 6.18 with pages of 4096 bytes).
LINEAR_BYTES = 3520


@dataclass(frozen=True)
class Frame:
    """One frame and the cells it must change.

    live_only: BPF_PROG_TEST_RUN cannot show it to a program: it is shorter than 14 bytes, longer than LINEAR_BYTES (the
    frags twin of XDP can be run on those all the same), or has a tag beside the packet. tc has further limits, see
    tc_test_run_refuses().
    """

    name: str
    wire: bytes
    expect: Counts
    direction: Direction = "rx"
    link: Link = "ethernet"
    skb: Skb | None = None
    live_only: bool = False


def tc_test_run_refuses(wire: bytes, skb: Skb | None = None) -> bool:
    """Return True if BPF_PROG_TEST_RUN of a tc program may return EINVAL, as 6.18 does, although XDP runs the frame.

    It wants a whole IPv4 or IPv6 header where the outer ethertype says so, and no wire_len below the frame's length.
    Behind a VLAN tag the same cut headers are accepted.
    """
    shortest = {b"\x08\x00": 14 + 20, b"\x86\xdd": 14 + 40}.get(wire[12:14], 14)
    wire_len = skb.wire_len if skb and skb.wire_len is not None else len(wire)
    return not shortest <= len(wire) <= min(wire_len, LINEAR_BYTES)


def named(
    name: str,
    packet: Packet | bytes,
    cells: Counts,
    *,
    direction: Direction = "rx",
    link: Link = "ethernet",
    skb: Skb | None = None,
    live_only: bool = False,
) -> Frame:
    """Return a Frame of a scapy packet, with the lengths and checksums of scapy, or of raw bytes."""
    return Frame(name, bytes(packet), cells, direction, link, skb, live_only)


def expect(
    length: int,
    protocol: int,
    l3: str = "other",
    cast: str = "unicast",
    *,
    size: str | None = None,
    tcp: str | None = None,
    port: int | None = None,
    icmp: int | None = None,
    icmpv6: int | None = None,
    fragment: str | None = None,
    vlan: int | None = None,
) -> Counts:
    """Return the cells of a frame of `length` bytes that is one packet; the default size bin belongs to the length."""
    cells: list[Cell] = [("protocol", protocol), ("joint", l3, cast, size or size_label(length))]
    parts = (
        ("tcp_flags", tcp),
        ("udp_port", port),
        ("icmp", icmp),
        ("icmpv6", icmpv6),
        ("fragment", fragment),
        ("vlan", vlan),
    )
    cells += [(counter, value) for counter, value in parts if value is not None]
    return dict.fromkeys(cells, (1, length))


def size_label(length: int) -> str:
    if length > 1518:
        return ">1518"
    if length > 1023:
        return "1024-1518"
    if length > 511:
        return "512-1023"
    if length > 255:
        return "256-511"
    if length > 127:
        return "128-255"
    return "65-127" if length > 64 else "<=64"


def ether(destination: str = UNICAST, ethertype: int | None = None) -> Layers:
    """Return an Ethernet header; without an ethertype, scapy takes the ethertype of the next layer."""
    header = Ether(dst=destination, src=SOURCE)
    if ethertype is not None:
        header.type = ethertype
    return header


def ip4(**fields: Any) -> Layers:
    """Return an IPv4 header of protocol 253 (RFC 3692); given fields may be wrong."""
    return IP(**{"src": "192.0.2.1", "dst": "192.0.2.2", "proto": 253, **fields})


def ip6(**fields: Any) -> Layers:
    """Return an IPv6 header of next header 253; given fields may be wrong."""
    return IPv6(**{"src": "2001:db8::1", "dst": "2001:db8::2", "nh": 253, **fields})


def tcp4(flags: str, payload: int = 0, **fields: Any) -> Layers:
    return ip4(proto=6) / TCP(sport=40000, dport=443, flags=flags, **fields) / bytes(payload)


def tcp6(flags: str, payload: int = 0) -> Layers:
    return ip6(nh=6) / TCP(sport=40000, dport=443, flags=flags) / bytes(payload)


def udp4(sport: int, dport: int, payload: int = 0) -> Layers:
    return ip4(proto=17) / UDP(sport=sport, dport=dport) / bytes(payload)


def pad(packet: Packet | bytes, length: int) -> bytes:
    """Return the packet with zeros behind it, as a NIC pads short frames."""
    wire = bytes(packet)
    if len(wire) > length:
        raise ValueError(f"the packet has {len(wire)} bytes, more than {length}")
    return wire.ljust(length, b"\0")


def cut(packet: Packet | bytes, length: int) -> bytes:
    """Return the first `length` bytes of the packet."""
    wire = bytes(packet)
    if len(wire) <= length:
        raise ValueError(f"the packet has only {len(wire)} bytes, not above {length}")
    return wire[:length]
