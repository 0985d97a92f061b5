"""Named frames: Ethernet, VLAN tags, pseudo-protocols, casts and sizes (rules 1 to 3)."""

from scapy.contrib.lldp import LLDPDU, LLDPDUChassisID, LLDPDUEndOfLLDPDU, LLDPDUPortID, LLDPDUTimeToLive
from scapy.contrib.mpls import MPLS as MPLS_LABEL
from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.l2 import ARP as ARP_PACKET
from scapy.layers.l2 import LLC, STP, Dot1AD, Dot1Q, Dot3
from scapy.layers.ppp import PPP, PPPoE, PPPoED

from tests.bpf.frame import (
    ARP,
    BROADCAST,
    LENGTH,
    LLDP,
    MPLS,
    MULTICAST,
    MULTICAST6,
    OTHER,
    PPPOE,
    SOURCE,
    TRUNCATED,
    UNICAST,
    cut,
    ether,
    expect,
    ip4,
    ip6,
    named,
    pad,
)

UDP_PLAIN = UDP(sport=40000, dport=40001)
UDP4 = ip4(proto=17) / UDP_PLAIN
UDP6 = ip6(nh=17) / UDP_PLAIN
ASK = ARP_PACKET(op=1, hwsrc=SOURCE, psrc="192.0.2.1", pdst="192.0.2.2")
ANSWER = ARP_PACKET(op=2, hwsrc=SOURCE, psrc="192.0.2.1", hwdst=UNICAST, pdst="192.0.2.2")
LLDP_UNIT = (
    LLDPDU()
    / LLDPDUChassisID(subtype=4, id=SOURCE)
    / LLDPDUPortID(subtype=7, id=b"1")
    / LLDPDUTimeToLive(ttl=120)
    / LLDPDUEndOfLLDPDU()
)
S_TAG, C_TAG = Dot1AD(vlan=100), Dot1Q(vlan=10)


def only_ethernet(ethertype: int, length: int, destination: str = UNICAST) -> bytes:
    return pad(ether(destination, ethertype), length)


ETHERNET = [
    named("empty frame", b"", expect(0, TRUNCATED), live_only=True),
    named("Ethernet cut to 1 byte", b"\xff", expect(1, TRUNCATED), live_only=True),
    named("broadcast cut to 13 bytes", cut(ether(BROADCAST), 13), expect(13, TRUNCATED), live_only=True),
    named("VLAN cut to 13 bytes", cut(ether() / C_TAG, 13), expect(13, TRUNCATED), live_only=True),
    named("Ethernet header alone, unknown type", only_ethernet(0x88B5, 14), expect(14, OTHER)),
    named("Ethernet header alone, IPv4", only_ethernet(0x0800, 14), expect(14, TRUNCATED, "ipv4")),
    named("Ethernet header alone, IPv6", only_ethernet(0x86DD, 14), expect(14, TRUNCATED, "ipv6")),
    named("Ethernet header alone, ARP", only_ethernet(0x0806, 14), expect(14, ARP, "arp")),
    named("ARP request", pad(ether(BROADCAST) / ASK, 60), expect(60, ARP, "arp", "broadcast")),
    named("ARP reply", ether(UNICAST) / ANSWER, expect(42, ARP, "arp")),
    named("LLDP", pad(ether("01:80:c2:00:00:0e") / LLDP_UNIT, 60), expect(60, LLDP, "other", "multicast")),
    named(
        "LLDP, nearest customer bridge",
        only_ethernet(0x88CC, 60, "01:80:c2:00:00:00"),
        expect(60, LLDP, cast="multicast"),
    ),
    named("MPLS unicast", ether(UNICAST, 0x8847) / MPLS_LABEL(label=16, s=1) / UDP4, expect(46, MPLS)),
    named("MPLS multicast", only_ethernet(0x8848, 60, MULTICAST), expect(60, MPLS, "other", "multicast")),
    named("PPPoE discovery", ether(BROADCAST, 0x8863) / PPPoED(code=9), expect(20, PPPOE, "other", "broadcast")),
    named("PPPoE session", ether(UNICAST, 0x8864) / PPPoE() / PPP(proto=0x21) / UDP4, expect(50, PPPOE)),
    named("ethertype below PPPoE", only_ethernet(0x8862, 60), expect(60, OTHER)),
    named("ethertype above PPPoE", only_ethernet(0x8865, 60), expect(60, OTHER)),
    named("ethertype below MPLS", only_ethernet(0x8846, 60), expect(60, OTHER)),
    named("ethertype above MPLS", only_ethernet(0x8849, 60), expect(60, OTHER)),
    named("RARP", only_ethernet(0x8035, 60, BROADCAST), expect(60, OTHER, "other", "broadcast")),
    named("EAPOL", only_ethernet(0x888E, 60, "01:80:c2:00:00:03"), expect(60, OTHER, "other", "multicast")),
    named("PTP", only_ethernet(0x88F7, 60, "01:1b:19:00:00:00"), expect(60, OTHER, "other", "multicast")),
    named("MACsec", only_ethernet(0x88E5, 60), expect(60, OTHER)),
    named("old QinQ type 0x9100", ether(UNICAST, 0x9100) / C_TAG / UDP4, expect(46, OTHER)),
    named("ethertype with swapped bytes", only_ethernet(0x0008, 60), expect(60, LENGTH)),
    named(
        "STP",
        pad(Dot3(dst="01:80:c2:00:00:00", src=SOURCE, len=38) / LLC() / STP(), 60),
        expect(60, LENGTH, "other", "multicast"),
    ),
    named("802.3 length 0", only_ethernet(0x0000, 14), expect(14, LENGTH)),
    named("802.3 length 1500", only_ethernet(0x05DC, 1514), expect(1514, LENGTH)),
    named("neither length nor type, 0x05ff", only_ethernet(0x05FF, 60), expect(60, LENGTH)),
    named("lowest ethertype, 0x0600", only_ethernet(0x0600, 60), expect(60, OTHER)),
]

VLAN = [
    named("VLAN, IPv4 UDP", ether() / C_TAG / UDP4, expect(46, 17, "ipv4", vlan=1)),
    named("VLAN, IPv6 UDP", ether() / C_TAG / UDP6, expect(66, 17, "ipv6", vlan=1)),
    named("VLAN, ARP", pad(ether(BROADCAST) / C_TAG / ASK, 60), expect(60, ARP, "arp", "broadcast", vlan=1)),
    named(
        "VLAN, 802.3 length",
        ether() / Dot1Q(vlan=10, type=38) / (b"\x42\x42\x03" + bytes(39)),
        expect(60, LENGTH, vlan=1),
    ),
    named(
        "VLAN, LLDP",
        pad(ether("01:80:c2:00:00:0e") / C_TAG / LLDP_UNIT, 60),
        expect(60, LLDP, cast="multicast", vlan=1),
    ),
    named("VLAN, MPLS", ether() / Dot1Q(type=0x8847) / bytes(42), expect(60, MPLS, vlan=1)),
    named("VLAN, PPPoE", ether() / Dot1Q(type=0x8864) / bytes(42), expect(60, PPPOE, vlan=1)),
    named("VLAN, unknown type", ether() / Dot1Q(type=0x88B5) / bytes(42), expect(60, OTHER, vlan=1)),
    named("priority tag", ether() / Dot1Q(vlan=0, prio=7) / UDP4, expect(46, 17, "ipv4", vlan=1)),
    named("service tag alone", ether() / S_TAG / UDP4, expect(46, 17, "ipv4", vlan=1)),
    named("QinQ 802.1ad", ether() / S_TAG / C_TAG / UDP4, expect(50, 17, "ipv4", vlan=2)),
    named("QinQ of two 0x8100", ether() / C_TAG / C_TAG / UDP6, expect(70, 17, "ipv6", vlan=2)),
    named("QinQ of two 0x88a8", ether() / S_TAG / S_TAG / UDP4, expect(50, 17, "ipv4", vlan=2)),
    named("QinQ, 0x8100 outside", ether() / C_TAG / S_TAG / UDP4, expect(50, 17, "ipv4", vlan=2)),
    named("QinQ, ARP", pad(ether(BROADCAST) / S_TAG / C_TAG / ASK, 64), expect(64, ARP, "arp", "broadcast", vlan=2)),
    named("third tag 0x8100", ether() / S_TAG / C_TAG / C_TAG / UDP4, expect(54, OTHER, vlan=2)),
    named("third tag 0x88a8", ether() / S_TAG / S_TAG / S_TAG / UDP4, expect(54, OTHER, vlan=2)),
    named("third tag missing", cut(ether() / S_TAG / C_TAG / C_TAG, 22), expect(22, OTHER, vlan=2)),
    named("tag then 0x9100", ether() / Dot1Q(type=0x9100) / C_TAG / ip4(), expect(42, OTHER, vlan=1)),
    named("tag of 0 bytes", cut(ether() / C_TAG, 14), expect(14, TRUNCATED)),
    named("tag of 1 byte", cut(ether() / C_TAG, 15), expect(15, TRUNCATED)),
    named("tag without its ethertype", cut(ether() / C_TAG, 16), expect(16, TRUNCATED)),
    named("tag of 3 bytes", cut(ether(BROADCAST) / S_TAG, 17), expect(17, TRUNCATED, "other", "broadcast")),
    named("tag complete, IPv4 missing", ether() / Dot1Q(type=0x0800), expect(18, TRUNCATED, "ipv4", vlan=1)),
    named("tag complete, IPv6 missing", ether() / Dot1AD(type=0x86DD), expect(18, TRUNCATED, "ipv6", vlan=1)),
    named("second tag of 0 bytes", cut(ether() / S_TAG / C_TAG, 18), expect(18, TRUNCATED, vlan=1)),
    named("second tag of 3 bytes", cut(ether() / S_TAG / C_TAG, 21), expect(21, TRUNCATED, vlan=1)),
    named("second tag complete", ether() / S_TAG / Dot1Q(type=0x88B5), expect(22, OTHER, vlan=2)),
    named("VLAN, IPv4 cut by one byte", cut(ether() / C_TAG / ip4(), 37), expect(37, TRUNCATED, "ipv4", vlan=1)),
]

CASTS = [
    named("broadcast UDP", ether(BROADCAST) / UDP4, expect(42, 17, "ipv4", "broadcast")),
    named("multicast IPv4", ether(MULTICAST) / UDP4, expect(42, 17, "ipv4", "multicast")),
    named("multicast IPv6", ether(MULTICAST6) / UDP6, expect(62, 17, "ipv6", "multicast")),
    named("all ones but the last bit", ether("ff:ff:ff:ff:ff:fe") / UDP4, expect(42, 17, "ipv4", "multicast")),
    named("all ones but the group bit", ether("fe:ff:ff:ff:ff:ff") / UDP4, expect(42, 17, "ipv4", "unicast")),
    named("group bit alone", ether("01:00:00:00:00:00") / UDP4, expect(42, 17, "ipv4", "multicast")),
    named("zero destination", ether("00:00:00:00:00:00") / UDP4, expect(42, 17, "ipv4", "unicast")),
    named(
        "multicast IP address in a unicast frame",
        ether() / ip4(proto=17, dst="224.0.0.251") / UDP_PLAIN,
        expect(42, 17, "ipv4", "unicast"),
    ),
]

SIZES = [
    named(f"{length} bytes", pad(ether() / UDP4, length), expect(length, 17, "ipv4", size=size))
    for length, size in (
        (60, "<=64"),
        (63, "<=64"),
        (64, "<=64"),
        (65, "65-127"),
        (127, "65-127"),
        (128, "128-255"),
        (255, "128-255"),
        (256, "256-511"),
        (511, "256-511"),
        (512, "512-1023"),
        (1023, "512-1023"),
        (1024, "1024-1518"),
        (1514, "1024-1518"),
        (1518, "1024-1518"),
        (1519, ">1518"),
        (3000, ">1518"),
    )
] + [
    named(
        "64 bytes, the tag among them",
        ether() / C_TAG / UDP4 / bytes(18),
        expect(64, 17, "ipv4", size="<=64", vlan=1),
    ),
    named(
        "1522 bytes with a tag",
        ether() / C_TAG / ip4(proto=1) / ICMP() / bytes(1476),
        expect(1522, 1, "ipv4", size=">1518", icmp=8, vlan=1),
    ),
    named(
        "1514 bytes of TCP",
        ether() / ip4(proto=6) / TCP(flags="A") / bytes(1460),
        expect(1514, 6, "ipv4", size="1024-1518", tcp="other"),
    ),
    named("jumbo frame", ether() / UDP6 / bytes(2952), expect(3014, 17, "ipv6", size=">1518")),
]

FRAMES = [*ETHERNET, *VLAN, *CASTS, *SIZES]
