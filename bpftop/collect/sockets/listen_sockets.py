"""Listening TCP sockets with connections that wait to be accepted, by sock_diag.

/proc/net/tcp has the same numbers, but the kernel lists every connection of the machine there, and not the limit.
"""

from __future__ import annotations

from bpftop.collect.sockets.resting_sockets import RestingSockets
from bpftop.kernel.net.sock_diag import Listener


class ListenSockets(RestingSockets[Listener]):
    """Accept queues that have connections, and their limits."""

    name = "listen_sockets"
    subject = "accept queues"
    # A connection moves TcpPassiveOpens when it enters its queue, before any process accepts it.
    counters = ("TcpPassiveOpens", "TcpExtListenOverflows", "TcpExtListenDrops")
    signs = ("TcpOutRsts",)

    def list_again(self) -> list[Listener]:
        return self.diag.waiting_listeners()

    def may_change_silently(self, listed: list[Listener]) -> bool:
        return bool(listed)  # a connection that is accepted moves no counter

    @property
    def ports(self) -> set[int]:
        """Return the ports on which sockets listened at the last reading."""
        return self._diag.ports

    def cells(self, socket: Listener) -> list[int | None]:
        return [socket.accept_queue, socket.accept_queue_max]
