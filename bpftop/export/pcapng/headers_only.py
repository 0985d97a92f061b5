"""Packets without their payload: what follows the layer 4 header is zero, so that a file tells no secrets."""

from __future__ import annotations

_ETHERNET_BYTES, _TAG_BYTES = 14, 4
_TAGS = (0x8100, 0x88A8)
_IPV4, _IPV6, _ARP = 0x0800, 0x86DD, 0x0806
_ARP_BYTES = 28
_IPV6_BYTES = 40
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION, _MOBILITY = 0, 43, 44, 60, 135
_EXTENSIONS_MOST = 8
_TCP = 6
_L4_BYTES = {1: 8, 2: 8, 17: 8, 33: 12, 47: 4, 50: 8, 51: 12, 58: 8, 132: 12, 136: 8}
"""IP protocol -> bytes of its fixed header: ICMP, IGMP, UDP, DCCP, GRE, ESP, AH, ICMPv6, SCTP, UDPLite."""


def without_payload(content: bytes, *, is_ip: bool) -> bytes:
    """Return a packet with zeros behind its layer 4 header; ``is_ip``: the packet begins with its IP header.

    Of a later fragment, of an unknown protocol and of what cannot be parsed, only the headers before that are kept.
    """
    end = min(_headers_end(content, is_ip), len(content))
    return content[:end] + bytes(len(content) - end)


def _headers_end(content: bytes, is_ip: bool) -> int:
    if is_ip:
        version = content[0] >> 4 if content else 0
        return _ip_end(content, 0, {4: _IPV4, 6: _IPV6}.get(version, 0))
    at, kind = _ETHERNET_BYTES, int.from_bytes(content[12:14], "big")
    for _ in range(2):
        if kind not in _TAGS:
            break
        kind = int.from_bytes(content[at + 2 : at + 4], "big")
        at += _TAG_BYTES
    return at + _ARP_BYTES if kind == _ARP else _ip_end(content, at, kind)


def _ip_end(content: bytes, at: int, kind: int) -> int:
    if kind == _IPV4 and len(content) >= at + 20:
        is_later = int.from_bytes(content[at + 6 : at + 8], "big") & 0x1FFF
        end = at + max(20, 4 * (content[at] & 15))
        return end if is_later else _l4_end(content, end, content[at + 9])
    if kind == _IPV6 and len(content) >= at + _IPV6_BYTES:
        return _ipv6_end(content, at + _IPV6_BYTES, content[at + 6])
    return at


def _ipv6_end(content: bytes, at: int, protocol: int) -> int:
    for _ in range(_EXTENSIONS_MOST):
        if protocol not in (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION, _MOBILITY) or len(content) < at + 8:
            break
        is_later = protocol == _FRAGMENT and int.from_bytes(content[at + 2 : at + 4], "big") >= 8
        protocol, at = content[at], at + (8 if protocol == _FRAGMENT else 8 * (content[at + 1] + 1))
        if is_later:
            return at
    return _l4_end(content, at, protocol)


def _l4_end(content: bytes, at: int, protocol: int) -> int:
    if protocol == _TCP:
        return at + (max(20, 4 * (content[at + 12] >> 4)) if len(content) > at + 12 else 20)
    return at + _L4_BYTES.get(protocol, 0)
