"""Reference implementation of the packet counter, in Python: what each frame adds to each cell.

Written from docs/counting.md and the RFCs that it names, not from the BPF programs, so that the property tests compare
two readings of the specification. Rule numbers in comments count its decision list.
"""

import struct
from dataclasses import dataclass
from typing import Literal

Cell = tuple[str | int, ...]
Counts = dict[Cell, tuple[int, int]]
Direction = Literal["rx", "tx"]
Link = Literal["ethernet", "ip"]

ARP, LLDP, MPLS, PPPOE, OTHER_ETHERTYPE, LENGTH_802_3, TRUNCATED, MALFORMED = range(256, 264)
PSEUDO_BY_ETHERTYPE = {0x0806: ARP, 0x88CC: LLDP, 0x8847: MPLS, 0x8848: MPLS, 0x8863: PPPOE, 0x8864: PPPOE}
ETHERTYPE_IPV4, ETHERTYPE_IPV6 = 0x0800, 0x86DD
TPIDS = (0x8100, 0x88A8)

HOP_BY_HOP, ICMP, TCP, UDP, ROUTING, FRAGMENT, ICMPV6, DESTINATION, MOBILITY = 0, 1, 6, 17, 43, 44, 58, 60, 135
WALKED = (HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION, MOBILITY)
MAX_EXTENSION_HEADERS = 8
REFLECTION_PORTS = (19, 53, 123, 161, 389, 1900, 11211)
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10  # RFC 9293, 3.1

SIZE_BINS = ((64, "<=64"), (127, "65-127"), (255, "128-255"), (511, "256-511"), (1023, "512-1023"), (1518, "1024-1518"))


@dataclass(frozen=True)
class Skb:
    """Metadata of a frame at tc; the fields are named as in struct __sk_buff.

    vlan_present: the outer VLAN tag is kept beside the packet. gso_size: payload bytes per wire frame, 0 for a frame
    that is no super-frame. gso_segs: wire frames, 0 where unknown. wire_len: bytes on the wire without the tags beside
    the packet, on egress only.
    """

    vlan_present: bool = False
    gso_size: int = 0
    gso_segs: int = 0
    wire_len: int | None = None


class _Rejected(Exception):
    """The frame is of pseudo-protocol `protocol`, truncated or malformed."""

    def __init__(self, protocol: int) -> None:
        self.protocol = protocol


@dataclass
class _Seen:
    """State of parsing one frame; `headers` is the number of bytes that were read as headers."""

    protocol: int = -1
    l3: str = "other"
    cast: str = "unicast"
    tags: int = 0
    headers: int = 0
    fragment: str | None = None
    upper: Cell | None = None
    super_frame: bool = False


def count(frame: bytes, *, direction: Direction = "rx", link: Link = "ethernet", skb: Skb | None = None) -> Counts:
    """Return what `frame` adds to the counters: cell -> (packets, bytes), only for cells that change.

    Cells: ("protocol", number), ("joint", l3, cast, size), ("tcp_flags", class), ("udp_port", port), ("icmp", type),
    ("icmpv6", type), ("fragment", "first" | "later"), ("vlan", 1 | 2). `skb` is None for XDP.
    """
    skb = skb or Skb()
    seen = _Seen(tags=1 if skb.vlan_present else 0, super_frame=skb.gso_size > 0)
    try:
        _parse(seen, frame, direction, link)
    except _Rejected as rejected:
        seen.protocol, seen.fragment, seen.upper = rejected.protocol, None, None
    packets, each, last = _segments(seen, len(frame), direction, skb)
    everything = (packets, (packets - 1) * each + last)
    counts: Counts = {("protocol", seen.protocol): everything}
    add(counts, {("joint", seen.l3, seen.cast, _size(each)): (packets - 1, (packets - 1) * each)})
    add(counts, {("joint", seen.l3, seen.cast, _size(last)): (1, last)})
    if seen.tags:
        counts["vlan", seen.tags] = everything
    if seen.fragment:
        counts["fragment", seen.fragment] = everything
    if seen.upper in (("tcp_flags", "fin"), ("tcp_flags", "rst")):
        add(counts, {seen.upper: (1, last), ("tcp_flags", "other"): (packets - 1, (packets - 1) * each)})
    elif seen.upper:
        counts[seen.upper] = everything
    return counts


def add(total: Counts, more: Counts) -> None:
    """Add the cells of `more` to `total`, in place; a cell with no packets is not entered."""
    for cell, (packets, length_bytes) in more.items():
        if packets:
            old_packets, old_bytes = total.get(cell, (0, 0))
            total[cell] = (old_packets + packets, old_bytes + length_bytes)


def _size(length: int) -> str:
    return next((label for largest, label in SIZE_BINS if length <= largest), ">1518")


def _segments(seen: _Seen, length: int, direction: Direction, skb: Skb) -> tuple[int, int, int]:
    """Return the number of wire frames of an skb, and the bytes of each but the last, and of the last, tag included."""
    tag_bytes = 4 if skb.vlan_present else 0
    if skb.gso_size == 0:
        return 1, 0, length + tag_bytes
    headers = seen.headers
    packets = skb.gso_segs or max(1, -(-(length - headers) // skb.gso_size))
    if direction == "tx" and packets > 1 and skb.wire_len is not None and skb.wire_len > length:
        headers = (skb.wire_len - length) // (packets - 1)
    payload = max(0, length - headers)
    segment = skb.gso_size
    if (packets - 1) * segment > payload:  # gso_size is no size: GSO_BY_FRAGS (SCTP) is 65535, LRO drivers give a mean
        segment = payload // packets
    return packets, headers + segment + tag_bytes, length - (packets - 1) * segment + tag_bytes


def _parse(seen: _Seen, frame: bytes, direction: Direction, link: Link) -> None:
    if link == "ip":
        _l3_frame(seen, frame, direction)
        return
    if len(frame) < 14:  # rule 1
        seen.tags = 0
        raise _Rejected(TRUNCATED)
    if frame[:6] == b"\xff" * 6:
        seen.cast = "broadcast"
    elif frame[0] & 1:
        seen.cast = "multicast"
    (ethertype,) = struct.unpack_from("!H", frame, 12)
    seen.headers = 14
    while ethertype in TPIDS and seen.tags < 2:  # rule 2
        if len(frame) < seen.headers + 4:
            raise _Rejected(TRUNCATED)
        (ethertype,) = struct.unpack_from("!H", frame, seen.headers + 2)
        seen.headers += 4
        seen.tags += 1
    if ethertype == ETHERTYPE_IPV4:  # rule 3
        _ipv4(seen, frame[seen.headers :], direction)
    elif ethertype == ETHERTYPE_IPV6:
        _ipv6(seen, frame[seen.headers :], direction)
    elif ethertype < 0x0600:
        seen.protocol = LENGTH_802_3
    else:
        seen.protocol = PSEUDO_BY_ETHERTYPE.get(ethertype, OTHER_ETHERTYPE)
        seen.l3 = "arp" if seen.protocol == ARP else "other"


def _l3_frame(seen: _Seen, packet: bytes, direction: Direction) -> None:
    if not packet:
        raise _Rejected(TRUNCATED)
    version = packet[0] >> 4
    if version == 4:
        if len(packet) >= 20 and packet[0] & 0x0F >= 5:
            seen.cast = _ipv4_cast(packet[16:20])
        _ipv4(seen, packet, direction)
    elif version == 6:
        if len(packet) >= 40 and packet[24] == 0xFF:  # RFC 4291, 2.7
            seen.cast = "multicast"
        _ipv6(seen, packet, direction)
    else:
        raise _Rejected(MALFORMED)


def _ipv4_cast(destination: bytes) -> str:
    if destination == b"\xff\xff\xff\xff":  # RFC 919, 7
        return "broadcast"
    return "multicast" if destination[0] >> 4 == 0b1110 else "unicast"  # RFC 5771, 3


def _ipv4(seen: _Seen, packet: bytes, direction: Direction) -> None:
    """Apply rule 4 to `packet`, the bytes from the IPv4 header to the end of the frame."""
    seen.l3 = "ipv4"
    have = len(packet)
    if have < 20:
        raise _Rejected(TRUNCATED)
    version_ihl, total, fragmentation, protocol = struct.unpack_from("!BxH2xHxB", packet)
    header_length = (version_ihl & 0x0F) * 4
    if version_ihl >> 4 != 4 or header_length < 20:
        raise _Rejected(MALFORMED)
    if have < header_length:
        raise _Rejected(TRUNCATED)
    seen.headers += header_length
    if total == 0 and (have > 65535 or (protocol == TCP and seen.super_frame)):
        total = have
    if total < header_length:
        raise _Rejected(MALFORMED)
    if total > have:
        raise _Rejected(TRUNCATED)
    if fragmentation & 0x1FFF:
        _later_fragment(seen, protocol)
        return
    if fragmentation & 0x2000:
        seen.fragment = "first"
    _transport(seen, protocol, packet[header_length:total], direction)


def _later_fragment(seen: _Seen, protocol: int) -> None:
    seen.protocol, seen.fragment = protocol, "later"
    if protocol == TCP:
        seen.upper = ("tcp_flags", "other")


def _ipv6(seen: _Seen, packet: bytes, direction: Direction) -> None:
    """Apply rule 5 to `packet`, the bytes from the IPv6 header to the end of the frame."""
    seen.l3 = "ipv6"
    have = len(packet)
    if have < 40:
        raise _Rejected(TRUNCATED)
    version, payload_length, next_header = struct.unpack_from("!B3xHB", packet)
    if version >> 4 != 6:
        raise _Rejected(MALFORMED)
    seen.headers += 40
    if payload_length == 0 and have > 65575:
        payload_length = have - 40
    if 40 + payload_length > have:
        raise _Rejected(TRUNCATED)
    rest = packet[40 : 40 + payload_length]
    walked = 0
    while next_header in WALKED:
        walked += 1
        length = _extension_length(next_header, rest)
        if walked > MAX_EXTENSION_HEADERS or len(rest) < length:
            raise _Rejected(MALFORMED)
        seen.headers += length
        if next_header == FRAGMENT:
            (fragmentation,) = struct.unpack_from("!H", rest, 2)
            if fragmentation & 0xFFF8:
                _later_fragment(seen, rest[0])
                return
            if fragmentation & 1:
                seen.fragment = "first"
        next_header, rest = rest[0], rest[length:]
    _transport(seen, next_header, rest, direction)


def _extension_length(kind: int, rest: bytes) -> int:
    """Return the bytes of the extension header at the start of `rest`; 8 if `rest` is too short for a length."""
    return 8 if kind == FRAGMENT or len(rest) < 8 else (rest[1] + 1) * 8


def _transport(seen: _Seen, protocol: int, segment: bytes, direction: Direction) -> None:
    """Apply rule 6; `segment` is as long as `left`."""
    seen.protocol = protocol
    if protocol == TCP:
        _tcp(seen, segment)
    elif protocol == UDP:
        _udp(seen, segment, direction)
    elif protocol == ICMP and seen.l3 == "ipv4":
        _icmp(seen, segment, 8, "icmp")
    elif protocol == ICMPV6 and seen.l3 == "ipv6":
        _icmp(seen, segment, 4, "icmpv6")


def _tcp(seen: _Seen, segment: bytes) -> None:
    left = len(segment)
    if left < 20:
        raise _Rejected(MALFORMED)
    header_length = (segment[12] >> 4) * 4
    if header_length < 20 or (header_length > left and seen.fragment != "first"):
        raise _Rejected(MALFORMED)
    seen.headers += min(header_length, left)
    flags = segment[13]
    if flags & RST:
        flag_class = "rst"
    elif flags & SYN:
        flag_class = "syn_ack" if flags & ACK else "syn"
    else:
        flag_class = "fin" if flags & FIN else "other"
    seen.upper = ("tcp_flags", flag_class)


def _udp(seen: _Seen, segment: bytes, direction: Direction) -> None:
    left = len(segment)
    if left < 8:
        raise _Rejected(MALFORMED)
    source_port, destination_port, length = struct.unpack_from("!HHH", segment)
    if length < 8 and not (length == 0 and left > 65535):
        raise _Rejected(MALFORMED)
    seen.headers += 8
    port = source_port if direction == "rx" else destination_port
    if port in REFLECTION_PORTS:
        seen.upper = ("udp_port", port)


def _icmp(seen: _Seen, message: bytes, shortest: int, cell: str) -> None:
    if len(message) < shortest:
        raise _Rejected(MALFORMED)
    seen.upper = (cell, message[0])
