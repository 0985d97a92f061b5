"""Neighbours whose link-layer address is not known, by rtnetlink. Format: include/uapi/linux/neighbour.h.

Needs no capability.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from bpftop.kernel.net.netlink import NetlinkSocket, attributes

RTM_GETNEIGH = 30
NUD_INCOMPLETE, NUD_FAILED = 0x01, 0x20
NDA_DST, NDA_CACHEINFO = 1, 3
USER_HZ = 100  # clock_t of all architectures of today (include/asm-generic/param.h)

_NDMSG = struct.Struct("=B3xiHBB")


class Unresolved(NamedTuple):
    """A neighbour that is looked for, or was given up. ``since_ms``: time since it entered that state."""

    ifindex: int
    address: str
    failed: bool
    since_ms: int


def unresolved(route: NetlinkSocket) -> list[Unresolved]:
    """List the neighbours that are incomplete or failed. Raises OSError."""
    neighbours = []
    for message in route.dump(RTM_GETNEIGH, _NDMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
        family, ifindex, state, _, _ = _NDMSG.unpack_from(message)
        if not state & (NUD_INCOMPLETE | NUD_FAILED) or family not in (socket.AF_INET, socket.AF_INET6):
            continue
        parts = attributes(message, _NDMSG.size)
        if NDA_DST not in parts or NDA_CACHEINFO not in parts:
            continue
        _, _, updated, _ = struct.unpack_from("=4I", parts[NDA_CACHEINFO])
        address = socket.inet_ntop(family, parts[NDA_DST])
        neighbours.append(Unresolved(ifindex, address, bool(state & NUD_FAILED), updated * 1000 // USER_HZ))
    return neighbours
