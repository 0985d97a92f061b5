"""Local ports of services that ended: their sockets were there, and are no more.

The ports come from the lists that the collectors of UDP sockets and of listening sockets have just read.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bpftop.collect.collector import CounterRows, ReadingBuilder
from bpftop.collect.sockets.listen_sockets import ListenSockets
from bpftop.collect.sockets.udp_sockets import UdpSockets
from bpftop.model.sample import Interface, Reading, reading_key
from bpftop.model.units import NS_PER_SEC

SERVED_NS = 5 * NS_PER_SEC
"""A port that was open for a shorter time belonged to a client that waited for an answer."""

KEPT_NS, MOST_ROWS = 60 * NS_PER_SEC, 64


class ClosedPorts:
    """A collector of closed_ports."""

    name = "closed_ports"

    def __init__(self, udp: UdpSockets, listeners: ListenSockets) -> None:
        self._udp, self._listeners = udp, listeners
        self._builder = ReadingBuilder(self.name)
        self._open_since: dict[tuple[str, int], int] = {}
        self._closed: dict[tuple[str, int], int] = {}

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        now_ns = time.monotonic_ns()
        now_open = {("UDP", port) for port in self._udp.ports} | {("TCP", port) for port in self._listeners.ports}
        for key, since_ns in self._open_since.items():
            if key not in now_open and now_ns - since_ns >= SERVED_NS:
                self._closed[key] = now_ns
        self._open_since = {key: self._open_since.get(key, now_ns) for key in now_open}
        recent = {
            key: closed_ns
            for key, closed_ns in self._closed.items()
            if key not in now_open and now_ns - closed_ns < KEPT_NS
        }
        self._closed = dict(list(recent.items())[-MOST_ROWS:])
        rows: CounterRows = {key: [(now_ns - closed_ns) // 1_000_000] for key, closed_ns in self._closed.items()}
        read_ns = time.monotonic_ns()
        return {reading_key(self.name): self._builder.reading(rows, read_ns, read_ns - now_ns)}

    def close(self) -> None:
        """Do nothing: the lists belong to the other collectors."""
