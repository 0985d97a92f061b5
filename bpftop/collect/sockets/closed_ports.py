"""Local ports of services that ended: their sockets were there, and are no more.

The ports come from the lists that the collectors of UDP sockets and of listening sockets have just read.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bpftop.collect.collector import CounterRows, ReadingBuilder
from bpftop.collect.sockets.listen_sockets import ListenSockets
from bpftop.collect.sockets.udp_sockets import UdpSockets
from bpftop.fields import mutable
from bpftop.model.sample import Interface, Reading, reading_key
from bpftop.model.units import NS_PER_SEC

SERVED_NS = 5 * NS_PER_SEC
"""A port that was open for a shorter time belonged to a client that waited for an answer."""

KEPT_NS, MOST_ROWS = 60 * NS_PER_SEC, 64


@mutable
class _Open:
    """A port that is open: the times of the first and of the last list that had it (CLOCK_MONOTONIC)."""

    first_ns: int
    last_ns: int


class ClosedPorts:
    """A collector of closed_ports."""

    name = "closed_ports"

    def __init__(self, udp: UdpSockets, listeners: ListenSockets) -> None:
        self._lists: dict[str, UdpSockets | ListenSockets] = {"UDP": udp, "TCP": listeners}
        self._builder = ReadingBuilder(self.name)
        self._read_ns = dict.fromkeys(self._lists, 0)
        self._open: dict[str, dict[int, _Open]] = {protocol: {} for protocol in self._lists}
        self._closed: dict[tuple[str, int], int] = {}

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        now_ns = time.monotonic_ns()
        for protocol, sockets in self._lists.items():
            if sockets.listed_ns != self._read_ns[protocol]:
                self._read_ns[protocol] = sockets.listed_ns
                self._note(protocol, sockets.ports, sockets.listed_ns)
        recent = {key: open_ns for key, open_ns in self._closed.items() if now_ns - open_ns < KEPT_NS}
        self._closed = dict(list(recent.items())[-MOST_ROWS:])
        rows: CounterRows = {key: [(now_ns - open_ns) // 1_000_000] for key, open_ns in self._closed.items()}
        read_ns = time.monotonic_ns()
        return {reading_key(self.name): self._builder.reading(rows, read_ns, read_ns - now_ns)}

    def close(self) -> None:
        """Do nothing: the lists belong to the other collectors."""

    def _note(self, protocol: str, ports: set[int], listed_ns: int) -> None:
        """Note a new list of ports: the time of the last list that had a port is when it was known to be open."""
        known = self._open[protocol]
        for port in known.keys() - ports:
            gone = known.pop(port)
            if gone.last_ns - gone.first_ns >= SERVED_NS:
                self._closed[protocol, port] = gone.last_ns
        for port in ports:
            if port in known:
                known[port].last_ns = listed_ns
            else:
                known[port] = _Open(listed_ns, listed_ns)
                self._closed.pop((protocol, port), None)
