"""One socket by its addresses and ports, by NETLINK_SOCK_DIAG: who holds it, and what TCP knows of the connection.

Formats: include/uapi/linux/inet_diag.h, tcp.h. Needs no capability. A request without NLM_F_DUMP finds the socket in
the hash tables as a packet would: the connection, or else the socket that listens or is not connected.
"""

from __future__ import annotations

import errno
import os
import struct
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, inet_pton
from typing import NamedTuple

from bpftop.kernel.net.netlink import NetlinkSocket, attributes
from bpftop.kernel.net.sock_diag import EVERY_STATE, INET_DIAG_INFO, NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, TCP_LISTEN
from bpftop.kernel.return_code import KernelError, errno_words

INET_DIAG_CGROUP_ID = 21
TCP_TIME_WAIT = 6
# struct inet_diag_req_v2: family, protocol, extensions, states; sport, dport, src, dst, interface, no cookie
_REQUEST = struct.Struct("=BBBxI2s2s16s16sI8s")
_NO_COOKIE = b"\xff" * 8
# struct inet_diag_msg: state; uid, inode
_MESSAGE = struct.Struct("=xB2x2s2s16s16sI8xI4xIII")
# struct tcp_info: lost, rtt, cwnd, total retransmits; min rtt; delivery rate, busy, limited by window, by send buffer
_INFO = struct.Struct("=7xB24xI32xI8xI16xI44xI8xQQQQ")
_NOT_FOUND = (errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL)


class TcpFacts(NamedTuple):
    """Hold the figures of a TCP connection (struct tcp_info). Times are in µs, the rate in bytes per second."""

    rtt_us: int
    min_rtt_us: int
    retransmits: int
    lost: int
    cwnd: int
    delivery_rate_bytes_per_sec: int
    is_application_limited: bool
    busy_us: int
    window_limited_us: int
    buffer_limited_us: int


class FoundSocket(NamedTuple):
    """A socket. ``inode`` is its number in /proc/PID/fd, 0 where no process holds it; ``cgroup_id`` 0 before Linux 5.8.

    ``is_unconnected``: it listens, or is a UDP socket that takes datagrams of anybody.
    """

    inode: int
    uid: int
    cgroup_id: int
    is_unconnected: bool
    tcp: TcpFacts | None


class SocketLookup:
    """Look-ups in the network namespace that the calling thread is in now. One thread at a time. Raises KernelError."""

    def __init__(self) -> None:
        try:
            self._netlink = NetlinkSocket(NETLINK_SOCK_DIAG)
        except OSError as error:
            raise _refusal(error) from error
        self.inode = os.stat("/proc/thread-self/ns/net").st_ino

    def find(
        self, protocol: int, local: tuple[str, int], remote: tuple[str, int], ifindex: int = 0
    ) -> FoundSocket | None:
        """Return the TCP or UDP socket of a flow; None where there is none, or it is gone. Raises KernelError.

        ``ifindex``: the interface of the flow, for sockets that are bound to a device.
        """
        family = AF_INET if ip_address(local[0]).version == 4 else AF_INET6
        # For UDP the kernel takes source and destination the other way round (udp_dump_one), "for historical reasons".
        source, destination = (remote, local) if protocol == IPPROTO_UDP else (local, remote)
        request = _REQUEST.pack(
            family, protocol, 1 << (INET_DIAG_INFO - 1), EVERY_STATE,
            source[1].to_bytes(2, "big"), destination[1].to_bytes(2, "big"),
            inet_pton(family, source[0]), inet_pton(family, destination[0]), ifindex, _NO_COOKIE,
        )  # fmt: skip
        try:
            answer = self._netlink.request(SOCK_DIAG_BY_FAMILY, request)
        except OSError as error:
            if error.errno in _NOT_FOUND:
                return None
            raise _refusal(error) from error
        return found_socket(protocol, answer)

    def close(self) -> None:
        self._netlink.close()


def found_socket(protocol: int, answer: bytes) -> FoundSocket | None:
    """Parse a struct inet_diag_msg with its attributes; None for one that is cut short, and for TIME-WAIT."""
    if len(answer) < _MESSAGE.size:
        return None
    state, _, remote_port, _, _, _, _, _, uid, inode = _MESSAGE.unpack_from(answer)
    if state == TCP_TIME_WAIT and protocol == IPPROTO_TCP:
        return None
    parts = attributes(answer, _MESSAGE.size)
    cgroup_id = int.from_bytes(parts.get(INET_DIAG_CGROUP_ID, b""), "little")
    info = parts.get(INET_DIAG_INFO, b"")
    is_unconnected = state == TCP_LISTEN if protocol == IPPROTO_TCP else remote_port == bytes(2)
    tcp = None
    if protocol == IPPROTO_TCP and state != TCP_LISTEN and len(info) >= _INFO.size:
        limited, lost, rtt, cwnd, retransmits, min_rtt, rate, busy, window, buffer = _INFO.unpack_from(info)
        tcp = TcpFacts(rtt, min_rtt, retransmits, lost, cwnd, rate, bool(limited & 1), busy, window, buffer)
    return FoundSocket(inode, uid, cgroup_id, is_unconnected, tcp)


def _refusal(error: OSError) -> KernelError:
    number = error.errno or 0
    return KernelError(f"cannot look sockets up by sock_diag: {errno_words(number)}", number)
