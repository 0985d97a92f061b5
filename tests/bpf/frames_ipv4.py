"""Named frames: IPv4, its fragments and protocols, TCP, UDP and ICMP over it (rules 4 and 6)."""

from typing import Any

from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.l2 import GRE
from scapy.layers.sctp import SCTP, SCTPChunkInit
from scapy.packet import Raw

from tests.bpf.frame import (
    BROADCAST,
    MALFORMED,
    MULTICAST,
    TRUNCATED,
    Frame,
    Layers,
    cut,
    ether,
    expect,
    ip4,
    named,
    pad,
)

REFLECTION_PORTS = (19, 53, 123, 161, 389, 1900, 11211)


def ip(**fields: Any) -> Layers:
    """Return an Ethernet and an IPv4 header; given fields may be wrong."""
    return ether() / ip4(**fields)


def tcp(flags: str, **fields: Any) -> Layers:
    return ip(proto=6) / TCP(sport=40000, dport=443, flags=flags, **fields)


def udp(sport: int, dport: int, **fields: Any) -> Layers:
    return ip(proto=17) / UDP(sport=sport, dport=dport, **fields)


def transport(proto: int, content: bytes, **fields: Any) -> Layers:
    """Return IPv4 with raw bytes behind it, which scapy does not complete."""
    return ip(proto=proto, **fields) / Raw(content)


HEADER = [
    named("IPv4 cut by one byte", cut(ip(), 33), expect(33, TRUNCATED, "ipv4")),
    named("IPv4 of 1 byte", cut(ip(), 15), expect(15, TRUNCATED, "ipv4")),
    named("IPv4 header alone", ip(), expect(34, 253, "ipv4")),
    named("IPv4 type, version 6", ip(version=6), expect(34, MALFORMED, "ipv4")),
    named("IPv4 type, version 0", pad(ip(version=0), 60), expect(60, MALFORMED, "ipv4")),
    named(
        "IPv4 type, version 5 broadcast", ether(BROADCAST) / ip4(version=5), expect(34, MALFORMED, "ipv4", "broadcast")
    ),
    named("IPv4 of a wrong version, cut", cut(ip(version=7), 33), expect(33, TRUNCATED, "ipv4")),
    named("IHL 4", ip(ihl=4), expect(34, MALFORMED, "ipv4")),
    named("IHL 0", pad(ip(ihl=0), 60), expect(60, MALFORMED, "ipv4")),
    named("IHL 6, options missing", ip(ihl=6), expect(34, TRUNCATED, "ipv4")),
    named("IHL 6, options cut by one byte", ip(ihl=6, len=24) / bytes(3), expect(37, TRUNCATED, "ipv4")),
    named("IHL 6, options complete", ip(ihl=6, len=24) / bytes(4), expect(38, 253, "ipv4")),
    named("IHL 15, options cut by one byte", ip(ihl=15, len=60) / bytes(39), expect(73, TRUNCATED, "ipv4")),
    named("IHL 15, options complete", ip(ihl=15, len=60) / bytes(40), expect(74, 253, "ipv4")),
    named("IHL 15 before TCP", ip(ihl=15, proto=6) / bytes(40) / TCP(flags="S"), expect(94, 6, "ipv4", tcp="syn")),
    named("IHL 6 before DNS", ip(ihl=6, proto=17) / b"\x94\x04\0\0" / UDP(sport=53), expect(46, 17, "ipv4", port=53)),
    named("IHL 6 before ICMP", ip(ihl=6, proto=1) / b"\x94\x04\0\0" / ICMP(type=8), expect(46, 1, "ipv4", icmp=8)),
]

TOTAL_LENGTH = [
    named("total length 0", pad(ip(len=0), 60), expect(60, MALFORMED, "ipv4")),
    named("total length 19", pad(ip(len=19), 60), expect(60, MALFORMED, "ipv4")),
    named("total length 20", pad(ip(len=20), 60), expect(60, 253, "ipv4")),
    named("total length 23 with IHL 6", pad(ip(ihl=6, len=23), 60), expect(60, MALFORMED, "ipv4")),
    named("total length one too many", ip(len=47) / bytes(26), expect(60, TRUNCATED, "ipv4")),
    named("total length just right", ip(len=46) / bytes(26), expect(60, 253, "ipv4")),
    named("total length 65535", pad(ip(proto=6, len=65535) / TCP(flags="S"), 60), expect(60, TRUNCATED, "ipv4")),
    named("total length with swapped bytes", ip(proto=6, len=0x2800) / TCP(flags="S"), expect(54, TRUNCATED, "ipv4")),
    named("truncated fragment", pad(ip(proto=17, frag=10, len=47), 60), expect(60, TRUNCATED, "ipv4")),
    named("truncated DNS reply", cut(udp(53, 40000) / bytes(30), 71), expect(71, TRUNCATED, "ipv4")),
    named("padded SYN", pad(tcp("S"), 60), expect(60, 6, "ipv4", tcp="syn")),
    named("padded DNS reply", pad(udp(53, 40000), 60), expect(60, 17, "ipv4", port=53)),
    named("padded echo reply", pad(ip(proto=1) / ICMP(type=0), 60), expect(60, 1, "ipv4", icmp=0)),
    named("TCP header in the padding", pad(ip(proto=6, len=20) / TCP(flags="S"), 60), expect(60, MALFORMED, "ipv4")),
    named("last TCP byte in the padding", pad(ip(proto=6, len=39) / TCP(flags="S"), 60), expect(60, MALFORMED, "ipv4")),
    named("last UDP byte in the padding", pad(ip(proto=17, len=27) / UDP(sport=53), 60), expect(60, MALFORMED, "ipv4")),
    named("last ICMP byte in the padding", pad(ip(proto=1, len=27) / ICMP(), 60), expect(60, MALFORMED, "ipv4")),
    named(
        "TCP options in the padding",
        pad(ip(proto=6, len=40) / TCP(flags="S", dataofs=6), 60),
        expect(60, MALFORMED, "ipv4"),
    ),
    named("total length 0, 65535 bytes", pad(ip(len=0), 14 + 65535), expect(65549, MALFORMED, "ipv4"), live_only=True),
    named(
        "BIG TCP",
        pad(ip(proto=6, len=0) / TCP(flags="A"), 14 + 65536),
        expect(65550, 6, "ipv4", tcp="other"),
        live_only=True,
    ),
    named(
        "UDP length 0 of 65535 bytes",
        pad(ip(proto=17, len=0) / UDP(sport=53, len=0), 34 + 65535),
        expect(65569, MALFORMED, "ipv4"),
        live_only=True,
    ),
    named(
        "UDP length 0 of 65536 bytes",
        pad(ip(proto=17, len=0) / UDP(sport=53, len=0), 34 + 65536),
        expect(65570, 17, "ipv4", port=53),
        live_only=True,
    ),
]

FIRST = [
    named(
        "first fragment, SYN",
        ip(proto=6, flags="MF") / TCP(flags="S"),
        expect(54, 6, "ipv4", tcp="syn", fragment="first"),
    ),
    named(
        "first fragment, TCP options in the next",
        ip(proto=6, flags="MF") / TCP(flags="S", dataofs=15),
        expect(54, 6, "ipv4", tcp="syn", fragment="first"),
    ),
    named("first fragment, Data Offset 4", ip(proto=6, flags="MF") / TCP(dataofs=4), expect(54, MALFORMED, "ipv4")),
    named(
        "tiny first fragment, TCP", transport(6, bytes(TCP(flags="S"))[:19], flags="MF"), expect(53, MALFORMED, "ipv4")
    ),
    named("tiny first fragment, 8 bytes of TCP", transport(6, bytes(8), flags="MF"), expect(42, MALFORMED, "ipv4")),
    named(
        "first fragment, DNS reply",
        pad(ip(proto=17, flags="MF", len=44) / UDP(sport=53, len=2000), 60),
        expect(60, 17, "ipv4", port=53, fragment="first"),
    ),
    named(
        "tiny first fragment, UDP", transport(17, b"\0\x35\x9c\x40\0\x20\0", flags="MF"), expect(41, MALFORMED, "ipv4")
    ),
    named(
        "first fragment, echo request",
        ip(proto=1, flags="MF") / ICMP(type=8),
        expect(42, 1, "ipv4", icmp=8, fragment="first"),
    ),
    named("tiny first fragment, ICMP", transport(1, b"\x08" + bytes(6), flags="MF"), expect(41, MALFORMED, "ipv4")),
    named("first fragment, GRE", transport(47, bytes(8), flags="MF"), expect(42, 47, "ipv4", fragment="first")),
    named("first fragment, DF too", transport(253, b"", flags="MF+DF"), expect(34, 253, "ipv4", fragment="first")),
]

LATER = [
    named(
        "later fragment, UDP", transport(17, bytes(26), flags="MF", frag=185), expect(60, 17, "ipv4", fragment="later")
    ),
    named("last fragment, UDP", transport(17, b"\0\x35" * 4, frag=370), expect(42, 17, "ipv4", fragment="later")),
    named(
        "later fragment, TCP",
        transport(6, bytes(TCP(flags="S")), frag=1, flags="MF"),
        expect(54, 6, "ipv4", tcp="other", fragment="later"),
    ),
    named(
        "last fragment, 1 byte of TCP",
        transport(6, b"\x02", frag=2),
        expect(35, 6, "ipv4", tcp="other", fragment="later"),
    ),
    named("last fragment, ICMP", transport(1, bytes(3), frag=185), expect(37, 1, "ipv4", fragment="later")),
    named("last fragment, nothing in it", ip(proto=17, frag=185), expect(34, 17, "ipv4", fragment="later")),
    named("largest fragment offset", transport(253, b"", frag=8191), expect(34, 253, "ipv4", fragment="later")),
    named("high bit of the offset", transport(17, b"", frag=4096), expect(34, 17, "ipv4", fragment="later")),
    named(
        "multicast fragment",
        ether(MULTICAST) / ip4(frag=1, proto=17),
        expect(34, 17, "ipv4", "multicast", fragment="later"),
    ),
    named("don't fragment", ip(proto=6, flags="DF") / TCP(flags="S"), expect(54, 6, "ipv4", tcp="syn")),
    named("reserved flag", ip(proto=6, flags="evil") / TCP(flags="S"), expect(54, 6, "ipv4", tcp="syn")),
]

OTHER_PROTOCOLS = [
    named(
        "IGMP",
        pad(ether("01:00:5e:00:00:16") / ip4(dst="224.0.0.22", proto=2, ttl=1) / bytes(16), 60),
        expect(60, 2, "ipv4", "multicast"),
    ),
    named(
        "OSPF",
        ether("01:00:5e:00:00:05") / ip4(dst="224.0.0.5", proto=89) / bytes(44),
        expect(78, 89, "ipv4", "multicast", size="65-127"),
    ),
    named("GRE", ip(proto=47) / GRE() / ip4(proto=6) / TCP(flags="S"), expect(78, 47, "ipv4")),
    named("IP in IP", ip(proto=4) / ip4(proto=6) / TCP(flags="S"), expect(74, 4, "ipv4")),
    named("IPv6 in IPv4", transport(41, b"\x60" + bytes(39)), expect(74, 41, "ipv4")),
    named("ESP", transport(50, bytes(36)), expect(70, 50, "ipv4")),
    named("AH", transport(51, b"\x06\x04" + bytes(22) + bytes(TCP(flags="S"))), expect(78, 51, "ipv4")),
    named("SCTP", ip(proto=132) / SCTP() / SCTPChunkInit(), expect(66, 132, "ipv4")),
    named("VRRP", transport(112, bytes(20)), expect(54, 112, "ipv4")),
    named("protocol 0", transport(0, bytes(8)), expect(42, 0, "ipv4")),
    named("protocol 255", transport(255, bytes(8)), expect(42, 255, "ipv4")),
    named("ICMPv6 over IPv4", transport(58, b"\x80" + bytes(7)), expect(42, 58, "ipv4")),
    named("ICMPv6 over IPv4, 3 bytes", transport(58, b"\x80\0\0"), expect(37, 58, "ipv4")),
    named("fragment header over IPv4", transport(44, bytes(8)), expect(42, 44, "ipv4")),
    named("destination options over IPv4", transport(60, b"\x11" + bytes(7)), expect(42, 60, "ipv4")),
]

TCP_FLAGS = [
    named(f"TCP flags {flags or 'none'}", tcp(flags), expect(54, 6, "ipv4", tcp=flag_class))
    for flags, flag_class in (
        ("S", "syn"),
        ("SA", "syn_ack"),
        ("SEC", "syn"),
        ("SAE", "syn_ack"),
        ("SP", "syn"),
        ("F", "fin"),
        ("FA", "fin"),
        ("FPA", "fin"),
        ("FPU", "fin"),
        ("R", "rst"),
        ("RA", "rst"),
        ("SR", "rst"),
        ("SRA", "rst"),
        ("RF", "rst"),
        ("SF", "syn"),
        ("SFA", "syn_ack"),
        ("FSRPAUEC", "rst"),
        ("", "other"),
        ("A", "other"),
        ("PA", "other"),
        ("U", "other"),
        ("EC", "other"),
        ("N", "other"),
        ("NS", "syn"),
    )
]

TCP_HEADER = [
    named("TCP cut by one byte", transport(6, bytes(TCP(flags="S"))[:19]), expect(53, MALFORMED, "ipv4")),
    named("TCP missing", ip(proto=6), expect(34, MALFORMED, "ipv4")),
    named("Data Offset 0", tcp("S", dataofs=0), expect(54, MALFORMED, "ipv4")),
    named("Data Offset 4", tcp("S", dataofs=4), expect(54, MALFORMED, "ipv4")),
    named("Data Offset 6, options missing", tcp("S", dataofs=6), expect(54, MALFORMED, "ipv4")),
    named("Data Offset 6, options cut", tcp("S", dataofs=6) / bytes(3), expect(57, MALFORMED, "ipv4")),
    named("Data Offset 6, options complete", tcp("S", dataofs=6) / bytes(4), expect(58, 6, "ipv4", tcp="syn")),
    named("Data Offset 15, options cut", tcp("A", dataofs=15) / bytes(39), expect(93, MALFORMED, "ipv4")),
    named("Data Offset 15, options complete", tcp("A", dataofs=15) / bytes(40), expect(94, 6, "ipv4", tcp="other")),
    named("TCP from port 53", ip(proto=6) / TCP(sport=53, dport=53, flags="A"), expect(54, 6, "ipv4", tcp="other")),
]

UDP_HEADER = (
    [named(f"UDP from port {port}", udp(port, 40000), expect(42, 17, "ipv4", port=port)) for port in REFLECTION_PORTS]
    + [named(f"UDP to port {port}", udp(40000, port), expect(42, 17, "ipv4")) for port in REFLECTION_PORTS]
    + [
        named(f"UDP from port {port}, beside a reflection port", udp(port, 40000), expect(42, 17, "ipv4"))
        for port in (0, 18, 20, 52, 54, 0x3500, 122, 124, 162, 390, 1901, 11212, 0xFFFF)
    ]
    + [
        named("UDP from port 53 to port 123", udp(53, 123), expect(42, 17, "ipv4", port=53)),
        named("DNS reply of 512 bytes", udp(53, 40000) / bytes(512), expect(554, 17, "ipv4", port=53)),
        named("UDP missing", ip(proto=17), expect(34, MALFORMED, "ipv4")),
        named("UDP cut by one byte", transport(17, b"\0\x35\x9c\x40\0\x08\0"), expect(41, MALFORMED, "ipv4")),
        named("UDP length 0", udp(53, 40000, len=0), expect(42, MALFORMED, "ipv4")),
        named("UDP length 7", udp(53, 40000, len=7), expect(42, MALFORMED, "ipv4")),
        named("UDP length 8 with more behind it", udp(53, 40000, len=8) / bytes(8), expect(50, 17, "ipv4", port=53)),
        named("UDP length above what is there", udp(53, 40000, len=9), expect(42, 17, "ipv4", port=53)),
    ]
)

ICMP_TYPES = [
    named(
        f"ICMP type {number}", ip(proto=1) / ICMP(type=number) / bytes(28 - fixed), expect(62, 1, "ipv4", icmp=number)
    )
    for number, fixed in ((0, 8), (3, 8), (5, 8), (8, 8), (11, 8), (255, 8))
]

ICMP_HEADER = [
    named("ICMP of 8 bytes", transport(1, b"\x0b" + bytes(7)), expect(42, 1, "ipv4", icmp=11)),
    named("ICMP cut by one byte", transport(1, b"\x08" + bytes(6)), expect(41, MALFORMED, "ipv4")),
    named("ICMP missing", ip(proto=1), expect(34, MALFORMED, "ipv4")),
    named(
        "broadcast echo request",
        ether(BROADCAST) / ip4(dst="192.0.2.255", proto=1) / ICMP(type=8) / bytes(56),
        expect(98, 1, "ipv4", "broadcast", size="65-127", icmp=8),
    ),
]

FRAMES: list[Frame] = [
    *HEADER,
    *TOTAL_LENGTH,
    *FIRST,
    *LATER,
    *OTHER_PROTOCOLS,
    *TCP_FLAGS,
    *TCP_HEADER,
    *UDP_HEADER,
    *ICMP_TYPES,
    *ICMP_HEADER,
]
