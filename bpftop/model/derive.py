"""Snapshots from samples: the one pure function that computes the numbers of every screen and document."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import TypeGuard

from bpftop.model.families import BREAKDOWN_FAMILIES, FAMILIES, PROTOCOLS, TRAFFIC
from bpftop.model.protocols import protocol_name
from bpftop.model.readings import Key, RatedReading, Reading, ReadingPair, pair_readings, per_sec
from bpftop.model.sample import DIRECTIONS, Direction, Hook, Interface, Sample, reading_key
from bpftop.model.snapshot import (
    TOTAL,
    Counts,
    DirectionTraffic,
    InterfaceSnapshot,
    OwnCost,
    ProtocolRow,
    Snapshot,
    add_counts,
    rated_counts,
)


def derive_snapshot(before: Sample | None, after: Sample) -> Snapshot:
    """Return the snapshot of ``after``, with rates against ``before``; without ``before`` every rate is None."""
    interfaces = tuple([derive_interface(before, after, interface) for interface in after.interfaces])
    left_out = counted_twice(after.interfaces)
    return Snapshot(
        seq=after.seq,
        host=after.host,
        wall_ns=after.wall_ns,
        mono_ns=after.mono_ns,
        interval_ns=after.mono_ns - before.mono_ns if before else None,
        possible_cpus=after.possible_cpus,
        online_cpus=after.online_cpus,
        interfaces=interfaces,
        total=derive_total(interfaces, left_out),
        left_out=left_out,
        own=derive_own_cost(before, after),
        unavailable=after.unavailable,
        readings=_rated_readings(before, after),
        kernel=after.kernel,
    )


def derive_interface(before: Sample | None, after: Sample, interface: Interface) -> InterfaceSnapshot:
    """Return one interface of a sample, with rates against ``before``."""
    return InterfaceSnapshot(interface, *[_traffic(before, after, interface, direction) for direction in DIRECTIONS])


def derive_total(interfaces: Sequence[InterfaceSnapshot], left_out: Container[str]) -> InterfaceSnapshot:
    """Return the sum of the interfaces, without those ``left_out``, as an interface with the label TOTAL.

    A single interface is its own total.
    """
    return (
        interfaces[0] if len(interfaces) == 1 else _total([each for each in interfaces if each.label not in left_out])
    )


TUNNELS = frozenset((
    "bareudp", "erspan", "geneve", "gre", "gretap", "gtp", "ip6erspan", "ip6gre", "ip6gretap", "ip6tnl", "ipip", "sit",
    "vti", "vti6", "vxlan", "wireguard", "xfrm",
))  # fmt: skip
"""Kinds of devices (IFLA_INFO_KIND) whose packets travel inside packets of another device."""


def counted_twice(interfaces: Sequence[Interface]) -> dict[str, str]:
    """Return the interfaces whose packets another watched interface counts too: label -> reason to leave it out.

    The devices are a graph, also through devices that are not watched: an interface gives way to the watched devices
    below it, which carry its frames. A bridge counts only what reaches the host, so its ports stand for it. A bond
    counts what its legs count, so legs give way to their bond. A tunnel that names no device below gives way to the
    other interfaces: its packets leave by one of them.
    """
    by_index = {i.ifindex: i for i in interfaces if i.state in ("up", "down")}
    ports: dict[int, list[int]] = {}
    for interface in by_index.values():
        if interface.master is not None:
            ports.setdefault(interface.master, []).append(interface.ifindex)
    result: dict[str, str] = {}
    for interface in by_index.values():
        bond = by_index.get(interface.master or 0)
        below = [by_index[index] for index in _below(interface, by_index, ports) if index in by_index]
        carriers = [each for each in below if not _is_bond(by_index.get(each.master or 0))]
        if _is_bond(bond):
            result[interface.label] = f"part of {bond.label}"
        elif carriers and interface.ifindex in {carrier.master for carrier in carriers}:
            result[interface.label] = f"its ports are counted: {_labels(carriers)}"
        elif carriers:
            result[interface.label] = f"carried by {_labels(carriers)}"
    for interface in by_index.values():
        if interface.kind not in TUNNELS or interface.label in result or interface.below:
            continue
        outer = [i for i in by_index.values() if i.kind not in TUNNELS and i.label not in result and i.name != "lo"]
        if outer:
            result[interface.label] = f"a tunnel: its packets travel inside those of {_labels(outer)}"
    return result


def _is_bond(interface: Interface | None) -> TypeGuard[Interface]:
    return interface is not None and interface.kind in ("bond", "team")


def _below(interface: Interface, by_index: Mapping[int, Interface], ports: Mapping[int, Sequence[int]]) -> list[int]:
    """Return the indexes of all devices below: as collected, and by the fields of the watched interfaces.

    ``ports``: index of a device -> indexes of the watched interfaces whose master is that device.
    """
    reached = [interface.ifindex]
    for index in reached:
        current = by_index.get(index)
        if current is None:
            continue
        lower = [current.lower] if current.lower is not None and current.kind != "veth" else []
        reached += [i for i in dict.fromkeys((*current.below, *lower, *ports.get(index, ()))) if i not in reached]
    return reached[1:]


def _labels(interfaces: Sequence[Interface]) -> str:
    return ", ".join(interface.label for interface in interfaces)


def _rated_readings(before: Sample | None, after: Sample) -> dict[str, RatedReading]:
    old = before.readings if before else {}
    return {
        name: rate_reading(old.get(name), reading)
        for name, reading in after.readings.items()
        if reading.family not in TRAFFIC
    }


def rate_reading(before: Reading | None, after: Reading) -> RatedReading:
    """Return a reading with its rates; ``before`` is the reading of the sample before."""
    return RatedReading(after, pair_readings(_earlier(after.previous, before), after))


def _earlier(previous: Reading | None, before: Reading | None) -> Reading | None:
    """Return the reading to take rates from.

    For families that are read less often than every tick, use the family's own previous reading, unless the reading of
    the sample before is older.
    """
    if previous is None or (before is not None and before.read_ns < previous.read_ns):
        return before
    return previous


def _pair(before: Sample | None, after: Sample, name: str) -> tuple[Reading | None, ReadingPair | None]:
    reading = after.readings.get(name)
    return reading, pair_readings(before.readings.get(name) if before else None, reading)


def _rows(reading: Reading, pair: ReadingPair | None) -> dict[Key, Counts]:
    """Return row key -> counts, for a family whose columns are packets and bytes."""
    cells = reading.summed
    packets, sizes = cells[::2], cells[1::2]
    if pair is None:
        return dict(zip(reading.keys, map(Counts, packets, sizes), strict=True))
    gained, elapsed_ns = pair.cell_gains(), pair.elapsed_ns
    return {
        key: Counts(
            packets_now,
            bytes_now,
            None if more_packets is None else more_packets * 1e9 / elapsed_ns,
            None if more_bytes is None else 8 * (more_bytes * 1e9 / elapsed_ns),
        )
        for key, packets_now, bytes_now, more_packets, more_bytes in zip(
            reading.keys, packets, sizes, gained[::2], gained[1::2], strict=True
        )
    }


class _Breakdowns(Mapping[str, Mapping[Key, Counts]]):
    """Family -> rows, which are computed at the first access: a screen and the checks look at few of them."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[str, Mapping[Key, Counts]] | None = None

    @abstractmethod
    def _has(self, family: str) -> bool:
        """Return True for a family that was read."""

    @abstractmethod
    def _compute(self, family: str) -> Mapping[Key, Counts]:
        """Compute the rows of a family."""

    def __getitem__(self, family: str) -> Mapping[Key, Counts]:
        if self._rows is None:
            self._rows = {}
        rows = self._rows.get(family)
        if rows is None:
            if not self._has(family):
                raise KeyError(family)
            rows = self._rows[family] = self._compute(family)
        return rows

    def __contains__(self, family: object) -> bool:
        return isinstance(family, str) and self._has(family)

    def __iter__(self) -> Iterator[str]:
        return (family.name for family in BREAKDOWN_FAMILIES if self._has(family.name))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self))


_NO_ROWS: Mapping[Key, Counts] = {}


class _InterfaceBreakdowns(_Breakdowns):
    __slots__ = ("_after", "_before", "_direction", "_label")

    def __init__(self, before: Sample | None, after: Sample, label: str, direction: Direction) -> None:
        super().__init__()
        self._before, self._after, self._label, self._direction = before, after, label, direction

    def _has(self, family: str) -> bool:
        return reading_key(family, self._label, self._direction) in self._after.readings

    def _compute(self, family: str) -> Mapping[Key, Counts]:
        name = reading_key(family, self._label, self._direction)
        part = self._after.readings[name]
        if not part.keys:  # of 300 interfaces, most are idle
            return _NO_ROWS
        _, pair = _pair(self._before, self._after, name)
        return {key[2:]: counts for key, counts in _rows(part, pair).items()}


class _SummedBreakdowns(_Breakdowns):
    __slots__ = ("_directions",)

    def __init__(self, directions: Sequence[DirectionTraffic]) -> None:
        super().__init__()
        self._directions = directions

    def _has(self, family: str) -> bool:
        return any(family in traffic.breakdowns for traffic in self._directions)

    def _compute(self, family: str) -> Mapping[Key, Counts]:
        cells: dict[Key, list[Counts]] = {}
        for traffic in self._directions:
            for key, counts in traffic.breakdowns.get(family, {}).items():
                cells.setdefault(key, []).append(counts)
        return {key: add_counts(counts) for key, counts in cells.items()}


def _traffic(before: Sample | None, after: Sample, interface: Interface, direction: Direction) -> DirectionTraffic:
    hook = interface.hooks.get(direction, Hook())
    reading, pair = _pair(before, after, reading_key(PROTOCOLS, interface.label, direction))
    if reading is None:
        return DirectionTraffic(direction, hook, _link_totals(before, after, interface, direction))
    rows = _rows(reading, pair) if reading.keys else {}
    cpu_pair = pair.with_cpu_cells() if pair else None
    return DirectionTraffic(
        direction,
        hook,
        add_counts(rows.values()) if rows else Counts(0, 0, *((0.0, 0.0) if pair else ())),
        tuple([_protocol_row(direction, int(key[2]), counts) for key, counts in rows.items()]),
        _InterfaceBreakdowns(before, after, interface.label, direction),
        after.possible_cpus,
        after.online_cpus,
        (cpu_pair,) if cpu_pair else (),
    )


def _protocol_row(direction: Direction, number: int, counts: Counts) -> ProtocolRow:
    return ProtocolRow(direction, number, protocol_name(number), counts)


def _link_totals(before: Sample | None, after: Sample, interface: Interface, direction: Direction) -> Counts:
    """Return the kernel's own counts, for a direction without a program."""
    reading, pair = _pair(before, after, reading_key("links", interface.label))
    if reading is None or not reading.keys:
        return Counts()
    columns = FAMILIES[reading.family].columns
    packets, size = columns.index(f"{direction}_packets"), columns.index(f"{direction}_bytes")
    key = reading.keys[0]
    counts = reading.totals[key]
    gains = pair.gains()[key] if pair else None
    return rated_counts(
        (counts[packets], counts[size]), gains and (gains[packets], gains[size]), pair.elapsed_ns if pair else 1
    )


def _total(interfaces: Sequence[InterfaceSnapshot]) -> InterfaceSnapshot:
    """Return the sum of the interfaces, as an interface with the label TOTAL."""
    interface = Interface(TOTAL, "total", 0, hooks=interfaces[0].interface.hooks if len(interfaces) == 1 else {})
    rx, tx = (_sum_traffic([i.traffic(direction) for i in interfaces], direction) for direction in DIRECTIONS)
    return InterfaceSnapshot(interface, rx, tx)


def _sum_traffic(directions: Sequence[DirectionTraffic], direction: Direction) -> DirectionTraffic:
    protocols: dict[int, list[Counts]] = {}
    for traffic in directions:
        for row in traffic.protocols:
            protocols.setdefault(row.number, []).append(row.counts)

    return DirectionTraffic(
        direction,
        Hook(),
        add_counts(traffic.totals for traffic in directions),
        tuple(_protocol_row(direction, number, add_counts(counts)) for number, counts in sorted(protocols.items())),
        _SummedBreakdowns(directions),
        max((traffic.possible_cpus for traffic in directions), default=0),
        max((traffic.online_cpus for traffic in directions), default=()),
        tuple(pair for traffic in directions for pair in traffic.pairs),
    )


def derive_own_cost(before: Sample | None, after: Sample) -> OwnCost:
    """Return the cost of watching, between two samples."""
    _, pair = _pair(before, after, reading_key("self"))
    memory = after.readings.get(reading_key("self_memory"))
    cpu_pct = poll_ns = None
    if pair is not None:
        cpu_ns, poll_ns = pair.gains()[()]
        cpu_share = per_sec(cpu_ns, pair.elapsed_ns)
        cpu_pct = None if cpu_share is None else cpu_share / 1e7
    return OwnCost(cpu_pct, memory.totals[()][0] if memory else None, poll_ns)
