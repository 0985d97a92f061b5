"""The base of the collectors that list sockets, each with the process that holds it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from bpftop.collect.collector import ReadingBuilder, Rows
from bpftop.collect.procfs.tree import Tree
from bpftop.collect.sockets.owners import SocketOwners
from bpftop.kernel.net.sock_diag import Listener, SockDiag, TcpSocket, UdpSocket
from bpftop.model.sample import Interface, Reading, reading_key

Listed = TypeVar("Listed", UdpSocket, Listener, TcpSocket)


class SocketCollector(ABC, Generic[Listed]):
    """A collector of one family with a row per socket: version, address, port, inode, process.

    ``diag`` is None for a recorded tree, which has no netlink.
    """

    name: str  # of the collector and of its family
    subject: str

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.diag = None if tree.is_recorded else SockDiag()
        self._owners = SocketOwners(tree.proc)
        self._builder = ReadingBuilder(self.name)

    @abstractmethod
    def list_sockets(self) -> list[Listed]:
        """Return the sockets. Raises Unavailable."""

    @abstractmethod
    def cells(self, socket: Listed) -> list[int | None]:
        """Return the value of each column."""

    def epoch(self, labels: Mapping[int, str]) -> int:
        """Return a number that changes when rows begin again. ``labels``: inode -> process."""
        return 0

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        begin_ns = time.monotonic_ns()
        sockets = self.list_sockets()
        read_ns = time.monotonic_ns()
        labels = self._owners.labels([socket.inode for socket in sockets])
        rows: Rows = {
            (socket.version, socket.address, socket.port, socket.inode, labels[socket.inode]): self.cells(socket)
            for socket in sockets
        }
        reading = self._builder.reading(rows, read_ns, read_ns - begin_ns, self.epoch(labels))
        return {reading_key(self.name): reading}

    def close(self) -> None:
        if self.diag is not None:
            self.diag.close()
