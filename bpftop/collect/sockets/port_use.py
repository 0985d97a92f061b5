"""Local ports in use per destination, by sock_diag.

Two connections to one destination cannot share a local port, and a port rests for a minute in TIME-WAIT after its
connection. The kernel walks all connections, so this is read only while there are many (/proc/net/sockstat).
"""

from __future__ import annotations

import time

from bpftop.collect.collector import CounterRows
from bpftop.collect.procfs.tree import Tree
from bpftop.collect.sockets.socket_collector import SockDiagCollector

MOST_ROWS = 16
LEAST_SHARE = 0.1
CONNECTIONS_SHARE = 0.5
"""Connections, those in TIME-WAIT included, from which on the ports are counted, as a share of the range."""

LEAST_CONNECTIONS = 32
"""Connections below which no range is too small, so that its file need not be read."""

_MOST_COST = 1 / 100
"""The part of the time that looks may take which find nothing: a server may have 100 000 connections from clients."""


class PortUse(SockDiagCollector):
    """A collector of port_use."""

    name = "port_use"
    subject = "local ports in use"

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        self._sockstat, self._sockstat6 = self.file("net/sockstat"), self.file("net/sockstat6")
        self._range = self.file("sys/net/ipv4/ip_local_port_range")
        self._due_ns = 0

    def read_rows(self) -> tuple[CounterRows, int]:
        begin_ns, diag = time.monotonic_ns(), self.diag
        connections = self._sockstat.read(_connections) + self._sockstat6.read_or(_connections, 0)
        if connections < LEAST_CONNECTIONS or begin_ns < self._due_ns:
            return {}, begin_ns
        ports = self._range.read(_port_range)
        if connections < CONNECTIONS_SHARE * len(ports):
            return {}, begin_ns
        used = diag.ports_in_use(ports).most_common(MOST_ROWS)
        rows: CounterRows = {key: [count, len(ports)] for key, count in used if count >= LEAST_SHARE * len(ports)}
        read_ns = time.monotonic_ns()
        self._due_ns = 0 if rows else read_ns + int((read_ns - begin_ns) / _MOST_COST)
        return rows, read_ns


def _port_range(text: str) -> range:
    low, high = map(int, text.split())
    return range(low, high + 1)


def _connections(text: str) -> int:
    """Return the number of TCP sockets, those in TIME-WAIT included: ``TCP: inuse 1 orphan 0 tw 2`` of sockstat."""
    words = next(line for line in text.splitlines() if line.startswith(("TCP:", "TCP6:"))).split()
    return sum(int(words[words.index(name) + 1]) for name in ("inuse", "tw") if name in words)
