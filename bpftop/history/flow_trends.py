"""Bits per second of the flows of the last ticks, both directions together, for their trends."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from bpftop.model.sample import DIRECTIONS, Key
from bpftop.model.snapshot import Snapshot

TICKS = 40
"""Ticks that are kept: a trend of 12 cells, and some room to step back while the screen is paused."""


class FlowEnds(NamedTuple):
    """A flow without its direction. ``local``: address and port of this host, ``remote``: of the other side."""

    interface: str
    local: tuple[str, int]
    remote: tuple[str, int]
    l4_proto: int


def flow_ends(key: Key) -> FlowEnds:
    """Return the ends of a row of the family ``flows``: both directions of a conversation have the same."""
    label, direction, saddr, daddr, sport, dport, l4_proto = key
    source, destination = (str(saddr), int(sport)), (str(daddr), int(dport))
    local, remote = (destination, source) if direction == "rx" else (source, destination)
    return FlowEnds(str(label), local, remote, int(l4_proto))


class FlowTrends:
    """The rates of the flows in each of the last ticks in which flows were counted."""

    def __init__(self) -> None:
        self._ticks: deque[tuple[int, dict[FlowEnds, float]]] = deque(maxlen=TICKS)

    def push(self, snapshot: Snapshot) -> None:
        """Add a tick. A tick without flows ends the trends."""
        rates: dict[FlowEnds, float] = {}
        is_counted = False
        for interface in snapshot.interfaces:
            for direction in DIRECTIONS:
                reading = snapshot.reading("flows", interface.label, direction)
                if reading is None or snapshot.reading("flow_groups", interface.label, direction) is None:
                    continue  # a summary without groups has the same few flows for several ticks
                is_counted = True
                for key, bytes_per_sec in reading.rates("bytes"):
                    if bytes_per_sec:
                        ends = flow_ends(key)
                        rates[ends] = rates.get(ends, 0.0) + 8 * bytes_per_sec
        if is_counted:
            self._ticks.append((snapshot.mono_ns, rates))
        else:
            self._ticks.clear()

    def trend(self, flows: Iterable[FlowEnds], until_ns: int, cells: int) -> list[float]:
        """Return the sum of some flows in each of the last ticks until a moment; a flow outside the busiest is 0."""
        known = tuple(flows)
        ticks = [rates for at_ns, rates in self._ticks if at_ns <= until_ns][-cells:]
        return [sum(rates.get(ends, 0.0) for ends in known) for rates in ticks]
