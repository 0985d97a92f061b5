"""Named frames of tc: tags that the kernel keeps beside the packet, and super-frames."""

from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.l2 import Dot1AD, Dot1Q
from scapy.packet import Packet

from tests.bpf.frame import (
    ARP,
    BROADCAST,
    MALFORMED,
    OTHER,
    TRUNCATED,
    Frame,
    cut,
    ether,
    expect,
    ip4,
    ip6,
    named,
    pad,
    tcp4,
    tcp6,
    udp4,
)
from tests.bpf.reference import Counts, Skb

TAG, SERVICE_TAG = Dot1Q(vlan=10), Dot1AD(vlan=100)


def tc(name: str, packet: Packet | bytes, skb: Skb, cells: Counts, *, tx: bool = False) -> Frame:
    """Return a frame of tc. TEST_RUN cannot put a tag beside the packet (__sk_buff's vlan fields must be 0 there)."""
    return named(name, packet, cells, direction="tx" if tx else "rx", skb=skb, live_only=skb.vlan_present)


TAGGED = Skb(vlan_present=True)

TAG_BESIDE: list[Frame] = [
    tc(
        "tag beside, 60 bytes",
        pad(ether() / tcp4("S"), 60),
        TAGGED,
        expect(64, 6, "ipv4", size="<=64", tcp="syn", vlan=1),
    ),
    tc(
        "tag beside, 61 bytes",
        pad(ether() / tcp4("S"), 61),
        TAGGED,
        expect(65, 6, "ipv4", size="65-127", tcp="syn", vlan=1),
    ),
    tc("tag beside, ARP", ether(BROADCAST, 0x0806) / bytes(28), TAGGED, expect(46, ARP, "arp", "broadcast", vlan=1)),
    tc("tag beside, tag within", ether() / TAG / udp4(53, 40000), TAGGED, expect(50, 17, "ipv4", port=53, vlan=2)),
    tc("tag beside, service tag within", ether() / SERVICE_TAG / udp4(1, 2), TAGGED, expect(50, 17, "ipv4", vlan=2)),
    tc("tag beside, two within", ether() / SERVICE_TAG / TAG / udp4(53, 1), TAGGED, expect(54, OTHER, vlan=2)),
    tc("tag beside, tag within cut", cut(ether() / TAG, 17), TAGGED, expect(21, TRUNCATED, vlan=1)),
    tc("tag beside, IPv4 cut", cut(ether() / ip4(), 33), TAGGED, expect(37, TRUNCATED, "ipv4", vlan=1)),
    tc("tag beside, IHL 4", ether() / ip4(ihl=4), TAGGED, expect(38, MALFORMED, "ipv4", vlan=1)),
    tc("tag beside, sent", ether() / udp4(40000, 53), TAGGED, expect(46, 17, "ipv4", port=53, vlan=1), tx=True),
]


def gso(size: int, segments: int = 0, *, tag: bool = False, wire_len: int | None = None) -> Skb:
    return Skb(vlan_present=tag, gso_size=size, gso_segs=segments, wire_len=wire_len)


def split(*cells: tuple[tuple[str | int, ...], int, int]) -> Counts:
    """Return cells with their packets and bytes."""
    return {cell: (packets, length_bytes) for cell, packets, length_bytes in cells}


def super_frame(
    packets: int,
    total: int,
    protocol: int,
    l3_class: str,
    sizes: dict[str, tuple[int, int]],
    *cells: tuple[str | int, ...],
) -> Counts:
    """Return the cells of a unicast super-frame of `packets` wire frames and `total` bytes with joint cells `sizes`."""
    counts: Counts = {("joint", l3_class, "unicast", size): counted for size, counted in sizes.items()}
    counts.update(dict.fromkeys((("protocol", protocol), *cells), (packets, total)))
    return counts


OTHER_FLAGS = ("tcp_flags", "other")
# 54 bytes of headers and 250 of payload in segments of 100: 154 + 154 + 104 bytes on the wire.
THREE = {"128-255": (2, 308), "65-127": (1, 104)}
BULK = super_frame(3, 412, 6, "ipv4", THREE, OTHER_FLAGS)

ZERO_LENGTH = ip4(proto=6, len=0) / TCP(sport=40000, dport=443, flags="A") / bytes(250)

SEGMENTS: list[Frame] = [
    tc("super-frame, TCP", ether() / tcp4("A", 250), gso(100, 3), BULK),
    tc("super-frame, TCP, gso_segs 0", ether() / tcp4("A", 250), gso(100), BULK),
    tc("super-frame, TCP, sent", ether() / tcp4("PA", 250), gso(100, 3), BULK, tx=True),
    tc(
        "super-frame, TCP SYN",
        ether() / tcp4("S", 250),
        gso(100, 3),
        super_frame(3, 412, 6, "ipv4", THREE, ("tcp_flags", "syn")),
    ),
    tc(
        "super-frame, TCP FIN",
        ether() / tcp4("FA", 250),
        gso(100, 3),
        super_frame(3, 412, 6, "ipv4", THREE) | split((OTHER_FLAGS, 2, 308), (("tcp_flags", "fin"), 1, 104)),
    ),
    tc(
        "super-frame, TCP RST, gso_segs 0",
        ether() / tcp4("R", 250),
        gso(100),
        super_frame(3, 412, 6, "ipv4", THREE) | split((OTHER_FLAGS, 2, 308), (("tcp_flags", "rst"), 1, 104)),
    ),
    tc("super-frame, TCP, total length 0", ether() / ZERO_LENGTH, gso(100, 3), BULK),
    tc("super-frame, TCP, total length 0, sent", ether() / ZERO_LENGTH, gso(100), BULK, tx=True),
    tc(
        "super-frame, UDP, total length 0",
        ether() / ip4(proto=17, len=0) / UDP(sport=1, dport=2) / bytes(250),
        gso(100, 3),
        split(
            (("protocol", MALFORMED), 3, 360),
            (("joint", "ipv4", "unicast", "128-255"), 2, 268),
            (("joint", "ipv4", "unicast", "65-127"), 1, 92),
        ),
    ),
    tc("TCP, total length 0", ether() / ZERO_LENGTH, gso(0), expect(304, MALFORMED, "ipv4")),
    tc("TCP FIN, one segment", ether() / tcp4("FA", 50), gso(100, 1), expect(104, 6, "ipv4", tcp="fin")),
    tc("gso_size 0 with gso_segs", ether() / tcp4("A", 250), gso(0, 5), expect(304, 6, "ipv4", tcp="other")),
    tc("gso_size above the payload", ether() / tcp4("A", 50), gso(100), expect(104, 6, "ipv4", tcp="other")),
    tc("gso_size with no payload", ether() / tcp4("A"), gso(100), expect(54, 6, "ipv4", tcp="other")),
    tc("gso_size equal to the payload", ether() / tcp4("A", 100), gso(100), expect(154, 6, "ipv4", tcp="other")),
    tc(
        "payload of one byte more than a segment",
        ether() / tcp4("A", 101),
        gso(100),
        super_frame(2, 209, 6, "ipv4", {"128-255": (1, 154), "<=64": (1, 55)}, OTHER_FLAGS),
    ),
    tc(
        "payload of two whole segments",
        ether() / tcp4("A", 200),
        gso(100),
        super_frame(2, 308, 6, "ipv4", {"128-255": (2, 308)}, OTHER_FLAGS),
    ),
    tc(
        "segments of 64 and 65 bytes",
        ether() / tcp4("A", 21),
        gso(11, 2),
        super_frame(2, 129, 6, "ipv4", {"65-127": (1, 65), "<=64": (1, 64)}, OTHER_FLAGS),
    ),
    tc(
        "full segments",
        ether() / tcp4("A", 2920),
        gso(1460, 2),
        super_frame(2, 3028, 6, "ipv4", {"1024-1518": (2, 3028)}, OTHER_FLAGS),
    ),
    tc(
        "super-frame, TCP options",
        ether() / ip4(proto=6) / TCP(flags="A", dataofs=8) / bytes(12 + 250),
        gso(100),
        super_frame(3, 448, 6, "ipv4", {"128-255": (2, 332), "65-127": (1, 116)}, OTHER_FLAGS),
    ),
    tc(
        "super-frame, IPv6 TCP",
        ether() / tcp6("A", 250),
        gso(100),
        super_frame(3, 472, 6, "ipv6", {"128-255": (2, 348), "65-127": (1, 124)}, OTHER_FLAGS),
    ),
    tc(
        "super-frame, DNS replies",
        ether() / udp4(53, 40000, 250),
        gso(100),
        super_frame(3, 376, 17, "ipv4", {"128-255": (2, 284), "65-127": (1, 92)}, ("udp_port", 53)),
    ),
    tc(
        "super-frame, UDP behind an extension header",
        ether() / ip6(nh=60) / (b"\x11\0\x01\x04" + bytes(4)) / UDP(sport=1, dport=2) / bytes(250),
        gso(100, 3),
        super_frame(3, 460, 17, "ipv6", {"128-255": (2, 340), "65-127": (1, 120)}),
    ),
    tc(
        "super-frame, tag within",
        ether() / TAG / tcp4("A", 250),
        gso(100),
        super_frame(3, 424, 6, "ipv4", {"128-255": (2, 316), "65-127": (1, 108)}, OTHER_FLAGS, ("vlan", 1)),
    ),
    tc(
        "super-frame, tag beside",
        ether() / tcp4("FA", 250),
        gso(100, 3, tag=True),
        super_frame(3, 424, 6, "ipv4", {"128-255": (2, 316), "65-127": (1, 108)}, ("vlan", 1))
        | split((OTHER_FLAGS, 2, 316), (("tcp_flags", "fin"), 1, 108)),
    ),
    tc(
        "super-frame, tag beside, gso_segs 0, last segment whole",
        ether() / tcp4("A", 200),
        gso(100, tag=True),
        super_frame(2, 316, 6, "ipv4", {"128-255": (2, 316)}, OTHER_FLAGS, ("vlan", 1)),
    ),
    tc(
        "super-frame, ICMP",
        ether() / ip4(proto=1) / ICMP(type=8) / bytes(192),
        gso(100),
        super_frame(2, 268, 1, "ipv4", {"128-255": (2, 268)}, ("icmp", 8)),
    ),
    tc(
        "super-frame, later fragment of UDP",
        ether() / ip4(proto=17, frag=1) / bytes(150),
        gso(100),
        super_frame(2, 218, 17, "ipv4", {"128-255": (1, 134), "65-127": (1, 84)}, ("fragment", "later")),
    ),
    tc(
        "super-frame, later IPv6 fragment of TCP",
        ether() / ip6(nh=44) / (b"\x06\0\0\x08" + bytes(4)) / bytes(150),
        gso(100),
        super_frame(2, 274, 6, "ipv6", {"128-255": (1, 162), "65-127": (1, 112)}, ("fragment", "later"), OTHER_FLAGS),
    ),
    tc(
        "super-frame, SCTP by fragments",
        ether() / ip4(proto=132) / bytes(300),
        gso(65535, 3),
        super_frame(3, 402, 132, "ipv4", {"128-255": (3, 402)}),
    ),
]

DOUBTFUL_SEGMENTS: list[Frame] = [
    tc(
        "super-frame, malformed TCP",
        ether() / tcp4("A", 150, dataofs=4),
        gso(100),
        super_frame(2, 238, MALFORMED, "ipv4", {"128-255": (1, 134), "65-127": (1, 104)}),
    ),
    tc(
        "super-frame, IHL 4",
        ether() / ip4(ihl=4) / bytes(150),
        gso(100),
        super_frame(2, 198, MALFORMED, "ipv4", {"65-127": (2, 198)}),
    ),
    tc(
        "super-frame, truncated IPv4",
        ether() / ip4(len=1000) / bytes(150),
        gso(100),
        super_frame(2, 218, TRUNCATED, "ipv4", {"128-255": (1, 134), "65-127": (1, 84)}),
    ),
    tc(
        "super-frame, extension header cut",
        ether() / ip6(nh=0) / (b"\x3c\0\x01\x04" + bytes(4)) / (b"\x06\xff" + bytes(150)),
        gso(100),
        super_frame(2, 276, MALFORMED, "ipv6", {"128-255": (1, 162), "65-127": (1, 114)}),
    ),
    tc(
        "super-frame, unknown type",
        ether(ethertype=0x88B5) / bytes(150),
        gso(100),
        super_frame(2, 178, OTHER, "other", {"65-127": (1, 114), "<=64": (1, 64)}),
    ),
    tc(
        "gso_segs too small",
        ether() / tcp4("A", 350),
        gso(100, 2),
        super_frame(2, 458, 6, "ipv4", {"128-255": (1, 154), "256-511": (1, 304)}, OTHER_FLAGS),
    ),
    tc(
        "gso_segs too large",
        ether() / tcp4("FA", 250),
        gso(100, 5),
        super_frame(5, 520, 6, "ipv4", {"65-127": (5, 520)})
        | split((OTHER_FLAGS, 4, 416), (("tcp_flags", "fin"), 1, 104)),
    ),
    tc(
        "gso_segs one too large",
        ether() / tcp4("A", 250),
        gso(100, 4),
        super_frame(4, 466, 6, "ipv4", {"65-127": (4, 466)}, OTHER_FLAGS),
    ),
    tc(
        "gso_segs with an empty last segment",
        ether() / tcp4("A", 100),
        gso(100, 2),
        super_frame(2, 208, 6, "ipv4", {"128-255": (1, 154), "<=64": (1, 54)}, OTHER_FLAGS),
    ),
    tc(
        "super-frame, first fragment with TCP options in the next",
        ether() / ip4(proto=6, flags="MF") / TCP(flags="A", dataofs=15),
        gso(10, 2),
        super_frame(2, 108, 6, "ipv4", {"<=64": (2, 108)}, OTHER_FLAGS, ("fragment", "first")),
    ),
]

# GRE: 14 + 20 + 4 + 20 + 20 = 78 bytes of headers, of which 34 are read; 250 bytes of payload.
TUNNEL = ether() / ip4(proto=47) / (b"\0\0\x08\0") / tcp4("A", 250)

WIRE_LENGTH: list[Frame] = [
    tc(
        "wire_len of a tunnel",
        TUNNEL,
        gso(100, 3, wire_len=328 + 2 * 78),
        super_frame(3, 484, 47, "ipv4", {"128-255": (3, 484)}),
        tx=True,
    ),
    tc(
        "wire_len of a tunnel is unknown",
        TUNNEL,
        gso(100, 3),
        super_frame(3, 396, 47, "ipv4", {"128-255": (3, 396)}),
    ),
    tc(
        "wire_len of a tunnel, gso_segs 0",
        TUNNEL,
        gso(100, wire_len=328 + 2 * 78),
        super_frame(3, 484, 47, "ipv4", {"128-255": (3, 484)}),
        tx=True,
    ),
    tc(
        "wire_len that segments do not divide",
        TUNNEL,
        gso(100, 3, wire_len=328 + 2 * 78 + 1),
        super_frame(3, 484, 47, "ipv4", {"128-255": (3, 484)}),
        tx=True,
    ),
    tc(
        "wire_len of two segments",
        ether() / ip4(proto=47) / b"\0\0\x08\0" / tcp4("A", 150),
        gso(100, 2, wire_len=228 + 78),
        super_frame(2, 306, 47, "ipv4", {"128-255": (2, 306)}),
        tx=True,
    ),
    tc(
        "wire_len that makes the headers longer than the frame",
        ether() / tcp4("A", 250),
        gso(100, 3, wire_len=304 + 2 * 400),
        super_frame(3, 1104, 6, "ipv4", {"256-511": (3, 1104)}, OTHER_FLAGS),
        tx=True,
    ),
    tc("wire_len equal to len", ether() / tcp4("A", 250), gso(100, 3, wire_len=304), BULK, tx=True),
    tc("wire_len below len", ether() / tcp4("A", 250), gso(100, 3, wire_len=300), BULK, tx=True),
    tc("wire_len of plain TCP", ether() / tcp4("A", 250), gso(100, 3, wire_len=412), BULK, tx=True),
    tc("wire_len on ingress", ether() / tcp4("A", 250), gso(100, 3, wire_len=500), BULK),
    tc(
        "wire_len of one segment",
        ether() / tcp4("A", 50),
        gso(100, 1, wire_len=500),
        expect(104, 6, "ipv4", tcp="other"),
        tx=True,
    ),
    tc(
        "wire_len without gso_size",
        ether() / tcp4("A", 50),
        gso(0, 3, wire_len=500),
        expect(104, 6, "ipv4", tcp="other"),
        tx=True,
    ),
    tc(
        "wire_len with a tag beside",
        ether() / tcp4("A", 250),
        gso(100, 3, tag=True, wire_len=412),
        super_frame(3, 424, 6, "ipv4", {"128-255": (2, 316), "65-127": (1, 108)}, OTHER_FLAGS, ("vlan", 1)),
        tx=True,
    ),
]

ON_L3_LINKS: list[Frame] = [
    named(
        "L3 link, super-frame",
        tcp4("A", 250),
        super_frame(3, 370, 6, "ipv4", {"128-255": (2, 280), "65-127": (1, 90)}, OTHER_FLAGS),
        link="ip",
        skb=gso(100),
    ),
    named(
        "L3 link, super-frame of neither IPv4 nor IPv6",
        bytes(150),
        super_frame(2, 150, MALFORMED, "other", {"65-127": (1, 100), "<=64": (1, 50)}),
        link="ip",
        skb=gso(100),
    ),
]

FRAMES: list[Frame] = [*TAG_BESIDE, *SEGMENTS, *DOUBTFUL_SEGMENTS, *WIRE_LENGTH, *ON_L3_LINKS]
