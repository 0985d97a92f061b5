"""TCP sockets in trouble with their peer, by sock_diag: without an answer, stalled, or sending the same again.

The kernel walks the table of all connections for these, some ms on a machine with many. So the sockets are listed only
while counters say that there are such sockets, and no more often than takes 5 % of a CPU.
"""

from __future__ import annotations

import time
from abc import abstractmethod

from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.counter_files import Netstat
from bpftop.collect.procfs.tree import Tree
from bpftop.collect.sockets.socket_collector import Listed, SocketCollector
from bpftop.kernel.net.sock_diag import TCP_ESTABLISHED, TCP_SYN_SENT, SockDiag, TcpSocket, TimedOutSocket
from bpftop.model.families import UNREAD_BYTES

MOST_ROWS = 64
_REST = 20  # pause after a list, in times of its duration


class TroubledSockets(SocketCollector[Listed]):
    """A collector of sockets that are listed only after one of ``counters`` has moved, and until none is left."""

    counters: tuple[str, ...]

    def __init__(self, tree: Tree, netstat: Netstat) -> None:
        super().__init__(tree)
        self._netstat = netstat  # read just before at each tick
        self._counts: list[str | None] | None = None
        self._any = True  # sockets that were in trouble before the first look
        self._listed: list[Listed] = []
        self._rest_until_ns = 0

    @abstractmethod
    def troubled(self, diag: SockDiag) -> list[Listed]:
        """Return the sockets in trouble, the worst first. Raises KernelError."""

    def list_sockets(self) -> list[Listed]:
        diag = self.diag
        words = self._netstat.words
        if not words:
            raise Unavailable(f"{self.subject}: /proc/net/netstat is not read")
        counts = [words.get(counter) for counter in self.counters]
        begin_ns = time.monotonic_ns()
        if begin_ns < self._rest_until_ns or (counts == self._counts and not self._any):
            return self._listed
        self._counts = counts
        sockets = self.troubled(diag)
        end_ns = time.monotonic_ns()
        self._rest_until_ns = end_ns + _REST * (end_ns - begin_ns)
        self._any, self._listed = bool(sockets), sockets[:MOST_ROWS]
        return self._listed


def _trouble(socket: TcpSocket) -> tuple[int, int]:
    return socket.retransmits, max(socket.receive_queue_bytes, socket.send_queue_bytes)


class ConnectingSockets(TroubledSockets[TcpSocket]):
    """A collector of sockets whose SYN was sent again."""

    name = "connecting_sockets"
    subject = "connection requests without an answer"
    counters = ("TcpExtTCPSynRetrans",)

    def troubled(self, diag: SockDiag) -> list[TcpSocket]:
        sockets = [socket for socket in diag.tcp_sockets(TCP_SYN_SENT) if socket.retransmits]
        return sorted(sockets, key=_trouble, reverse=True)

    def cells(self, socket: TcpSocket) -> list[int | None]:
        return [socket.retransmits]


class StalledSockets(TroubledSockets[TcpSocket]):
    """A collector of sockets with a closed window: the peer's, or the own one."""

    name = "stalled_sockets"
    subject = "stalled connections"
    counters = ("TcpExtTCPToZeroWindowAdv", "TcpExtTCPWinProbe")

    def troubled(self, diag: SockDiag) -> list[TcpSocket]:
        sockets = [
            socket
            for socket in diag.tcp_sockets(TCP_ESTABLISHED)
            if socket.window_probe or socket.receive_queue_bytes >= UNREAD_BYTES
        ]
        return sorted(sockets, key=_trouble, reverse=True)

    def cells(self, socket: TcpSocket) -> list[int | None]:
        return [socket.receive_queue_bytes, socket.send_queue_bytes, socket.window_probe]


class TimedOutSockets(TroubledSockets[TimedOutSocket]):
    """A collector of sockets whose timer has sent the same segment twice or more: no acknowledgement comes."""

    name = "timed_out_sockets"
    subject = "connections whose segments are not acknowledged"
    counters = ("TcpExtTCPTimeouts",)

    def troubled(self, diag: SockDiag) -> list[TimedOutSocket]:
        return sorted(diag.timed_out_sockets(2), key=lambda socket: -socket.retransmits)

    def cells(self, socket: TimedOutSocket) -> list[int | None]:
        return list(socket[4:])
