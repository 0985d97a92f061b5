"""The rows of the table of flows: the busiest flows of a snapshot, or groups of flows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

from bpftop.fields import frozen
from bpftop.model.escaping import escaped_text
from bpftop.model.families import FLOW_LABELS, LIMITS
from bpftop.model.protocols import protocol_name
from bpftop.model.readings import RatedReading
from bpftop.model.sample import Direction, Key
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot, sum_known

GroupBy = Literal["flow", "source", "destination", "destination_port", "process", "service"]
GROUPS: tuple[GroupBy, ...] = ("flow", "source", "destination", "destination_port", "process", "service")
UNKNOWN_PROCESS, NO_SERVICE = "(process not known)", "(no container or unit)"


@frozen
class FlowOwner:
    """The socket of a flow on this host. ``process`` is empty and ``pid`` 0 where the process is not known.

    ``service``: its container, or else its systemd unit. ``netns``: inode of the network namespace, empty for the
    watched one. What is None is unknown, or (all from ``rtt_us`` on) no TCP connection.
    """

    process: str
    pid: int
    user: str
    service: str
    netns: str
    is_listening: bool
    rtt_us: int | None = None
    min_rtt_us: int | None = None
    lost: int | None = None
    cwnd: int | None = None
    delivery_rate_bits_per_sec: int | None = None
    limit: str | None = None
    retransmits: int | None = None
    retransmits_per_sec: float | None = None

    @property
    def name(self) -> str:
        """Return ``nginx[812]``, or the user where the process is not known."""
        return f"{self.process}[{self.pid}]" if self.pid else f"a process of {self.user}"


@frozen
class FlowLine:
    """A flow; or a group of flows, with ``member`` (what the flows share) in place of addresses and ports."""

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
    """The share of all packets of the direction."""
    age_ns: int | None
    names: Mapping[str, str]
    """The names of addresses that were looked up."""
    owner: FlowOwner | None = None

    @property
    def key(self) -> str:
        return "|".join(
            (self.interface, self.saddr, self.daddr, f"{self.sport}", f"{self.dport}", self.protocol, self.member)
        )

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return the addresses of the row, whose names can be looked up."""
        return tuple(part for part in (self.saddr, self.daddr, self.member) if _is_address(part))

    def called(self, address: str) -> str:
        """Return the name of an address, or the address itself."""
        return self.names.get(address) or address


@frozen
class FlowTables:
    """The fill level and the cost of the flow tables of a direction. None is unknown."""

    entries: int
    max_entries: int
    sampled_1_in: int
    read_ns: int
    added_ns_per_packet: int | None


def flow_tables(snapshot: Snapshot, interface: InterfaceSnapshot, direction: Direction) -> FlowTables | None:
    """Add up the tables of an interface or of the total; None where there is no table."""
    rows: list[tuple[int | None, ...]] = [
        reading.reading.totals[key]
        for reading in flow_readings(snapshot, interface, direction, "flow_table")
        for key in reading.keys
    ]
    if not rows:
        return None
    entries, most, _, sampled, read_ns, added = zip(*rows, strict=True)
    costs = [cost for cost in added if cost is not None]
    return FlowTables(
        sum_known(entries) or 0, sum_known(most) or 0, max(n or 1 for n in sampled), sum_known(read_ns) or 0,
        max(costs, default=None),
    )  # fmt: skip


def flow_lines(
    snapshot: Snapshot, interface: InterfaceSnapshot, direction: Direction, by: GroupBy, names: Mapping[str, str]
) -> list[FlowLine]:
    """Return the rows of a grouping, the rows with the most packets first.

    Groups by process and by service (container or unit) are made of the flows among the busiest.
    """
    if by in ("process", "service"):
        return _owner_lines(flow_lines(snapshot, interface, direction, "flow", names), by)
    make: Callable[[RatedReading, Key], FlowLine]
    every = interface.traffic(direction).totals.packets_per_sec

    owners: dict[Key, FlowOwner] = flow_owners(snapshot, interface, direction) if by == "flow" else {}

    def flow(reading: RatedReading, key: Key) -> FlowLine:
        label, _, saddr, daddr, sport, dport, l4_proto = key
        ages = snapshot.reading("flow_ages", str(label), direction)
        return FlowLine(
            str(label), str(saddr), str(daddr), int(sport), int(dport), protocol_name(int(l4_proto)), "",
            *_rates(reading, key, every), ages.value(key, "age_ns") if ages is not None else None, names,
            owners.get(key),
        )  # fmt: skip

    def group(reading: RatedReading, key: Key) -> FlowLine:
        return FlowLine(str(key[0]), "", "", 0, 0, "", str(key[3]), *_rates(reading, key, every), None, names)

    family, make = ("flows", flow) if by == "flow" else ("flow_groups", group)
    rows = [
        make(reading, key)
        for reading in flow_readings(snapshot, interface, direction, family)
        for key in reading.keys
        if by in ("flow", key[2])
    ]
    return sorted(rows, key=lambda row: (-(row.packets_per_sec or 0.0), row.key))


def _owner_lines(flows: Iterable[FlowLine], by: GroupBy) -> list[FlowLine]:
    groups: dict[tuple[str, str], list[FlowLine]] = {}
    for flow in flows:
        if by == "process":
            member = UNKNOWN_PROCESS if flow.owner is None else flow.owner.name
        else:
            member = (flow.owner.service if flow.owner is not None else "") or NO_SERVICE
        groups.setdefault((flow.interface, escaped_text(member)), []).append(flow)
    rows = [
        FlowLine(
            interface, "", "", 0, 0, "", member, sum_known(flow.packets_per_sec for flow in members),
            sum_known(flow.bits_per_sec for flow in members), sum_known(flow.share for flow in members),
            None, members[0].names,
        )
        for (interface, member), members in groups.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-(row.packets_per_sec or 0.0), row.key))


def flow_owners(snapshot: Snapshot, interface: InterfaceSnapshot, direction: Direction) -> dict[Key, FlowOwner]:
    """Return the key of a flow -> its socket on this host."""
    owners: dict[Key, FlowOwner] = {}
    for reading in flow_readings(snapshot, interface, direction, "flow_sockets"):
        sent = snapshot.reading("flow_retransmits", str(reading.keys[0][0]), direction) if reading.keys else None
        for key in reading.keys:
            flow, (process, pid, user, service, netns) = key[:FLOW_LABELS], key[FLOW_LABELS:]
            listening, rtt, min_rtt, lost, cwnd, rate, limit = reading.reading.totals[key]
            owners[flow] = FlowOwner(
                str(process), int(pid), str(user), str(service), str(netns), bool(listening), rtt, min_rtt, lost, cwnd,
                None if rate is None else 8 * rate, None if limit is None else LIMITS.get(limit),
                None if sent is None else sent.value(flow, "retransmits"),
                None if sent is None else sent.per_sec(flow, "retransmits"),
            )  # fmt: skip
    return owners


def _rates(reading: RatedReading, key: Key, every: float | None) -> tuple[float | None, float | None, float | None]:
    """Return packets per second, bits per second, and the share of all packets (``every``) of the direction."""
    packets, size = reading.per_sec(key, "packets"), reading.per_sec(key, "bytes")
    part = None if packets is None or not every else min(1.0, packets / every)
    return packets, None if size is None else 8 * size, part


def flow_readings(
    snapshot: Snapshot, interface: InterfaceSnapshot, direction: Direction, family: str
) -> list[RatedReading]:
    """Return a reading per interface; for the total, of the interfaces whose packets no other interface counts."""
    labels = [interface.label]
    if interface is snapshot.total:
        labels = [each.label for each in snapshot.interfaces if each.label not in snapshot.left_out]
    return [reading for label in labels if (reading := snapshot.reading(family, label, direction)) is not None]


def matching_flows(rows: Iterable[FlowLine], typed: str) -> list[FlowLine]:
    """Return the rows that pass every word of a filter.

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
        return lambda row: network is not None and any(ip_address(address) in network for address in row.addresses)
    return lambda row: (
        row.protocol.lower() == word
        or row.member.lower().split(" ")[0] == word
        or any(word in address or word in row.called(address).lower() for address in row.addresses)
    )


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


def addresses(rows: Sequence[FlowLine]) -> list[str]:
    """Return every address once, in the order of the rows."""
    return list(dict.fromkeys(address for row in rows for address in row.addresses))
