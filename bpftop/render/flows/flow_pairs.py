"""Flows with both directions in one row, and groups of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from bpftop.fields import field, frozen, replace
from bpftop.model.protocols import protocol_name
from bpftop.model.sample import DIRECTIONS
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot
from bpftop.render.flows.flow_rows import UNKNOWN_PROCESS, FlowOwner, flow_owners, flow_readings

PairBy = Literal["flow", "address", "port", "process", "container"]
PAIR_GROUPS: tuple[PairBy, ...] = ("flow", "address", "port", "process", "container")
NO_CONTAINER = "(no container)"


@frozen
class Amounts:
    """Rates of the last interval, and totals since flows are counted. Bytes are L2 bytes without FCS."""

    bits_per_sec: float = 0.0
    packets_per_sec: float = 0.0
    bytes: int = 0
    packets: int = 0

    def plus(self, other: Amounts) -> Amounts:
        return Amounts(
            self.bits_per_sec + other.bits_per_sec, self.packets_per_sec + other.packets_per_sec,
            self.bytes + other.bytes, self.packets + other.packets,
        )  # fmt: skip


@frozen
class FlowPair:
    """A flow, or a group of ``flows`` flows called ``name``. ``local`` is the end of this host.

    ``share``: of the bits per second of both directions. ``owner`` is None where no socket here belongs to the flow.
    """

    name: str
    rx: Amounts = Amounts()
    tx: Amounts = Amounts()
    local: tuple[str, int] = ("", 0)
    remote: tuple[str, int] = ("", 0)
    protocol: str = ""
    flows: int = 1
    age_ns: int | None = None
    owner: FlowOwner | None = None
    owners: frozenset[str] = field(default_factory=frozenset)
    share: float | None = None

    @property
    def bits_per_sec(self) -> float:
        return self.rx.bits_per_sec + self.tx.bits_per_sec

    @property
    def service_port(self) -> int:
        """Return the port of the side that offers the service: where a socket listens, else the lower of the ports."""
        if self.owner is not None and self.owner.is_listening:
            return self.local[1]
        return min(self.local[1], self.remote[1])


def flow_pairs(snapshot: Snapshot, interface: InterfaceSnapshot) -> dict[tuple[object, ...], FlowPair]:
    """Return the flows among the busiest of either direction, each with both of its directions."""
    pairs: dict[tuple[object, ...], FlowPair] = {}
    for direction in DIRECTIONS:
        owners = flow_owners(snapshot, interface, direction)
        for reading in flow_readings(snapshot, interface, direction, "flows"):
            ages = snapshot.reading("flow_ages", str(reading.keys[0][0]), direction) if reading.keys else None
            for key in reading.keys:
                label, _, saddr, daddr, sport, dport, l4_proto = key
                source, destination = (str(saddr), int(sport)), (str(daddr), int(dport))
                local, remote = (destination, source) if direction == "rx" else (source, destination)
                amounts = Amounts(
                    8 * (reading.per_sec(key, "bytes") or 0.0), reading.per_sec(key, "packets") or 0.0,
                    reading.value(key, "bytes") or 0, reading.value(key, "packets") or 0,
                )  # fmt: skip
                name = f"{protocol_name(int(l4_proto))} {end_text(local)} {end_text(remote)}"
                flow = (label, local, remote, l4_proto)
                pair = pairs.get(flow) or FlowPair(
                    name, local=local, remote=remote, protocol=protocol_name(int(l4_proto))
                )
                age = None if ages is None else ages.value(key, "age_ns")
                pairs[flow] = replace(
                    pair,
                    rx=amounts if direction == "rx" else pair.rx,
                    tx=amounts if direction == "tx" else pair.tx,
                    owner=pair.owner or owners.get(key),
                    age_ns=max(filter(None, (pair.age_ns, age)), default=None),
                )
    return pairs


def grouped(pairs: Iterable[FlowPair], by: PairBy) -> list[FlowPair]:
    """Return a row for each address of the other side, port of the service, process, or container."""
    name_of = _NAMES[by]
    groups: dict[str, FlowPair] = {}
    for pair in pairs:
        name = name_of(pair)
        owners = frozenset() if pair.owner is None or not pair.owner.pid else frozenset({pair.owner.name})
        group = groups.get(name)
        groups[name] = (
            FlowPair(name, pair.rx, pair.tx, flows=1, owners=owners, age_ns=pair.age_ns)
            if group is None
            else replace(
                group, rx=group.rx.plus(pair.rx), tx=group.tx.plus(pair.tx), flows=group.flows + 1,
                owners=group.owners | owners, age_ns=max(filter(None, (group.age_ns, pair.age_ns)), default=None),
            )
        )  # fmt: skip
    return list(groups.values())


def end_text(end: tuple[str, int]) -> str:
    """Return ``198.18.0.1:53``, ``[fd00::1]:443``, or only the address where there is no port."""
    address, port = end
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _port_name(pair: FlowPair) -> str:
    return f"{pair.protocol} {pair.service_port}" if pair.service_port else pair.protocol


def _process_name(pair: FlowPair) -> str:
    return UNKNOWN_PROCESS if pair.owner is None else pair.owner.name


def _container_name(pair: FlowPair) -> str:
    return (pair.owner.service if pair.owner is not None else "") or NO_CONTAINER


_NAMES: Mapping[PairBy, Callable[[FlowPair], str]] = {
    "address": lambda pair: pair.remote[0],
    "port": _port_name,
    "process": _process_name,
    "container": _container_name,
}
