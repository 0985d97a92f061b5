"""Neighbours whose link-layer address is not known, and addresses that move, by rtnetlink.

Format: include/uapi/linux/neighbour.h. Needs no capability.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from bpftop.kernel.net.netlink import NetlinkSocket, attributes, u32

RTM_NEWNEIGH, RTM_GETNEIGH, RTNLGRP_NEIGH = 28, 30, 3
AF_BRIDGE = 7
NUD_INCOMPLETE, NUD_FAILED = 0x01, 0x20
NDA_DST, NDA_LLADDR, NDA_CACHEINFO, NDA_MASTER = 1, 2, 3, 9
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


class Sighting(NamedTuple):
    """An address, and where the kernel has seen it last.

    A neighbour is an IP address at a link-layer address (``place``), with ``port`` 0. An entry of a forwarding table is
    a MAC address at a port (an ifindex) of the bridge ``ifindex``; ``place`` is the host behind the port of a tunnel.
    """

    ifindex: int
    address: str
    place: str
    port: int


class NeighbourNews:
    """Notifications about neighbours and forwarding tables, in the namespace of the thread that constructs this.

    Raises OSError.
    """

    _QUEUE_BYTES = 128 * 1024  # some 200 notifications: a loop in a network makes any number of them

    def __init__(self) -> None:
        self._netlink = NetlinkSocket(socket.NETLINK_ROUTE)
        self._netlink.subscribe([RTNLGRP_NEIGH], self._QUEUE_BYTES)

    def sightings(self) -> Iterator[Sighting]:
        """Yield the changes since the last call. Raises OSError."""
        for kind, message in self._netlink.notifications():
            sighting = _sighting(message) if kind == RTM_NEWNEIGH else None
            if sighting is not None:
                yield sighting

    def close(self) -> None:
        self._netlink.close()


def _sighting(message: bytes) -> Sighting | None:
    """Parse the body of an RTM_NEWNEIGH message; None where it does not say where the address is."""
    family, ifindex, _, _, _ = _NDMSG.unpack_from(message)
    parts = attributes(message, _NDMSG.size)
    link_address, address = (parts.get(kind, b"") for kind in (NDA_LLADDR, NDA_DST))
    version = {4: socket.AF_INET, 16: socket.AF_INET6}.get(len(address))
    text = "" if version is None else socket.inet_ntop(version, address)
    if not link_address:
        return None
    if family == AF_BRIDGE:
        return Sighting(u32(parts.get(NDA_MASTER)) or ifindex, link_address.hex(":"), text, ifindex)
    return Sighting(ifindex, text, link_address.hex(":"), 0) if text else None
