"""From samples to snapshots: the one pure function every screen and document gets its numbers from."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.model.families import TRAFFIC_FAMILIES
from bpftop.model.protocols import protocol_name
from bpftop.model.rates import ReadingPair, change, per_sec
from bpftop.model.readings import RatedReading
from bpftop.model.sample import DIRECTIONS, Direction, Hook, Interface, Key, Reading, Sample, reading_key
from bpftop.model.snapshot import (
    TOTAL,
    Counts,
    DirectionTraffic,
    InterfaceSnapshot,
    OwnCost,
    ProtocolRow,
    Snapshot,
    add_counts,
    counts_of,
)

BREAKDOWNS = ("joint", "tcp_flags", "udp_ports", "icmp_types", "fragments", "vlans")
_TRAFFIC = frozenset(family.name for family in TRAFFIC_FAMILIES)
_LINK_COLUMNS: dict[Direction, tuple[int, int]] = {"rx": (0, 1), "tx": (2, 3)}


def snapshot(before: Sample | None, after: Sample) -> Snapshot:
    """Pair two samples. With no predecessor every rate is None."""
    watched = tuple(
        InterfaceSnapshot(i, *(_flow(before, after, i, direction) for direction in DIRECTIONS))
        for i in after.interfaces
    )
    left_out = counted_twice(after.interfaces)
    return Snapshot(
        seq=after.seq,
        host=after.host,
        wall_ns=after.wall_ns,
        mono_ns=after.mono_ns,
        interval_ns=after.mono_ns - before.mono_ns if before else None,
        possible_cpus=after.possible_cpus,
        online_cpus=after.online_cpus,
        interfaces=watched,
        total=watched[0] if len(watched) == 1 else _total([w for w in watched if w.label not in left_out]),
        left_out=left_out,
        own=_own_cost(before, after),
        unavailable=after.unavailable,
        readings=_rated_readings(before, after),
        kernel=after.kernel,
    )


def counted_twice(interfaces: Sequence[Interface]) -> dict[str, str]:
    """Interfaces whose packets another watched interface counts too: label -> why it is left out of the total.

    A bond counts what its legs count, so legs give way to their bond. A bridge counts only what reaches the host, so it
    gives way to its ports; a VLAN or macvlan gives way to the device below it.
    """
    by_index = {i.ifindex: i for i in interfaces if i.state in ("up", "down")}
    masters = {i.master for i in by_index.values()}
    result: dict[str, str] = {}
    for interface in by_index.values():
        above = by_index.get(interface.master or 0)
        below = by_index.get(interface.lower or 0)
        if above is not None and above.kind in ("bond", "team"):
            result[interface.label] = f"part of {above.label}"
        elif interface.ifindex in masters and interface.kind not in ("bond", "team"):
            result[interface.label] = "its ports are counted"
        elif below is not None and below is not interface and interface.kind != "veth":
            result[interface.label] = f"carried by {below.label}"
    return result


def _rated_readings(before: Sample | None, after: Sample) -> dict[str, RatedReading]:
    old = before.readings if before else {}
    return {
        name: RatedReading(reading, change(_earlier(reading.previous, old.get(name)), reading))
        for name, reading in after.readings.items()
        if reading.family not in _TRAFFIC
    }


def _earlier(previous: Reading | None, before: Reading | None) -> Reading | None:
    """What is read less often than every tick: its own last reading, but not where the sample before is older still."""
    if previous is None or (before is not None and before.read_ns < previous.read_ns):
        return before
    return previous


def _pair(before: Sample | None, after: Sample, name: str) -> tuple[Reading | None, ReadingPair | None]:
    reading = after.readings.get(name)
    return reading, change(before.readings.get(name) if before else None, reading)


def _rows(reading: Reading, paired: ReadingPair | None) -> dict[Key, Counts]:
    """Row key -> traffic, for a family whose columns are packets and bytes."""
    gains = paired.gains() if paired else {}
    elapsed_ns = paired.elapsed_ns if paired else 1
    return {key: counts_of(counts, gains.get(key), elapsed_ns) for key, counts in reading.totals.items()}


def _flow(before: Sample | None, after: Sample, interface: Interface, direction: Direction) -> DirectionTraffic:
    hook = interface.hooks.get(direction, Hook())
    reading, paired = _pair(before, after, reading_key("protocols", interface.label, direction))
    if reading is None:
        return DirectionTraffic(direction, hook, _link_totals(before, after, interface, direction))
    rows = _rows(reading, paired)
    breakdowns = {}
    for family in BREAKDOWNS:
        part, part_paired = _pair(before, after, reading_key(family, interface.label, direction))
        if part is not None:
            breakdowns[family] = {key[2:]: cell for key, cell in _rows(part, part_paired).items()}
    return DirectionTraffic(
        direction,
        hook,
        add_counts(rows.values()) if rows else Counts(0, 0, *((0.0, 0.0) if paired else ())),
        tuple(_protocol_row(direction, int(key[2]), cell) for key, cell in rows.items()),
        breakdowns,
        after.possible_cpus,
        after.online_cpus,
        (by_cpu,) if (by_cpu := _by_cpu(reading, paired)) else (),
    )


def _by_cpu(reading: Reading, paired: ReadingPair | None) -> ReadingPair | None:
    """What the rows of CPUs are worked out from, where the reading itself has no cells per CPU."""
    return paired if reading.cells is None else change(reading.cells.previous, reading.cells)


def _protocol_row(direction: Direction, number: int, cell: Counts) -> ProtocolRow:
    return ProtocolRow(direction, number, protocol_name(number), cell)


def _link_totals(before: Sample | None, after: Sample, interface: Interface, direction: Direction) -> Counts:
    """What the kernel itself counted, for a direction without a program."""
    reading, paired = _pair(before, after, reading_key("links", interface.label))
    if reading is None or not reading.keys:
        return Counts()
    packets, size = _LINK_COLUMNS[direction]
    key = reading.keys[0]
    counts = reading.totals[key]
    gains = paired.gains()[key] if paired else None
    return counts_of(
        (counts[packets], counts[size]), gains and (gains[packets], gains[size]), paired.elapsed_ns if paired else 1
    )


def _total(watched: Sequence[InterfaceSnapshot]) -> InterfaceSnapshot:
    """All watched interfaces together, as one that is called TOTAL."""
    every = Interface(TOTAL, "total", 0, hooks=watched[0].interface.hooks if len(watched) == 1 else {})
    return InterfaceSnapshot(
        every, _sum_flows([w.rx for w in watched], "rx"), _sum_flows([w.tx for w in watched], "tx")
    )


def _sum_flows(flows: Sequence[DirectionTraffic], direction: Direction) -> DirectionTraffic:
    protocols: dict[int, list[Counts]] = {}
    breakdowns: dict[str, dict[Key, list[Counts]]] = {}
    for traffic in flows:
        for row in traffic.protocols:
            protocols.setdefault(row.number, []).append(row.counts)
        for family, rows in traffic.breakdowns.items():
            for key, cell in rows.items():
                breakdowns.setdefault(family, {}).setdefault(key, []).append(cell)
    return DirectionTraffic(
        direction,
        Hook(),
        add_counts(traffic.totals for traffic in flows),
        tuple(_protocol_row(direction, number, add_counts(cells)) for number, cells in sorted(protocols.items())),
        {family: {key: add_counts(cells) for key, cells in rows.items()} for family, rows in breakdowns.items()},
        max((traffic.possible_cpus for traffic in flows), default=0),
        max((traffic.online_cpus for traffic in flows), default=()),
        tuple(paired for traffic in flows for paired in traffic.changes),
    )


def _own_cost(before: Sample | None, after: Sample) -> OwnCost:
    _, paired = _pair(before, after, reading_key("self"))
    memory = after.readings.get(reading_key("self_memory"))
    cpu_pct = poll_ns = None
    if paired is not None:
        cpu_ns, poll_ns = paired.gains()[()]
        cpu_share = per_sec(cpu_ns, paired.elapsed_ns)
        cpu_pct = None if cpu_share is None else cpu_share / 1e7
    return OwnCost(cpu_pct, memory.totals[()][0] if memory else None, poll_ns)
