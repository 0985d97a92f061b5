"""Listening TCP sockets with connections that wait to be accepted, each with the process that holds it: by sock_diag.

/proc/net/tcp has the same numbers, but the kernel lists every connection of the machine there, and not the limit.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.collect.procfs.tree import Tree
from bpftop.collect.sockets.owners import SocketOwners
from bpftop.kernel.check import KernelError
from bpftop.kernel.net.sock_diag import SockDiag
from bpftop.model.sample import Interface, Key, Reading, reading_key

_WHAT = "accept queues"


class ListenSockets:
    """Family listen_sockets."""

    name = "listen_sockets"

    def __init__(self, tree: Tree) -> None:
        self._diag = SockDiag() if tree.root == Path("/") else None
        self._owners = SocketOwners(tree.proc)
        self._rows = ReadingBuilder("listen_sockets")

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Raises Unavailable."""
        if self._diag is None:
            raise Unavailable(f"{_WHAT}: they come by netlink, and recorded files have none of it")
        begin_ns = time.monotonic_ns()
        try:
            found = self._diag.waiting_listeners()
        except KernelError as error:
            raise Unavailable(f"{_WHAT}: {error}") from error
        read_ns = time.monotonic_ns()
        labels = self._owners.labels([one.inode for one in found])
        rows: dict[Key, list[int | None]] = {
            (one.version, one.address, one.port, one.inode, labels[one.inode]): [
                one.accept_queue,
                one.accept_queue_max,
            ]
            for one in found
        }
        return {reading_key("listen_sockets"): self._rows.reading(rows, read_ns, read_ns - begin_ns)}

    def close(self) -> None:
        if self._diag is not None:
            self._diag.close()
