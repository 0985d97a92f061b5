"""Local ports in use per destination, by sock_diag.

Two connections to one destination cannot share a local port, and a port rests for a minute in TIME-WAIT after its
connection. The kernel walks all connections, so this is read only while many are in TIME-WAIT (/proc/net/sockstat).
"""

from __future__ import annotations

import time

from bpftop.collect.collector import CounterRows
from bpftop.collect.procfs.tree import Tree
from bpftop.collect.sockets.socket_collector import SockDiagCollector

MOST_ROWS = 16
LEAST_SHARE = 0.1
WAITING_SHARE = 0.5
"""TIME-WAIT connections from which on the ports are counted, as a share of the range."""


LEAST_WAITING = 32
"""TIME-WAIT connections below which no range is too small, so that its file need not be read."""


class PortUse(SockDiagCollector):
    """A collector of port_use."""

    name = "port_use"
    subject = "local ports in use"

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        self._sockstat = self.file("net/sockstat")
        self._range = self.file("sys/net/ipv4/ip_local_port_range")

    def read_rows(self) -> tuple[CounterRows, int]:
        diag = self.diag
        rows: CounterRows = {}
        waiting = self._sockstat.read(_waiting)
        if waiting >= LEAST_WAITING and waiting >= WAITING_SHARE * len(ports := self._range.read(_port_range)):
            used = diag.ports_in_use(ports).most_common(MOST_ROWS)
            rows = {key: [count, len(ports)] for key, count in used if count >= LEAST_SHARE * len(ports)}
        return rows, time.monotonic_ns()


def _port_range(text: str) -> range:
    low, high = map(int, text.split())
    return range(low, high + 1)


def _waiting(text: str) -> int:
    """Return the number of TIME-WAIT connections: ``tw`` in the line ``TCP:`` of sockstat."""
    words = next(line for line in text.splitlines() if line.startswith("TCP:")).split()
    return int(words[words.index("tw") + 1])
