"""Named frames of direction TX, and of links without an L2 header (the second half of rule 1)."""

from scapy.layers.inet import ICMP, UDP
from scapy.layers.l2 import ARP as ARP_PACKET
from scapy.layers.l2 import Dot1Q
from scapy.packet import Packet

from tests.bpf.frame import (
    ARP,
    BROADCAST,
    MALFORMED,
    MULTICAST,
    SOURCE,
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
from tests.bpf.reference import Counts

REFLECTION_PORTS = (19, 53, 123, 161, 389, 1900, 11211)
TAG = Dot1Q(vlan=10)


def sent(name: str, packet: Packet | bytes, cells: Counts) -> Frame:
    return named(name, packet, cells, direction="tx")


TX: list[Frame] = (
    [
        sent(f"sent to port {port}", ether() / udp4(40000, port), expect(42, 17, "ipv4", port=port))
        for port in REFLECTION_PORTS
    ]
    + [sent(f"sent from port {port}", ether() / udp4(port, 40000), expect(42, 17, "ipv4")) for port in REFLECTION_PORTS]
    + [
        sent("sent to port 123 from port 53", ether() / udp4(53, 123), expect(42, 17, "ipv4", port=123)),
        sent(
            "sent DNS query over IPv6",
            ether() / ip6(nh=17) / UDP(sport=40000, dport=53),
            expect(62, 17, "ipv6", port=53),
        ),
        sent(
            "sent DNS query, cut UDP",
            ether() / ip4(proto=17) / (b"\x9c\x40\0\x35\0\x08\0"),
            expect(41, MALFORMED, "ipv4"),
        ),
        sent("sent SYN", ether() / tcp4("S"), expect(54, 6, "ipv4", tcp="syn")),
        sent("sent echo request", ether() / ip4(proto=1) / ICMP(type=8), expect(42, 1, "ipv4", icmp=8)),
        sent(
            "sent ARP request",
            pad(ether(BROADCAST) / ARP_PACKET(hwsrc=SOURCE, psrc="192.0.2.1"), 60),
            expect(60, ARP, "arp", "broadcast"),
        ),
        sent("sent VLAN frame", ether() / TAG / udp4(53, 123), expect(46, 17, "ipv4", port=123, vlan=1)),
    ]
)


def l3(name: str, packet: Packet | bytes, cells: Counts, *, live_only: bool = False) -> Frame:
    return named(name, packet, cells, link="ip", live_only=live_only)


UDP_PLAIN = UDP(sport=53, dport=40000)

L3_LINKS: list[Frame] = [
    l3("L3 link, empty", b"", expect(0, TRUNCATED), live_only=True),
    l3("L3 link, IPv4 of 1 byte", b"\x45", expect(1, TRUNCATED, "ipv4"), live_only=True),
    l3("L3 link, IPv6 of 1 byte", b"\x60", expect(1, TRUNCATED, "ipv6"), live_only=True),
    l3("L3 link, neither of 1 byte", b"\x50", expect(1, MALFORMED), live_only=True),
    l3("L3 link, version 0", bytes(20), expect(20, MALFORMED)),
    l3("L3 link, version 5", b"\x55" * 40, expect(40, MALFORMED)),
    l3("L3 link, version 15", b"\xff" * 40, expect(40, MALFORMED)),
    l3("L3 link, Ethernet frame", ether(MULTICAST) / tcp4("S"), expect(54, MALFORMED)),
    l3("L3 link, IPv4 TCP", tcp4("S"), expect(40, 6, "ipv4", tcp="syn")),
    l3("L3 link, IPv6 TCP", tcp6("A"), expect(60, 6, "ipv6", tcp="other")),
    l3("L3 link, DNS reply", udp4(53, 40000), expect(28, 17, "ipv4", port=53)),
    l3("L3 link, IPv4 cut", cut(ip4(dst="224.0.0.1"), 19), expect(19, TRUNCATED, "ipv4")),
    l3("L3 link, IPv6 cut", cut(ip6(dst="ff02::1"), 39), expect(39, TRUNCATED, "ipv6")),
    l3("L3 link, IPv4 header alone", ip4(dst="224.0.0.1"), expect(20, 253, "ipv4", "multicast")),
    l3("L3 link, IPv6 header alone", ip6(dst="ff02::1"), expect(40, 253, "ipv6", "multicast")),
    l3(
        "L3 link, 239.255.255.255",
        ip4(dst="239.255.255.255", proto=17) / UDP_PLAIN,
        expect(28, 17, "ipv4", "multicast", port=53),
    ),
    l3("L3 link, 223.255.255.255", ip4(dst="223.255.255.255", proto=17) / UDP_PLAIN, expect(28, 17, "ipv4", port=53)),
    l3("L3 link, 240.0.0.1", ip4(dst="240.0.0.1", proto=17) / UDP_PLAIN, expect(28, 17, "ipv4", port=53)),
    l3(
        "L3 link, 255.255.255.255",
        ip4(dst="255.255.255.255", proto=17) / UDP_PLAIN,
        expect(28, 17, "ipv4", "broadcast", port=53),
    ),
    l3("L3 link, 255.255.255.254", ip4(dst="255.255.255.254", proto=17) / UDP_PLAIN, expect(28, 17, "ipv4", port=53)),
    l3("L3 link, fe80::1", ip6(dst="fe80::1"), expect(40, 253, "ipv6")),
    l3("L3 link, ff00::", ip6(dst="ff00::"), expect(40, 253, "ipv6", "multicast")),
    l3("L3 link, all ones IPv6", ip6(dst=":".join(["ffff"] * 8)), expect(40, 253, "ipv6", "multicast")),
    l3("L3 link, IHL 4 multicast", ip4(dst="224.0.0.1", ihl=4), expect(20, MALFORMED, "ipv4")),
    l3(
        "L3 link, IHL 6 multicast, options cut", ip4(dst="224.0.0.1", ihl=6), expect(20, TRUNCATED, "ipv4", "multicast")
    ),
    l3(
        "L3 link, total length too large, broadcast",
        ip4(dst="255.255.255.255", len=21),
        expect(20, TRUNCATED, "ipv4", "broadcast"),
    ),
    l3("L3 link, payload missing, multicast", ip6(dst="ff02::1", plen=1), expect(40, TRUNCATED, "ipv6", "multicast")),
    l3("L3 link, fragment", ip4(proto=6, frag=1), expect(20, 6, "ipv4", tcp="other", fragment="later")),
    l3("L3 link, 64 bytes", tcp4("A", 24), expect(64, 6, "ipv4", size="<=64", tcp="other")),
    l3("L3 link, 65 bytes", tcp4("A", 25), expect(65, 6, "ipv4", size="65-127", tcp="other")),
]

FRAMES: list[Frame] = [*TX, *L3_LINKS]
