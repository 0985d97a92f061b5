"""Neighbours whose link-layer address is not known, and the default gateways, by rtnetlink.

Formats: include/uapi/linux/neighbour.h, rtnetlink.h. Needs no capability.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from bpftop.kernel.check import KernelError, errno_words
from bpftop.kernel.net.netlink import NetlinkSocket, attributes

RTM_GETNEIGH, RTM_GETROUTE = 30, 26
NUD_INCOMPLETE, NUD_FAILED = 0x01, 0x20
NDA_DST, NDA_CACHEINFO = 1, 3
RTA_GATEWAY = 5
RT_TABLE_MAIN, RTN_UNICAST = 254, 1
USER_HZ = 100  # clock_t of all architectures of today (include/asm-generic/param.h)

_NDMSG = struct.Struct("=B3xiHBB")
_RTMSG = struct.Struct("=BBBBBBBBI")


class Unresolved(NamedTuple):
    """A neighbour that is looked for, or was given up. ``since_ms``: time since it entered that state."""

    ifindex: int
    address: str
    failed: bool
    since_ms: int


class NeighbourTable:
    """The neighbours of the network namespace that the calling thread is in at the first request."""

    def __init__(self) -> None:
        self._netlink: NetlinkSocket | None = None

    def unresolved(self) -> list[Unresolved]:
        """List the neighbours that are incomplete or failed. Raises KernelError."""
        neighbours = []
        for message in self._dump(RTM_GETNEIGH, _NDMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0), "neighbours"):
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

    def default_gateways(self) -> frozenset[str]:
        """Return the addresses of the default gateways of the main table. Raises KernelError."""
        gateways = set()
        for family in (socket.AF_INET, socket.AF_INET6):
            request = _RTMSG.pack(family, 0, 0, 0, RT_TABLE_MAIN, 0, 0, 0, 0)
            for message in self._dump(RTM_GETROUTE, request, "routes"):
                _, bits, _, _, _, _, _, kind, _ = _RTMSG.unpack_from(message)
                gateway = attributes(message, _RTMSG.size).get(RTA_GATEWAY)
                if not bits and kind == RTN_UNICAST and gateway is not None:
                    gateways.add(socket.inet_ntop(family, gateway))
        return frozenset(gateways)

    def close(self) -> None:
        if self._netlink is not None:
            self._netlink.close()

    def _dump(self, kind: int, request: bytes, subject: str) -> list[bytes]:
        try:
            if self._netlink is None:
                self._netlink = NetlinkSocket(socket.NETLINK_ROUTE)
            return self._netlink.dump(kind, request)
        except OSError as error:
            number = error.errno or 0
            raise KernelError(f"cannot list {subject} by rtnetlink: {errno_words(number)}", number) from error
