"""The rows of the table of flows: the busiest flows or groups of a snapshot, with names and trends, and the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from bpftop.fields import frozen
from bpftop.history.flow_trends import FlowTrends
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot
from bpftop.render.flows.flow_pairs import FlowPair, PairBy, end_text
from bpftop.render.flows.flow_top import flow_top

TREND_CELLS = 12
MOST_ROWS = 1000
"""More than the busiest flows of both directions are."""


@frozen
class FlowRow:
    """A flow or a group. ``names``: names of addresses that were looked up. ``until_ns``: time of the snapshot."""

    pair: FlowPair
    names: Mapping[str, str]
    trends: FlowTrends
    until_ns: int

    @property
    def key(self) -> str:
        return self.pair.key

    @property
    def trend(self) -> list[float]:
        """Return the bits per second of the last ticks, oldest first; none of a row without known flows."""
        return self.trends.trend(self.pair.ends, self.until_ns, TREND_CELLS) if self.pair.ends else []

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return the addresses of the row, whose names can be looked up."""
        pair = self.pair
        return tuple(part for part in (pair.remote[0], pair.local[0], pair.name) if _is_address(part))

    def called(self, end: tuple[str, int]) -> str:
        """Return an end with the name of its address, or the address itself."""
        name = self.names.get(end[0])
        return end_text(end) if name is None else f"{name}:{end[1]}" if end[1] else name

    @property
    def member(self) -> str:
        """Return the name of a group; the looked-up name where it is an address."""
        return self.names.get(self.pair.name) or self.pair.name


class FlowView(NamedTuple):
    """Rows with the most bits per second first, the row of all others, and what most packets have in common."""

    rows: list[FlowRow]
    rest: FlowRow
    sentence: str


def flow_view(
    snapshot: Snapshot, interface: InterfaceSnapshot, by: PairBy, names: Mapping[str, str], trends: FlowTrends
) -> FlowView:
    """Return what the table of flows shows."""
    top = flow_top(snapshot, interface, by, MOST_ROWS)
    rows = [FlowRow(pair, names, trends, snapshot.mono_ns) for pair in top.rows]
    return FlowView(rows, FlowRow(top.rest, names, trends, snapshot.mono_ns), top.sentence)


def matching_flows(rows: Iterable[FlowRow], typed: str) -> list[FlowRow]:
    """Return the rows that pass every word of a filter.

    ``443`` is a port; ``10.0.0.0/8`` a network that either end is in; anything else a protocol, or a part of an
    address, of its name, of a process or of its container.
    """
    tests = [_test(word) for word in typed.lower().replace(",", " ").split()]
    return [row for row in rows if all(passes(row) for passes in tests)]


def _test(word: str) -> Callable[[FlowRow], bool]:
    if word.isdecimal():
        port = int(word)
        return lambda row: port in (row.pair.local[1], row.pair.remote[1]) or row.pair.name.endswith(f" {word}")
    if re.fullmatch(r"[0-9a-f.:]+/\d{0,3}", word):
        network = _network(word)
        return lambda row: network is not None and any(ip_address(address) in network for address in row.addresses)
    return lambda row: (
        row.pair.protocol.lower() == word
        or (not row.pair.protocol and row.pair.name.lower().split(" ")[0] == word)
        or any(word in address or word in row.names.get(address, "").lower() for address in row.addresses)
        or any(word in name.lower() for name in _owner_words(row.pair))
    )


def _owner_words(pair: FlowPair) -> tuple[str, ...]:
    """Return the process and the container of a flow, or the name of a group that is made of them."""
    if pair.owner is not None:
        return pair.owner.name, pair.owner.service
    return () if pair.protocol or _is_address(pair.name) else (pair.name,)


def _network(word: str) -> IPv4Network | IPv6Network | None:
    """Parse ``10.0.0.0/8``; ``10.0.0.0/``, a network half typed, is the address alone. None if it is no network."""
    try:
        return ip_network(word.removesuffix("/"), strict=False)
    except ValueError:
        return None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def addresses(rows: Sequence[FlowRow]) -> list[str]:
    """Return every address once, in the order of the rows."""
    return list(dict.fromkeys(address for row in rows for address in row.addresses))
