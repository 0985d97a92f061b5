"""Headers of a packet's first bytes: where its layers begin, its addresses and its ports."""

from __future__ import annotations

from ipaddress import ip_address

from bpftop.fields import frozen
from bpftop.model.protocols import TCP, UDP, protocol_name

ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_ARP = 0x0800, 0x86DD, 0x0806
_SCTP, _DCCP, _UDPLITE = 132, 33, 136
_ETHERNET_BYTES, _TAG_BYTES = 14, 4
_TAGS = (0x8100, 0x88A8)
_IPV4_BYTES, _IPV6_BYTES, ARP_BYTES = 20, 40, 28
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION, _MOBILITY = 0, 43, 44, 60, 135
_EXTENSIONS_MOST = 8
_WITH_PORTS = (TCP, UDP, _SCTP, _DCCP, _UDPLITE)


@frozen
class HeaderPlaces:
    """Places of the headers of a packet, in bytes from its begin.

    ``ethertype`` is that behind VLAN tags, 0 where it is unknown. ``l4_at``: the end of the IP headers, or the place
    where parsing ended. ``l4_proto`` is None where no IP header was found; ``is_later``: a fragment after the first.
    """

    ethertype: int
    l3_at: int
    l4_at: int
    l4_proto: int | None = None
    is_later: bool = False


@frozen
class PacketEnds:
    """Protocol, addresses and ports of a packet; empty and 0 where it has none, or where they were not copied."""

    protocol: str
    source: str = ""
    destination: str = ""
    sport: int = 0
    dport: int = 0


def header_places(content: bytes, *, is_ip: bool) -> HeaderPlaces:
    """Return where the headers are; ``is_ip``: the packet begins with its IP header. Raises nothing."""
    at, kind = 0, 0
    if is_ip:
        kind = {4: ETHERTYPE_IPV4, 6: ETHERTYPE_IPV6}.get(content[0] >> 4, 0) if content else 0
    else:
        at, kind = _ETHERNET_BYTES, _ethertype(content, 12)
        for _ in range(2):
            if kind not in _TAGS:
                break
            kind = _ethertype(content, at + 2)
            at += _TAG_BYTES
    if kind == ETHERTYPE_IPV4 and len(content) >= at + _IPV4_BYTES:
        is_later = bool(int.from_bytes(content[at + 6 : at + 8], "big") & 0x1FFF)
        return HeaderPlaces(kind, at, at + max(_IPV4_BYTES, 4 * (content[at] & 15)), content[at + 9], is_later)
    if kind == ETHERTYPE_IPV6 and len(content) >= at + _IPV6_BYTES:
        return _behind_extensions(content, at, content[at + 6])
    return HeaderPlaces(kind, at, at)


def _ethertype(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 2], "big") if len(content) >= at + 2 else 0


def _behind_extensions(content: bytes, l3_at: int, protocol: int) -> HeaderPlaces:
    at = l3_at + _IPV6_BYTES
    for _ in range(_EXTENSIONS_MOST):
        if protocol not in (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION, _MOBILITY) or len(content) < at + 8:
            break
        is_later = protocol == _FRAGMENT and int.from_bytes(content[at + 2 : at + 4], "big") >= 8
        protocol, at = content[at], at + (8 if protocol == _FRAGMENT else 8 * (content[at + 1] + 1))
        if is_later:
            return HeaderPlaces(ETHERTYPE_IPV6, l3_at, at, protocol, is_later)
    return HeaderPlaces(ETHERTYPE_IPV6, l3_at, at, protocol)


def packet_ends(content: bytes, *, is_ip: bool) -> PacketEnds:
    """Return protocol, addresses and ports of a packet. Raises nothing."""
    places = header_places(content, is_ip=is_ip)
    l3 = content[places.l3_at :]
    if places.ethertype == ETHERTYPE_ARP:
        if len(l3) < ARP_BYTES:
            return PacketEnds("ARP")
        return PacketEnds("ARP", _address(l3[14:18]), _address(l3[24:28]))
    if places.l4_proto is None:
        return PacketEnds(f"ethertype {places.ethertype:#06x}" if places.ethertype else "unknown")
    begin, size = (12, 4) if places.ethertype == ETHERTYPE_IPV4 else (8, 16)
    source, destination = (_address(l3[at : at + size]) for at in (begin, begin + size))
    ports = content[places.l4_at : places.l4_at + 4]
    has_ports = places.l4_proto in _WITH_PORTS and not places.is_later and len(ports) == 4
    return PacketEnds(
        protocol_name(places.l4_proto),
        source,
        destination,
        int.from_bytes(ports[:2], "big") if has_ports else 0,
        int.from_bytes(ports[2:], "big") if has_ports else 0,
    )


def _address(packed: bytes) -> str:
    return str(ip_address(packed))
