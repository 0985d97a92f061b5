"""TCP sockets in trouble with their peer, by sock_diag: connecting without an answer, and stalled.

The kernel walks the table of all connections for these, some ms on a machine with many. So the sockets are listed only
while counters say that there are such sockets.
"""

from __future__ import annotations

from abc import abstractmethod

from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.counter_files import Netstat
from bpftop.collect.procfs.tree import Tree
from bpftop.collect.sockets.socket_collector import SocketCollector
from bpftop.kernel.net.sock_diag import TCP_ESTABLISHED, TCP_SYN_SENT, TcpSocket

MOST_ROWS = 64
UNREAD_BYTES = 16_384
"""A program that reads leaves less than this in a receive queue; a closed window leaves several times as much."""


class TroubledSockets(SocketCollector[TcpSocket]):
    """A collector of sockets that are listed only after one of ``counters`` has moved, and until none is left."""

    counters: tuple[str, ...]
    states: tuple[int, ...]

    def __init__(self, tree: Tree, netstat: Netstat) -> None:
        super().__init__(tree)
        self._netstat = netstat  # read just before at each tick
        self._counts: list[str | None] | None = None
        self._any = True  # sockets that were in trouble before the first look

    @abstractmethod
    def is_troubled(self, socket: TcpSocket) -> bool:
        """Return True if the socket is listed."""

    def list_sockets(self) -> list[TcpSocket]:
        diag = self.diag
        words = self._netstat.words
        if not words:
            raise Unavailable(f"{self.subject}: /proc/net/netstat is not read")
        counts = [words.get(counter) for counter in self.counters]
        if counts == self._counts and not self._any:
            return []
        self._counts = counts
        sockets = [socket for socket in diag.tcp_sockets(*self.states) if self.is_troubled(socket)]
        self._any = bool(sockets)
        return sorted(sockets, key=_trouble, reverse=True)[:MOST_ROWS]


def _trouble(socket: TcpSocket) -> tuple[int, int]:
    return socket.retransmits, max(socket.receive_queue_bytes, socket.send_queue_bytes)


class ConnectingSockets(TroubledSockets):
    """A collector of sockets whose SYN was sent again."""

    name = "connecting_sockets"
    subject = "connection requests without an answer"
    counters = ("TcpExtTCPSynRetrans",)
    states = (TCP_SYN_SENT,)

    def is_troubled(self, socket: TcpSocket) -> bool:
        return socket.retransmits > 0

    def cells(self, socket: TcpSocket) -> list[int | None]:
        return [socket.retransmits]


class StalledSockets(TroubledSockets):
    """A collector of sockets with a closed window: the peer's, or the own one."""

    name = "stalled_sockets"
    subject = "stalled connections"
    counters = ("TcpExtTCPToZeroWindowAdv", "TcpExtTCPWinProbe")
    states = (TCP_ESTABLISHED,)

    def is_troubled(self, socket: TcpSocket) -> bool:
        return socket.window_probe or socket.receive_queue_bytes >= UNREAD_BYTES

    def cells(self, socket: TcpSocket) -> list[int | None]:
        return [socket.receive_queue_bytes, socket.send_queue_bytes, socket.window_probe]
