"""Rows of the table of flows: what a snapshot says about the busiest flows, or about groups of flows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

from bpftop.model.protocols import protocol_name
from bpftop.model.readings import RatedReading
from bpftop.model.sample import Direction, Key
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot, sum_known

GroupBy = Literal["flow", "source", "destination", "destination_port"]
GROUPS: tuple[GroupBy, ...] = ("flow", "source", "destination", "destination_port")


@dataclass(frozen=True)
class FlowLine:
    """One flow; or a group of them, which has a ``member`` in place of addresses and ports."""

    interface: str
    saddr: str
    daddr: str
    sport: int
    dport: int
    protocol: str
    member: str
    packets_per_sec: float | None
    bits_per_sec: float | None
    share: float | None
    """Of all packets of the direction."""
    age_ns: int | None
    names: Mapping[str, str]
    """Names of addresses, as far as somebody asked for them."""

    @property
    def key(self) -> str:
        return "|".join(
            (self.interface, self.saddr, self.daddr, f"{self.sport}", f"{self.dport}", self.protocol, self.member)
        )

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those that a name can be asked for."""
        return tuple(part for part in (self.saddr, self.daddr, self.member) if _is_address(part))

    def called(self, address: str) -> str:
        """Its name, or the address itself."""
        return self.names.get(address) or address


@dataclass(frozen=True)
class FlowTables:
    """How full the tables of a direction are, and what they cost. None is unknown."""

    entries: int
    max_entries: int
    removed_idle: int
    sampled_1_in: int
    read_ns: int
    added_ns_per_packet: int | None


def tables(shown: Snapshot, watched: InterfaceSnapshot, direction: Direction) -> FlowTables | None:
    """All tables of what is looked at, together; None where there is none at this moment."""
    found: list[tuple[int | None, ...]] = [
        signal.reading.totals[key]
        for signal in _signals(shown, watched, direction, "flow_table")
        for key in signal.keys
    ]
    if not found:
        return None
    entries, most, removed, sampled, read_ns, added = zip(*found, strict=True)
    costs = [cost for cost in added if cost is not None]
    return FlowTables(
        sum_known(entries) or 0, sum_known(most) or 0, sum_known(removed) or 0, max(n or 1 for n in sampled),
        sum_known(read_ns) or 0, max(costs, default=None),
    )  # fmt: skip


def flow_lines(
    shown: Snapshot, watched: InterfaceSnapshot, direction: Direction, by: GroupBy, names: Mapping[str, str]
) -> list[FlowLine]:
    """The rows of one grouping, those with the most packets first."""
    make: Callable[[RatedReading, Key], FlowLine]
    every = watched.traffic(direction).totals.packets_per_sec

    def flow(signal: RatedReading, key: Key) -> FlowLine:
        label, _, saddr, daddr, sport, dport, l4_proto = key
        ages = shown.reading("flow_ages", str(label), direction)
        return FlowLine(
            str(label), str(saddr), str(daddr), int(sport), int(dport), protocol_name(int(l4_proto)), "",
            *_rates(signal, key, every), ages.value(key, "age_ns") if ages is not None else None, names,
        )  # fmt: skip

    def group(signal: RatedReading, key: Key) -> FlowLine:
        return FlowLine(str(key[0]), "", "", 0, 0, "", str(key[3]), *_rates(signal, key, every), None, names)

    family, make = ("flows", flow) if by == "flow" else ("flow_groups", group)
    rows = [
        make(signal, key)
        for signal in _signals(shown, watched, direction, family)
        for key in signal.keys
        if by in ("flow", key[2])
    ]
    return sorted(rows, key=lambda row: (-(row.packets_per_sec or 0.0), row.key))


def _rates(signal: RatedReading, key: Key, every: float | None) -> tuple[float | None, float | None, float | None]:
    """Packets per second, bits per second, share of ``every`` packet per second."""
    packets, size = signal.per_sec(key, "packets"), signal.per_sec(key, "bytes")
    part = None if packets is None or not every else min(1.0, packets / every)
    return packets, None if size is None else 8 * size, part


def _signals(shown: Snapshot, watched: InterfaceSnapshot, direction: Direction, family: str) -> list[RatedReading]:
    """One per interface that is looked at; of all together those whose packets no other one counts too."""
    labels = [watched.label]
    if watched is shown.total:
        labels = [one.label for one in shown.interfaces if one.label not in shown.left_out]
    return [signal for label in labels if (signal := shown.reading(family, label, direction)) is not None]


def kept(rows: Iterable[FlowLine], typed: str) -> list[FlowLine]:
    """The rows that pass every word of the filter.

    ``443`` is a port; ``10.0.0.0/8`` a network that the source or the destination is in; anything else a protocol, or a
    part of an address or of its name.
    """
    tests = [_test(word) for word in typed.lower().replace(",", " ").split()]
    return [row for row in rows if all(passes(row) for passes in tests)]


def _test(word: str) -> Callable[[FlowLine], bool]:
    if word.isdecimal():
        port = int(word)
        return lambda row: port in (row.sport, row.dport) or row.member.endswith(f" {word}")
    if re.fullmatch(r"[0-9a-f.:]+/\d{0,3}", word):
        network = _network(word)
        return lambda row: network is not None and any(ip_address(one) in network for one in row.addresses)
    return lambda row: (
        row.protocol.lower() == word
        or row.member.lower().split(" ")[0] == word
        or any(word in one or word in row.called(one).lower() for one in row.addresses)
    )


def _network(word: str) -> IPv4Network | IPv6Network | None:
    """``10.0.0.0/8``; while it is being typed, ``10.0.0.0/`` is the address alone. None for what is no network."""
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


def addresses(rows: Sequence[FlowLine]) -> list[str]:
    """Every address once, in the order of the rows."""
    return list(dict.fromkeys(one for row in rows for one in row.addresses))
