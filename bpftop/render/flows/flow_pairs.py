"""Flows with both directions in one row, and groups of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Literal

from bpftop.fields import field, frozen, replace
from bpftop.history.flow_trends import FlowEnds, flow_ends
from bpftop.model.protocols import protocol_name
from bpftop.model.readings import RatedReading
from bpftop.model.sample import DIRECTIONS, Direction, Key
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot
from bpftop.render.flows.flow_readings import UNKNOWN_PROCESS, FlowOwner, flow_owners, flow_readings

PairBy = Literal["flow", "address", "port", "process", "container"]
PAIR_GROUPS: tuple[PairBy, ...] = ("flow", "address", "port", "process", "container")
NO_CONTAINER = "(no container)"
EPHEMERAL_FIRST = 32768
"""First of the ports that Linux gives to sockets that ask for none (net.ipv4.ip_local_port_range)."""

_COUNTED_BY: Mapping[tuple[Direction, PairBy], str] = {
    ("rx", "address"): "source", ("tx", "address"): "destination",
    ("rx", "port"): "destination_port", ("tx", "port"): "destination_port",
}  # fmt: skip
"""Direction and group -> the kernel's side of it: groups of all flows in the table."""


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

    def minus(self, other: Amounts) -> Amounts:
        """Return the difference, and 0 where the other is larger."""
        return Amounts(
            max(0.0, self.bits_per_sec - other.bits_per_sec), max(0.0, self.packets_per_sec - other.packets_per_sec),
            max(0, self.bytes - other.bytes), max(0, self.packets - other.packets),
        )  # fmt: skip

    def at_least(self, other: Amounts) -> Amounts:
        return Amounts(
            max(self.bits_per_sec, other.bits_per_sec), max(self.packets_per_sec, other.packets_per_sec),
            max(self.bytes, other.bytes), max(self.packets, other.packets),
        )  # fmt: skip


def sum_of(amounts: Collection[Amounts]) -> Amounts:
    """Add up amounts; none of them is nothing."""
    return Amounts(
        sum(each.bits_per_sec for each in amounts), sum(each.packets_per_sec for each in amounts),
        sum(each.bytes for each in amounts), sum(each.packets for each in amounts),
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
    interface: str = ""
    ends: tuple[FlowEnds, ...] = ()
    """The flows in the row."""

    @property
    def key(self) -> str:
        """Return the interface, for a flow, and the name."""
        return f"{self.interface}|{self.name}"

    @property
    def packets_per_sec(self) -> float:
        return self.rx.packets_per_sec + self.tx.packets_per_sec

    @property
    def bytes(self) -> int:
        return self.rx.bytes + self.tx.bytes

    @property
    def bits_per_sec(self) -> float:
        return self.rx.bits_per_sec + self.tx.bits_per_sec

    @property
    def is_offered_here(self) -> bool:
        """Return True if a socket here offers the service.

        A UDP socket that is not connected takes packets of anybody, even where it is a client's. A client's has a port
        that the kernel chose, and sends to one that the kernel does not choose.
        """
        if self.owner is None or not self.owner.is_listening:
            return False
        return not (self.protocol == "UDP" and 0 < self.remote[1] < EPHEMERAL_FIRST <= self.local[1])

    @property
    def service_port(self) -> int:
        """Return the port of the side that offers the service: where a socket listens, else the lower of the ports."""
        if self.is_offered_here:
            return self.local[1]
        return min(self.local[1], self.remote[1])


def flow_pairs(snapshot: Snapshot, interface: InterfaceSnapshot) -> dict[FlowEnds, FlowPair]:
    """Return the flows among the busiest of either direction, each with both of its directions."""
    sides: dict[Direction, dict[FlowEnds, Amounts]] = {direction: {} for direction in DIRECTIONS}
    ages_ns: dict[FlowEnds, int] = {}
    owners: dict[FlowEnds, FlowOwner] = {}
    for direction, amounts in sides.items():
        owned = flow_owners(snapshot, interface, direction)
        for reading in flow_readings(snapshot, interface, direction, "flows"):
            ages = snapshot.reading("flow_ages", str(reading.keys[0][0]), direction) if reading.keys else None
            for key in reading.keys:
                flow = flow_ends(key)
                amounts[flow] = _amounts(reading, key)
                if key in owned:
                    owners.setdefault(flow, owned[key])
                if ages is not None and (age_ns := ages.value(key, "age_ns")) is not None:
                    ages_ns[flow] = max(age_ns, ages_ns.get(flow, 0))
    none = Amounts()
    return {
        flow: FlowPair(
            f"{protocol_name(flow.l4_proto)} {end_text(flow.local)} {end_text(flow.remote)}",
            sides["rx"].get(flow, none), sides["tx"].get(flow, none), flow.local, flow.remote,
            protocol_name(flow.l4_proto), age_ns=ages_ns.get(flow), owner=owners.get(flow), interface=flow.interface,
            ends=(flow,),
        )
        for flow in dict.fromkeys((*sides["rx"], *sides["tx"]))
    }  # fmt: skip


def grouped(pairs: Iterable[FlowPair], by: PairBy) -> list[FlowPair]:
    """Return a row for each address of the other side, port of the service, process, or container."""
    name_of = _NAMES[by]
    groups: dict[str, FlowPair] = {}
    for pair in pairs:
        name = name_of(pair)
        owners = frozenset() if pair.owner is None or not pair.owner.pid else frozenset({pair.owner.name})
        group = groups.get(name)
        if group is None:
            holder = None if pair.owner is None or by != "process" else pair.owner.holder
            groups[name] = FlowPair(
                name, pair.rx, pair.tx, owner=holder, owners=owners, age_ns=pair.age_ns, ends=pair.ends
            )
        else:
            groups[name] = replace(
                group, rx=group.rx.plus(pair.rx), tx=group.tx.plus(pair.tx), flows=group.flows + 1,
                owners=group.owners | owners, ends=group.ends + pair.ends,
                age_ns=max(filter(None, (group.age_ns, pair.age_ns)), default=None),
            )  # fmt: skip
    return list(groups.values())


def with_all_flows(
    groups: Iterable[FlowPair], snapshot: Snapshot, interface: InterfaceSnapshot, by: PairBy
) -> list[FlowPair]:
    """Return groups by address or port with what all flows in the table have in common, not only the busiest flows."""
    counted: dict[tuple[Direction, str], Amounts] = {}
    for direction in DIRECTIONS:
        for reading in flow_readings(snapshot, interface, direction, "flow_groups"):
            for key in reading.keys:
                if key[2] == _COUNTED_BY.get((direction, by)):
                    member = direction, str(key[3])
                    counted[member] = counted.get(member, Amounts()).plus(_amounts(reading, key))
    return [
        replace(
            group,
            rx=group.rx.at_least(counted.get(("rx", group.name), Amounts())),
            tx=group.tx.at_least(counted.get(("tx", group.name), Amounts())),
        )
        for group in groups
    ]


def _amounts(reading: RatedReading, key: Key) -> Amounts:
    return Amounts(
        8 * (reading.per_sec(key, "bytes") or 0.0), reading.per_sec(key, "packets") or 0.0,
        reading.value(key, "bytes") or 0, reading.value(key, "packets") or 0,
    )  # fmt: skip


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
