"""The IP addresses of this host, by rtnetlink. Format: include/uapi/linux/if_addr.h. Needs no capability."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from bpftop.kernel.net.netlink import NetlinkSocket, attributes

RTM_GETADDR = 22
IFA_ADDRESS, IFA_LOCAL = 1, 2
IFA_F_DADFAILED = 0x08
MAPPED = bytes(10) + b"\xff\xff"
"""The first 12 bytes of an IPv4 address written as an IPv6 address (RFC 4291)."""

_IFADDRMSG = struct.Struct("=BBBBi")


class OwnAddress(NamedTuple):
    """An address of an interface. ``is_duplicate``: IPv6 did not take it, because another host has it (RFC 4862)."""

    ifindex: int
    address: str
    is_duplicate: bool


def own_addresses(route: NetlinkSocket) -> list[OwnAddress]:
    """List the addresses of all interfaces of the namespace. Raises OSError."""
    answers = route.dump(RTM_GETADDR, _IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
    return [own for own in map(_own_address, answers) if own is not None]


def _own_address(message: bytes) -> OwnAddress | None:
    family, _, flags, _, ifindex = _IFADDRMSG.unpack_from(message)
    parts = attributes(message, _IFADDRMSG.size)
    packed = parts.get(IFA_LOCAL, parts.get(IFA_ADDRESS, b""))  # IFA_ADDRESS is the peer's on a point-to-point link
    if family not in (socket.AF_INET, socket.AF_INET6) or len(packed) not in (4, 16):
        return None
    return OwnAddress(ifindex, socket.inet_ntop(family, packed), bool(flags & IFA_F_DADFAILED))
