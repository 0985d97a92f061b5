"""Neighbours that do not answer: ARP and neighbour discovery without an answer for half a second or more."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from socket import AF_INET, AF_INET6

from bpftop.collect.collector import CounterRows, ReadingBuilder, Unavailable
from bpftop.kernel.net.neighbours import Unresolved, unresolved
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.net.routes import default_routes
from bpftop.model.sample import Interface, Reading, reading_key

LOOKED_FOR_MS = 500
"""A neighbour on the same network answers within some ms; the kernel asks three times, once a second."""

GIVEN_UP_MS = 1_500
"""Failed entries stay in the table long after the last packet: older entries say nothing about now."""

MOST_ROWS = 64
_GATEWAYS_EVERY_NS = 10 * 10**9


class UnresolvedNeighbours:
    """A collector of unresolved_neighbours: a row per neighbour, default gateways first."""

    name = "unresolved_neighbours"

    def __init__(self, netdev: Netdev) -> None:
        self._netdev = netdev
        self._builder = ReadingBuilder(self.name)
        self._listed: set[tuple[int, str]] = set()
        self._gateways: set[str | None] = set()
        self._gateways_due_ns = 0

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        begin_ns, route = time.monotonic_ns(), self._netdev.route
        try:
            silent = [neighbour for neighbour in unresolved(route) if self._is_silent(neighbour)]
            if silent and begin_ns >= self._gateways_due_ns:
                routes = (found for family in (AF_INET, AF_INET6) for found in default_routes(route, family))
                self._gateways = {found.gateway for found in routes}
                self._gateways_due_ns = begin_ns + _GATEWAYS_EVERY_NS
        except OSError as error:
            raise Unavailable(f"neighbours: cannot list them by rtnetlink: {error.strerror}") from error
        read_ns = time.monotonic_ns()
        self._listed = {(neighbour.ifindex, neighbour.address) for neighbour in silent}
        silent.sort(key=lambda neighbour: neighbour.address not in self._gateways)
        rows: CounterRows = {
            (self._device_name(neighbour.ifindex), neighbour.address, self._role(neighbour)): [neighbour.since_ms]
            for neighbour in silent[:MOST_ROWS]
        }
        return {reading_key(self.name): self._builder.reading(rows, read_ns, read_ns - begin_ns)}

    def close(self) -> None:
        """Do nothing: rtnetlink belongs to the session."""

    def _is_silent(self, neighbour: Unresolved) -> bool:
        """Return True if nothing has answered for a while, also where the kernel has just begun to ask anew."""
        if neighbour.failed:
            return neighbour.since_ms <= GIVEN_UP_MS
        return neighbour.since_ms >= LOOKED_FOR_MS or (neighbour.ifindex, neighbour.address) in self._listed

    def _device_name(self, ifindex: int) -> str:
        device = self._netdev.device(ifindex)
        return f"ifindex {ifindex}" if device is None else device.name

    def _role(self, neighbour: Unresolved) -> str:
        return "default gateway" if neighbour.address in self._gateways else ""
