"""Packets without their payload: what follows the layer 4 header is zero, so that a file tells no secrets."""

from __future__ import annotations

from bpftop.model.packet_headers import ARP_BYTES, ETHERTYPE_ARP, header_places
from bpftop.model.protocols import TCP

_L4_BYTES = {1: 8, 2: 8, 17: 8, 33: 12, 47: 4, 50: 8, 51: 12, 58: 8, 132: 12, 136: 8}
"""IP protocol -> bytes of its fixed header: ICMP, IGMP, UDP, DCCP, GRE, ESP, AH, ICMPv6, SCTP, UDPLite."""


def without_payload(content: bytes, *, is_ip: bool) -> bytes:
    """Return a packet with zeros behind its layer 4 header; ``is_ip``: the packet begins with its IP header.

    Of a later fragment, of an unknown protocol and of what cannot be parsed, only the headers before that are kept.
    """
    end = min(_headers_end(content, is_ip), len(content))
    return content[:end] + bytes(len(content) - end)


def _headers_end(content: bytes, is_ip: bool) -> int:
    places = header_places(content, is_ip=is_ip)
    if places.ethertype == ETHERTYPE_ARP:
        return places.l3_at + ARP_BYTES
    if places.l4_proto is None or places.is_later:
        return places.l4_at
    if places.l4_proto == TCP:
        at = places.l4_at
        return at + (max(20, 4 * (content[at + 12] >> 4)) if len(content) > at + 12 else 20)
    return places.l4_at + _L4_BYTES.get(places.l4_proto, 0)
