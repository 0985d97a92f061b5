"""Routes by rtnetlink: dumps, and the default routes of the main table. Format: include/uapi/linux/rtnetlink.h."""

from __future__ import annotations

import errno
import socket
import struct
from typing import NamedTuple

from bpftop.kernel.net.netlink import NetlinkSocket, attributes, u32

_RTM_GETROUTE = 26
RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_MULTIPATH, RTA_TABLE = 4, 5, 6, 9, 15
RT_TABLE_MAIN, RTN_UNICAST = 254, 1

_RTMSG = struct.Struct("=BBBBBBBBI")


class DefaultRoute(NamedTuple):
    """A default route, or the first path of one with several paths. ``gateway`` is None on a link without one."""

    metric: int
    ifindex: int
    gateway: str | None


def default_routes(route: NetlinkSocket, family: socket.AddressFamily) -> list[DefaultRoute]:
    """List the default routes of AF_INET or AF_INET6. Raises OSError."""
    answers = dump_routes(route, _RTMSG.pack(family, 0, 0, 0, RT_TABLE_MAIN, 0, 0, 0, 0))
    return [parsed for parsed in map(_default_route, answers) if parsed is not None]


def dump_routes(route: NetlinkSocket, request: bytes) -> list[bytes]:
    """Return the answers to a request for routes; none without the table, or in a kernel without the family.

    Raises OSError.
    """
    try:
        return route.dump(_RTM_GETROUTE, request)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
            return []
        raise


def _default_route(message: bytes) -> DefaultRoute | None:
    """Return a default route of the main table; None for any other route."""
    family, destination_bits, source_bits, _, table, _, _, kind, _ = _RTMSG.unpack_from(message)
    if destination_bits or source_bits or kind != RTN_UNICAST:
        return None
    route = attributes(message, _RTMSG.size)
    if (u32(route.get(RTA_TABLE)) or table) != RT_TABLE_MAIN:
        return None
    ifindex = u32(route.get(RTA_OIF))
    if ifindex is None and len(route.get(RTA_MULTIPATH, b"")) >= 8:
        (ifindex,) = struct.unpack_from("=i", route[RTA_MULTIPATH], 4)  # struct rtnexthop of the first path
    if ifindex is None:
        return None
    gateway = route.get(RTA_GATEWAY)
    return DefaultRoute(
        u32(route.get(RTA_PRIORITY)) or 0, ifindex, None if gateway is None else socket.inet_ntop(family, gateway)
    )
