"""Named frames: IPv6, its extension headers and fragments, and what it carries (rules 5 and 6)."""

from typing import Any

from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import (
    HBHOptUnknown,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6MLQuery,
    ICMPv6MLReport2,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6ND_RS,
    ICMPv6PacketTooBig,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    IPv6ExtHdrSegmentRouting,
    Jumbo,
    RouterAlert,
)
from scapy.packet import Raw

from tests.bpf.frame import MALFORMED, MULTICAST6, TRUNCATED, Frame, Layers, cut, ether, expect, ip6, named, pad

SYN = bytes(TCP(sport=40000, dport=443, flags="S"))
DNS_REPLY = bytes(UDP(sport=53, dport=40000, len=8))
ECHO = b"\x80" + bytes(7)
HOP, ROUTE, FRAG, DEST, MOBILITY = 0, 43, 44, 60, 135


def ip(**fields: Any) -> Layers:
    """Return an Ethernet and an IPv6 header; given fields may be wrong."""
    return ether() / ip6(**fields)


def carry(next_header: int, content: bytes, **fields: Any) -> Layers:
    """Return IPv6 with raw bytes behind it, which scapy does not complete."""
    return ip(nh=next_header, **fields) / Raw(content)


def extension(next_header: int, units: int = 0) -> bytes:
    """Return a hop-by-hop, routing, destination or mobility header of (units + 1) x 8 bytes of padding (RFC 8200)."""
    room = units * 8 + 4
    return bytes((next_header, units, 1, room)) + bytes(room)


def fragment(next_header: int, offset: int = 0, more: bool = False, reserved: int = 0) -> bytes:
    """Return a fragment header (RFC 8200, 4.5); `reserved` is its 8 reserved bits and then the 2 before M."""
    return (
        bytes((next_header, reserved >> 2)) + (offset << 3 | (reserved & 3) << 1 | more).to_bytes(2, "big") + bytes(4)
    )


def chain(*kinds: int, last: int, content: bytes) -> Layers:
    """Return 8-byte extension headers of these kinds (fragments atomic), then `content` of protocol `last`."""
    headers = [
        fragment(following) if kind == FRAG else extension(following)
        for kind, following in zip(kinds, (*kinds[1:], last), strict=True)
    ]
    return carry(kinds[0], b"".join(headers) + content)


HEADER = [
    named("IPv6 cut by one byte", cut(ip(), 53), expect(53, TRUNCATED, "ipv6")),
    named("IPv6 of 1 byte", cut(ip(), 15), expect(15, TRUNCATED, "ipv6")),
    named("IPv6 header alone", ip(), expect(54, 253, "ipv6")),
    named("IPv6 type, version 4", ip(version=4), expect(54, MALFORMED, "ipv6")),
    named("IPv6 type, version 0", pad(ip(version=0), 60), expect(60, MALFORMED, "ipv6")),
    named(
        "IPv6 type, version 7 multicast", ether(MULTICAST6) / ip6(version=7), expect(54, MALFORMED, "ipv6", "multicast")
    ),
    named("IPv6 of a wrong version, cut", cut(ip(version=7), 53), expect(53, TRUNCATED, "ipv6")),
    named("IPv6 packet of type IPv4", ether(ethertype=0x0800) / ip6(), expect(54, MALFORMED, "ipv4")),
    named(
        "traffic class and flow label", ip(nh=17, tc=255, fl=0xFFFFF) / UDP(sport=53), expect(62, 17, "ipv6", port=53)
    ),
    named("payload length one too many", ip(plen=7) / bytes(6), expect(60, TRUNCATED, "ipv6")),
    named("payload length just right", ip(plen=6) / bytes(6), expect(60, 253, "ipv6")),
    named("payload length 65535", ip(nh=6, plen=65535) / TCP(flags="S"), expect(74, TRUNCATED, "ipv6")),
    named("truncated extension header", cut(chain(HOP, last=17, content=DNS_REPLY), 69), expect(69, TRUNCATED, "ipv6")),
    named("payload length 0, TCP", pad(ip(nh=6, plen=0) / TCP(flags="S"), 74), expect(74, MALFORMED, "ipv6")),
    named("payload length 0, hop-by-hop", ip(nh=HOP, plen=0) / extension(59), expect(62, MALFORMED, "ipv6")),
    named("payload length 0, protocol 253", pad(ip(plen=0), 60), expect(60, 253, "ipv6")),
    named("padded UDP over IPv6", pad(carry(17, DNS_REPLY), 64), expect(64, 17, "ipv6", port=53)),
    named("last TCP byte behind the payload", ip(nh=6, plen=19) / TCP(flags="S"), expect(74, MALFORMED, "ipv6")),
    named("extension header behind the payload", ip(nh=DEST, plen=7) / extension(59), expect(62, MALFORMED, "ipv6")),
    named(
        "BIG TCP over IPv6 with jumbo option",
        pad(ip(nh=HOP, plen=0) / IPv6ExtHdrHopByHop(nh=6, options=[Jumbo(jumboplen=65536)]) / TCP(flags="A"), 65590),
        expect(65590, 6, "ipv6", tcp="other"),
        live_only=True,
    ),
    named("BIG TCP over IPv6", pad(ip(nh=6, plen=0) / SYN, 65590), expect(65590, 6, "ipv6", tcp="syn"), live_only=True),
    named(
        "payload length 0, 65535 left",
        pad(ip(nh=6, plen=0) / SYN, 65589),
        expect(65589, MALFORMED, "ipv6"),
        live_only=True,
    ),
    named(
        "jumbogram, UDP length 0 of 65536 bytes",
        pad(ip(nh=17, plen=0) / UDP(sport=53, len=0), 65590),
        expect(65590, 17, "ipv6", port=53),
        live_only=True,
    ),
    named(
        "jumbogram, UDP length 0 of 65535 bytes",
        pad(ip(nh=DEST, plen=0) / extension(17) / UDP(sport=53, len=0), 54 + 8 + 65535),
        expect(65597, MALFORMED, "ipv6"),
        live_only=True,
    ),
]

CARRIED = [
    named("TCP SYN over IPv6", ip(nh=6) / TCP(flags="S"), expect(74, 6, "ipv6", tcp="syn")),
    named("TCP SYN+ACK over IPv6", ip(nh=6) / TCP(flags="SA"), expect(74, 6, "ipv6", tcp="syn_ack")),
    named("TCP XMAS over IPv6", ip(nh=6) / TCP(flags="FPU"), expect(74, 6, "ipv6", tcp="fin")),
    named("TCP cut by one byte over IPv6", carry(6, SYN[:19]), expect(73, MALFORMED, "ipv6")),
    named("Data Offset 6, options missing, over IPv6", ip(nh=6) / TCP(dataofs=6), expect(74, MALFORMED, "ipv6")),
    named("DNS reply over IPv6", ip(nh=17) / UDP(sport=53, dport=40000), expect(62, 17, "ipv6", port=53)),
    named("DNS query over IPv6", ip(nh=17) / UDP(sport=40000, dport=53), expect(62, 17, "ipv6")),
    named("UDP cut by one byte over IPv6", carry(17, DNS_REPLY[:7]), expect(61, MALFORMED, "ipv6")),
    named("UDP length 0 over IPv6", ip(nh=17) / UDP(sport=53, len=0), expect(62, MALFORMED, "ipv6")),
    named("echo request over IPv6", ip(nh=58) / ICMPv6EchoRequest(), expect(62, 58, "ipv6", icmpv6=128)),
    named("echo reply over IPv6", ip(nh=58) / ICMPv6EchoReply(data=bytes(56)), expect(118, 58, "ipv6", icmpv6=129)),
    named("packet too big", ip(nh=58) / ICMPv6PacketTooBig() / bytes(40), expect(102, 58, "ipv6", icmpv6=2)),
    named(
        "router solicitation",
        ether(MULTICAST6) / ip6(nh=58) / ICMPv6ND_RS(),
        expect(62, 58, "ipv6", "multicast", icmpv6=133),
    ),
    named(
        "router advertisement",
        ether(MULTICAST6) / ip6(nh=58) / ICMPv6ND_RA(),
        expect(70, 58, "ipv6", "multicast", icmpv6=134),
    ),
    named(
        "neighbour solicitation",
        ether(MULTICAST6) / ip6(nh=58) / ICMPv6ND_NS(),
        expect(78, 58, "ipv6", "multicast", icmpv6=135),
    ),
    named("neighbour advertisement", ip(nh=58) / ICMPv6ND_NA(), expect(78, 58, "ipv6", icmpv6=136)),
    named("ICMPv6 redirect", ip(nh=58) / ICMPv6ND_Redirect(), expect(94, 58, "ipv6", icmpv6=137)),
    named(
        "MLD query",
        ether(MULTICAST6) / ip6(nh=HOP) / IPv6ExtHdrHopByHop(nh=58, options=[RouterAlert()]) / ICMPv6MLQuery(),
        expect(86, 58, "ipv6", "multicast", icmpv6=130),
    ),
    named(
        "MLDv2 report",
        ether("33:33:00:00:00:16")
        / ip6(nh=HOP)
        / IPv6ExtHdrHopByHop(nh=58, options=[RouterAlert()])
        / ICMPv6MLReport2(),
        expect(70, 58, "ipv6", "multicast", icmpv6=143),
    ),
    named("ICMPv6 of 4 bytes", carry(58, b"\x01\0\0\0"), expect(58, 58, "ipv6", icmpv6=1)),
    named("ICMPv6 cut by one byte", carry(58, b"\x80\0\0"), expect(57, MALFORMED, "ipv6")),
    named("ICMPv6 missing", ip(nh=58), expect(54, MALFORMED, "ipv6")),
    named("ICMPv6 type 255", carry(58, b"\xff" + bytes(7)), expect(62, 58, "ipv6", icmpv6=255)),
    named("ICMP over IPv6", carry(1, b"\x08" + bytes(7)), expect(62, 1, "ipv6")),
    named("ICMP over IPv6, 1 byte", carry(1, b"\x08"), expect(55, 1, "ipv6")),
    named("no next header", carry(59, b""), expect(54, 59, "ipv6")),
    named("no next header with bytes", carry(59, SYN), expect(74, 59, "ipv6")),
    named("ESP over IPv6", carry(50, bytes(36)), expect(90, 50, "ipv6")),
    named("AH over IPv6 is not walked", carry(51, b"\x06\x04" + bytes(22) + SYN), expect(98, 51, "ipv6")),
    named("GRE over IPv6", carry(47, b"\0\0\x86\xdd" + bytes(40)), expect(98, 47, "ipv6")),
    named("SCTP over IPv6", carry(132, bytes(32)), expect(86, 132, "ipv6")),
    named("OSPFv3", ether("33:33:00:00:00:05") / ip6(nh=89) / bytes(36), expect(90, 89, "ipv6", "multicast")),
    named("IPv4 in IPv6", carry(4, b"\x45" + bytes(19)), expect(74, 4, "ipv6")),
    named("host identity header is not walked", carry(139, extension(6) + SYN), expect(82, 139, "ipv6")),
    named("shim6 header is not walked", carry(140, extension(6) + SYN), expect(82, 140, "ipv6")),
]

EXTENSIONS = [
    named(
        "hop-by-hop",
        ip(nh=HOP) / IPv6ExtHdrHopByHop(nh=17, options=[HBHOptUnknown(otype=5, optdata=bytes(2))]) / UDP(sport=53),
        expect(70, 17, "ipv6", port=53),
    ),
    named(
        "destination options", ip(nh=DEST) / IPv6ExtHdrDestOpt(nh=6) / TCP(flags="S"), expect(82, 6, "ipv6", tcp="syn")
    ),
    named(
        "routing",
        ip(nh=ROUTE) / IPv6ExtHdrRouting(nh=6, addresses=["2001:db8::3"]) / TCP(flags="R"),
        expect(98, 6, "ipv6", tcp="rst"),
    ),
    named(
        "segment routing",
        ip(nh=ROUTE) / IPv6ExtHdrSegmentRouting(nh=58, addresses=["2001:db8::3", "2001:db8::4"]) / ICMPv6EchoRequest(),
        expect(102, 58, "ipv6", icmpv6=128),
    ),
    named("mobility", carry(MOBILITY, extension(59, 1)), expect(70, 59, "ipv6")),
    named("mobility then TCP", carry(MOBILITY, extension(6) + SYN), expect(82, 6, "ipv6", tcp="syn")),
    named(
        "hop-by-hop behind another header",
        chain(DEST, HOP, last=17, content=DNS_REPLY),
        expect(78, 17, "ipv6", port=53),
    ),
    named(
        "chain of all five",
        chain(HOP, DEST, ROUTE, FRAG, MOBILITY, last=6, content=SYN),
        expect(114, 6, "ipv6", tcp="syn"),
    ),
    named("chain that ends in ESP", chain(HOP, DEST, last=50, content=bytes(36)), expect(106, 50, "ipv6")),
    named(
        "chain that ends in AH", chain(ROUTE, last=51, content=b"\x06\x04" + bytes(22) + SYN), expect(106, 51, "ipv6")
    ),
    named("chain that ends in no next header", chain(HOP, last=59, content=b""), expect(62, 59, "ipv6")),
    named("7 extension headers", chain(*[DEST] * 7, last=17, content=DNS_REPLY), expect(118, 17, "ipv6", port=53)),
    named("8 extension headers", chain(*[DEST] * 8, last=17, content=DNS_REPLY), expect(126, 17, "ipv6", port=53)),
    named(
        "8 extension headers of all kinds",
        chain(0, 60, 43, 44, 135, 0, 60, 43, last=58, content=ECHO),
        expect(126, 58, "ipv6", icmpv6=128),
    ),
    named("8 extension headers, then AH", chain(*[DEST] * 8, last=51, content=bytes(24)), expect(142, 51, "ipv6")),
    named("8 extension headers, then nothing", chain(*[DEST] * 8, last=59, content=b""), expect(118, 59, "ipv6")),
    named("8 extension headers, TCP missing", chain(*[DEST] * 8, last=6, content=b""), expect(118, MALFORMED, "ipv6")),
    named("9 extension headers", chain(*[DEST] * 9, last=17, content=DNS_REPLY), expect(134, MALFORMED, "ipv6")),
    named(
        "9 extension headers, the ninth a fragment",
        chain(*[DEST] * 8, FRAG, last=17, content=DNS_REPLY),
        expect(134, MALFORMED, "ipv6"),
    ),
    named("9 fragment headers", chain(*[FRAG] * 9, last=17, content=DNS_REPLY), expect(134, MALFORMED, "ipv6")),
    named("ninth extension header missing", chain(*[DEST] * 8, last=DEST, content=b""), expect(118, MALFORMED, "ipv6")),
    named("30 extension headers", chain(*[DEST] * 30, last=17, content=DNS_REPLY), expect(302, MALFORMED, "ipv6")),
    named("extension header missing", carry(DEST, b""), expect(54, MALFORMED, "ipv6")),
    named("extension header of 7 bytes", carry(DEST, extension(59)[:7]), expect(61, MALFORMED, "ipv6")),
    named("fragment header of 7 bytes", carry(FRAG, fragment(17)[:7]), expect(61, MALFORMED, "ipv6")),
    named("routing header cut by one byte", carry(ROUTE, extension(59, 3)[:31]), expect(85, MALFORMED, "ipv6")),
    named("routing header just complete", carry(ROUTE, extension(59, 3)), expect(86, 59, "ipv6")),
    named(
        "hop-by-hop longer than the payload",
        carry(HOP, b"\x11\x02" + bytes(6) + DNS_REPLY),
        expect(70, MALFORMED, "ipv6"),
    ),
    named("hop-by-hop of 8 bytes that says 16", carry(HOP, b"\x3b\x01" + bytes(6)), expect(62, MALFORMED, "ipv6")),
    named("hop-by-hop of the whole payload", carry(HOP, b"\x11\x01" + bytes(14)), expect(70, MALFORMED, "ipv6")),
    named(
        "longest extension header",
        carry(DEST, extension(17, 0)[:1] + b"\xff" + bytes(2046) + DNS_REPLY),
        expect(2110, 17, "ipv6", port=53),
    ),
    named("longest extension header, cut", carry(DEST, b"\x11\xff" + bytes(2045)), expect(2101, MALFORMED, "ipv6")),
    named(
        "UDP cut behind an extension header", chain(HOP, last=17, content=DNS_REPLY[:7]), expect(69, MALFORMED, "ipv6")
    ),
    named("TCP cut behind an extension header", chain(HOP, last=6, content=SYN[:19]), expect(81, MALFORMED, "ipv6")),
]

FRAGMENTS = [
    named(
        "atomic fragment",
        ip(nh=FRAG) / IPv6ExtHdrFragment(nh=17, id=1) / UDP(sport=53),
        expect(70, 17, "ipv6", port=53),
    ),
    named(
        "atomic fragment, reserved bits set",
        carry(FRAG, fragment(17, reserved=0x3FF) + DNS_REPLY),
        expect(70, 17, "ipv6", port=53),
    ),
    named(
        "first fragment over IPv6, SYN",
        ip(nh=FRAG) / IPv6ExtHdrFragment(nh=6, m=1, id=1) / TCP(flags="S"),
        expect(82, 6, "ipv6", tcp="syn", fragment="first"),
    ),
    named(
        "first fragment over IPv6, TCP options in the next",
        ip(nh=FRAG) / IPv6ExtHdrFragment(nh=6, m=1) / TCP(flags="A", dataofs=8),
        expect(82, 6, "ipv6", tcp="other", fragment="first"),
    ),
    named(
        "atomic fragment, TCP options missing",
        ip(nh=FRAG) / IPv6ExtHdrFragment(nh=6) / TCP(flags="A", dataofs=8),
        expect(82, MALFORMED, "ipv6"),
    ),
    named(
        "first fragment over IPv6, echo request",
        carry(FRAG, fragment(58, more=True) + ECHO),
        expect(70, 58, "ipv6", icmpv6=128, fragment="first"),
    ),
    named(
        "first fragment over IPv6, DNS reply",
        carry(FRAG, fragment(17, more=True) + DNS_REPLY),
        expect(70, 17, "ipv6", port=53, fragment="first"),
    ),
    named(
        "first fragment over IPv6, ESP",
        carry(FRAG, fragment(50, more=True) + bytes(8)),
        expect(70, 50, "ipv6", fragment="first"),
    ),
    named(
        "tiny first fragment over IPv6, TCP",
        carry(FRAG, fragment(6, more=True) + SYN[:8]),
        expect(70, MALFORMED, "ipv6"),
    ),
    named("tiny first fragment over IPv6, UDP", carry(FRAG, fragment(17, more=True)), expect(62, MALFORMED, "ipv6")),
    named(
        "tiny first fragment over IPv6, ICMPv6",
        carry(FRAG, fragment(58, more=True) + ECHO[:3]),
        expect(65, MALFORMED, "ipv6"),
    ),
    named("first fragment, chain in the next", carry(FRAG, fragment(DEST, more=True)), expect(62, MALFORMED, "ipv6")),
    named(
        "first fragment, then destination options",
        carry(FRAG, fragment(DEST, more=True) + extension(6) + SYN),
        expect(90, 6, "ipv6", tcp="syn", fragment="first"),
    ),
    named(
        "later fragment over IPv6, UDP",
        carry(FRAG, fragment(17, 185, True) + DNS_REPLY),
        expect(70, 17, "ipv6", fragment="later"),
    ),
    named("last fragment over IPv6, UDP", carry(FRAG, fragment(17, 370)), expect(62, 17, "ipv6", fragment="later")),
    named(
        "later fragment over IPv6, TCP",
        carry(FRAG, fragment(6, 1, True) + SYN),
        expect(82, 6, "ipv6", tcp="other", fragment="later"),
    ),
    named(
        "later fragment over IPv6, ICMPv6",
        carry(FRAG, fragment(58, 1) + b"\x80"),
        expect(63, 58, "ipv6", fragment="later"),
    ),
    named(
        "later fragment, destination options next",
        carry(FRAG, fragment(DEST, 2) + SYN),
        expect(82, 60, "ipv6", fragment="later"),
    ),
    named("later fragment, hop-by-hop next", carry(FRAG, fragment(HOP, 2)), expect(62, 0, "ipv6", fragment="later")),
    named("later fragment, fragment next", carry(FRAG, fragment(FRAG, 2)), expect(62, 44, "ipv6", fragment="later")),
    named(
        "largest fragment offset over IPv6", carry(FRAG, fragment(17, 8191)), expect(62, 17, "ipv6", fragment="later")
    ),
    named(
        "later fragment as the eighth header",
        carry(DEST, extension(DEST) * 6 + extension(FRAG) + fragment(6, 9)),
        expect(118, 6, "ipv6", tcp="other", fragment="later"),
    ),
    named(
        "later fragment as the ninth header",
        carry(DEST, extension(DEST) * 7 + extension(FRAG) + fragment(6, 9)),
        expect(126, MALFORMED, "ipv6"),
    ),
    named("later fragment cut", cut(carry(FRAG, fragment(17, 185) + DNS_REPLY), 69), expect(69, TRUNCATED, "ipv6")),
    named(
        "first fragment header, then a later one",
        carry(FRAG, fragment(FRAG, 0, True) + fragment(17, 5) + DNS_REPLY),
        expect(78, 17, "ipv6", fragment="later"),
    ),
    named(
        "two first fragment headers",
        carry(FRAG, fragment(FRAG, 0, True) + fragment(17, 0, True) + DNS_REPLY),
        expect(78, 17, "ipv6", port=53, fragment="first"),
    ),
    named(
        "first fragment header, then an atomic one",
        carry(FRAG, fragment(FRAG, 0, True) + fragment(17) + DNS_REPLY),
        expect(78, 17, "ipv6", port=53, fragment="first"),
    ),
]

FRAMES: list[Frame] = [*HEADER, *CARRIED, *EXTENSIONS, *FRAGMENTS]
