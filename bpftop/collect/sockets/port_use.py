"""Local ports in use per destination, by sock_diag.

Two connections to one destination cannot share a local port, and a port rests for a minute in TIME-WAIT after its
connection. The kernel walks all connections, so this is read only while many are in TIME-WAIT (/proc/net/sockstat).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bpftop.collect.collector import ReadingBuilder, Rows, Unavailable
from bpftop.collect.procfs.proc_file import ProcFile
from bpftop.collect.procfs.tree import Tree
from bpftop.kernel.check import KernelError
from bpftop.kernel.net.sock_diag import SockDiag
from bpftop.model.sample import Interface, Reading, reading_key

MOST_ROWS = 16
LEAST_SHARE = 0.1
WAITING_SHARE = 0.5
"""TIME-WAIT connections from which on the ports are counted, as a share of the range."""


class PortUse:
    """A collector of port_use."""

    name = "port_use"
    subject = "local ports in use"

    def __init__(self, tree: Tree) -> None:
        self._diag = None if tree.is_recorded else SockDiag()
        self._sockstat = ProcFile(tree, "net/sockstat", self.subject)
        self._range = ProcFile(tree, "sys/net/ipv4/ip_local_port_range", self.subject)
        self._builder = ReadingBuilder(self.name)

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        if self._diag is None:
            raise Unavailable(f"{self.subject}: they come by netlink, and recorded files have none of it")
        begin_ns = time.monotonic_ns()
        ports = self._range.read(_port_range)
        rows: Rows = {}
        if self._sockstat.read(_waiting) >= WAITING_SHARE * len(ports):
            try:
                used = self._diag.ports_in_use(ports).most_common(MOST_ROWS)
            except KernelError as error:
                raise Unavailable(f"{self.subject}: {error}") from error
            rows = {key: [count, len(ports)] for key, count in used if count >= LEAST_SHARE * len(ports)}
        read_ns = time.monotonic_ns()
        return {reading_key(self.name): self._builder.reading(rows, read_ns, read_ns - begin_ns)}

    def close(self) -> None:
        if self._diag is not None:
            self._diag.close()


def _port_range(text: str) -> range:
    low, high = map(int, text.split())
    return range(low, high + 1)


def _waiting(text: str) -> int:
    """Return the number of TIME-WAIT connections: ``tw`` in the line ``TCP:`` of sockstat."""
    words = next(line for line in text.splitlines() if line.startswith("TCP:")).split()
    return int(words[words.index("tw") + 1])
