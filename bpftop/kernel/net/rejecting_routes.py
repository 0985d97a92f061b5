"""Routes that refuse packets: of the types blackhole, unreachable and prohibit, by rtnetlink.

Format: include/uapi/linux/rtnetlink.h. Needs no capability.
"""

from __future__ import annotations

import socket
import struct

from bpftop.kernel.net.netlink import NetlinkSocket
from bpftop.kernel.net.routes import dump_routes
from bpftop.kernel.net.socket_filter import JUMP_EQUAL, LOAD_BYTE, RETURN, program

RTM_NEWROUTE = 24
RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE = 7, 11
REJECTING = 6, 7, 8
"""RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT"""

_RTMSG = struct.Struct("=B6xBI")  # family, type, flags
_HEADER_BYTES = 16
_TAKE_WHOLE = 0xFFFFFFFF


def has_rejecting_route(route: NetlinkSocket, family: socket.AddressFamily) -> bool:
    """Return True if a table has a route of AF_INET or AF_INET6 that refuses packets. Raises OSError.

    The kernel looks through all routes; since Linux 4.20 it sends only the routes of the wanted type.
    """
    return any(
        _RTMSG.unpack_from(answer)[1] == kind
        for kind in REJECTING
        for answer in dump_routes(route, _RTMSG.pack(family, kind, 0))
    )


class RejectingRouteNews:
    """Notifications about new routes that refuse packets, in the namespace of the thread that constructs this.

    A classic BPF filter leaves out all others in the kernel: a router may change thousands of routes a second. Raises
    OSError.
    """

    _QUEUE_BYTES = 32 * 1024  # some 50 notifications; the first of each family is enough

    def __init__(self) -> None:
        self._netlink = NetlinkSocket(socket.NETLINK_ROUTE)
        try:
            self._netlink.subscribe((RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE), self._QUEUE_BYTES, _type_filter())
        except OSError:
            self._netlink.close()
            raise

    def families(self) -> set[int]:
        """Return the families of the routes that were made since the last call. Raises OSError."""
        return {_RTMSG.unpack_from(body)[0] for kind, body in self._netlink.notifications() if kind == RTM_NEWROUTE}

    def close(self) -> None:
        self._netlink.close()


def _type_filter() -> bytes:
    """Return a classic BPF program that takes messages about routes of the types REJECTING."""
    code = [(LOAD_BYTE, 0, 0, _HEADER_BYTES + 7)]  # rtm_type
    code += [(JUMP_EQUAL, len(REJECTING) - at, 0, kind) for at, kind in enumerate(REJECTING)]
    code += [(RETURN, 0, 0, 0), (RETURN, 0, 0, _TAKE_WHOLE)]
    return program(code)
