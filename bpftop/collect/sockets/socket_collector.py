"""The bases of the collectors that ask sock_diag, mostly for sockets, each with the process that holds it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Generic, TypeVar

from bpftop.collect.collector import CounterRows, ReadingBuilder, Unavailable
from bpftop.collect.procfs.proc_file import ProcFile
from bpftop.collect.procfs.tree import Tree
from bpftop.collect.sockets.owners import SocketOwners
from bpftop.kernel.net.sock_diag import Listener, SockDiag, TcpSocket, TimedOutSocket, UdpSocket
from bpftop.kernel.return_code import KernelError
from bpftop.model.sample import Interface, Reading, reading_key

Listed = TypeVar("Listed", UdpSocket, Listener, TcpSocket, TimedOutSocket)


class SockDiagCollector(ABC):
    """A collector of one family. ``epoch`` changes when its rows begin again."""

    name: str  # of the collector and of its family
    subject: str  # the thing that is read; begins the sentence about a failure
    epoch = 0

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._diag = SockDiag()
        self._files: list[ProcFile] = []
        self._builder = ReadingBuilder(self.name)

    @property
    def diag(self) -> SockDiag:
        """Return the requests to the kernel. Raises Unavailable for a recorded tree."""
        if self.tree.is_recorded:
            raise Unavailable(f"{self.subject}: they come by netlink, and recorded files have none of it")
        return self._diag

    def file(self, path: str) -> ProcFile:
        """Add a file of this collector; see ProcFile."""
        self._files.append(ProcFile(self.tree, path, self.subject))
        return self._files[-1]

    @abstractmethod
    def read_rows(self) -> tuple[CounterRows, int]:
        """Return the rows, and the time of their read (CLOCK_MONOTONIC). Raises Unavailable, KernelError."""

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        begin_ns = time.monotonic_ns()
        try:
            rows, read_ns = self.read_rows()
        except KernelError as error:
            raise Unavailable(f"{self.subject}: {error}") from error
        return {reading_key(self.name): self._builder.reading(rows, read_ns, read_ns - begin_ns, self.epoch)}

    def close(self) -> None:
        self._diag.close()
        for file in self._files:
            file.close()


class SocketCollector(SockDiagCollector, Generic[Listed]):
    """A collector of one family with a row per socket: version, address, port, inode, process."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        self._owners = SocketOwners(tree.proc)

    @abstractmethod
    def list_sockets(self) -> list[Listed]:
        """Return the sockets. Raises Unavailable, KernelError."""

    @abstractmethod
    def cells(self, socket: Listed) -> list[int | None]:
        """Return the value of each column."""

    def labels(self, inodes: Collection[int]) -> Mapping[int, str]:
        """Return inode -> process."""
        return self._owners.labels(inodes)

    def read_rows(self) -> tuple[CounterRows, int]:
        sockets = self.list_sockets()
        read_ns = time.monotonic_ns()
        labels = self.labels([socket.inode for socket in sockets])
        rows: CounterRows = {
            (socket.version, socket.address, socket.port, socket.inode, labels[socket.inode]): self.cells(socket)
            for socket in sockets
        }
        return rows, read_ns
