"""Look-ups of sockets in all network namespaces of the host, bounded in number and time."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from ipaddress import ip_address

from bpftop.errors import BpftopError
from bpftop.kernel.net.addresses import own_addresses
from bpftop.kernel.net.netlink import NetlinkSocket
from bpftop.kernel.net.socket_lookup import FoundSocket, SocketLookup
from bpftop.kernel.netns import enter_path, moved

NAMESPACES_MOST = 32
BUDGET_NS = 3_000_000
"""Time that a round of look-ups may spend on other namespaces than the own one."""
ADDRESSES_EVERY_NS = 10 * 10**9


class _Namespace:
    """The look-ups in the namespace of the calling thread, and its addresses. Raises OSError, KernelError."""

    def __init__(self) -> None:
        self._route = NetlinkSocket(socket.NETLINK_ROUTE)
        try:
            self.lookup = SocketLookup()
        except BpftopError:
            self._route.close()
            raise
        self.addresses: frozenset[str] = frozenset()
        self._due_ns = 0

    def renew(self, now_ns: int) -> None:
        """Read the addresses again if that is due. Raises OSError."""
        if now_ns >= self._due_ns:
            self._due_ns = now_ns + ADDRESSES_EVERY_NS
            self.addresses = frozenset(own.address for own in own_addresses(self._route))

    def close(self) -> None:
        with closing(self._route), closing(self.lookup):
            pass


def is_everybodys(address: str) -> bool:
    """Return True for addresses that no namespace owns: multicast, broadcast, loopback."""
    parsed = ip_address(address)
    return parsed.is_multicast or parsed.is_loopback or address == "255.255.255.255"


class SocketNamespaces:
    """Finds the socket of a flow: in the namespaces that have the local address, or else in this thread's namespace.

    A packet that is only forwarded here must not be given to a socket that takes packets to any address. Entering
    another namespace takes CAP_SYS_ADMIN; without it only the own one is asked. Always the same thread. Raises
    OSError, KernelError.
    """

    def __init__(self) -> None:
        self._own = _Namespace()
        self._others: dict[int, _Namespace] = {}
        self._refused: set[int] = set()
        self._end_ns = 0

    def begin_round(self, namespaces: Mapping[int, int]) -> None:
        """Begin the look-ups of a tick. ``namespaces``: inode -> a process in it. Raises OSError."""
        now_ns = time.monotonic_ns()
        self._end_ns = now_ns + BUDGET_NS
        for inode in self._others.keys() - namespaces.keys():
            self._others.pop(inode).close()
        self._refused &= namespaces.keys()
        known = {self._own.lookup.inode, *self._others, *self._refused}
        for inode in [inode for inode in namespaces if inode not in known][: NAMESPACES_MOST - len(self._others)]:
            if time.monotonic_ns() > self._end_ns:
                break
            self._open(inode, namespaces[inode])
        for namespace in (self._own, *self._others.values()):
            namespace.renew(now_ns)

    def find(
        self, protocol: int, local: tuple[str, int], remote: tuple[str, int], ifindex: int
    ) -> tuple[FoundSocket, int] | None:
        """Return the socket and the inode of its namespace; 0: the own one. Raises KernelError."""
        others = [each.lookup for each in self._others.values() if local[0] in each.addresses]
        is_own = local[0] in self._own.addresses
        if is_own or not others:
            found = self._own.lookup.find(protocol, local, remote, ifindex)
            if found is not None and (is_own or not found.is_unconnected or is_everybodys(local[0])):
                return found, 0
        for lookup in others:
            if time.monotonic_ns() > self._end_ns:
                return None
            found = lookup.find(protocol, local, remote)
            if found is not None:
                return found, lookup.inode
        return None

    def close(self) -> None:
        for namespace in (self._own, *self._others.values()):
            namespace.close()

    def _open(self, inode: int, pid: int) -> None:
        try:
            with moved(partial(enter_path, f"/proc/{pid}/ns/net")):
                self._others[inode] = _Namespace()
        except (OSError, BpftopError):  # it is gone, or this user may not enter it
            self._refused.add(inode)
