"""What a screen or a document shows: one moment, with rates. ``derive.snapshot`` makes it from two samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from bpftop.model.findings import NO_DIAGNOSIS, Diagnosis
from bpftop.model.protocols import protocol_name
from bpftop.model.rates import ReadingPair, per_sec
from bpftop.model.readings import RatedReading
from bpftop.model.sample import Direction, Hook, Interface, Key, reading_key

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Counts:
    """Packets and bytes since counting began, and their rates over the last interval; None is unknown."""

    packets: int | None = None
    bytes: int | None = None
    packets_per_sec: float | None = None
    bits_per_sec: float | None = None

    @property
    def mean_size_bytes(self) -> float | None:
        if not self.packets_per_sec or self.bits_per_sec is None:
            return None
        return self.bits_per_sec / 8 / self.packets_per_sec


NOTHING = Counts()

FRAME_OVERHEAD_BYTES = 24
"""Preamble, start delimiter, FCS and gap (IEEE 802.3): what a frame takes on the wire beyond what is counted."""

TOTAL = "/total"
"""The label of all interfaces together: none can be called that, for the kernel allows no slash in a name."""


@dataclass(frozen=True)
class ProtocolRow:
    """``number`` is the IP protocol, or a pseudo-protocol from 256 up."""

    direction: Direction
    number: int
    name: str
    counts: Counts


@dataclass(frozen=True)
class DirectionTraffic:
    """One direction of an interface, or of all watched interfaces together."""

    direction: Direction
    hook: Hook
    totals: Counts = NOTHING
    protocols: tuple[ProtocolRow, ...] = ()
    breakdowns: Mapping[str, Mapping[Key, Counts]] = field(default_factory=dict)
    """Family name (joint, tcp_flags, ...) -> row key without interface and direction -> traffic."""
    possible_cpus: int = 0
    online_cpus: tuple[int, ...] = ()
    changes: tuple[ReadingPair, ...] = ()
    """What the per-CPU rows are worked out from: one change per interface, none where no rate may be taken."""

    def cell_of(self, family: str, *key: int | str) -> Counts:
        """One cell of a breakdown; nothing counted yet is zero where the family is read at all, else unknown."""
        rows = self.breakdowns.get(family)
        if rows is None:
            return NOTHING
        known = self.totals.packets_per_sec is not None
        return rows.get(key, Counts(0, 0, 0.0, 0.0) if known else Counts(0, 0))

    def along(self, label: int) -> dict[str, Counts]:
        """The joint cells added up along one label: 0 L3 class, 1 cast, 2 size."""
        groups: dict[str, list[Counts]] = {}
        for key, cell in self.breakdowns.get("joint", {}).items():
            groups.setdefault(str(key[label]), []).append(cell)
        return {name: add_counts(rows) for name, rows in groups.items()}

    @cached_property
    def cpu_rates(self) -> tuple[float | None, ...]:
        """Packets per second of every possible CPU; empty where no rate is known."""
        parts = [
            [per_sec(gained, one.elapsed_ns) for gained in one.cpu_totals(self.possible_cpus)[0][1]]
            for one in self.changes
        ]
        return tuple(parts[0]) if len(parts) == 1 else tuple(map(total, zip(*parts, strict=True)))

    @cached_property
    def cpus(self) -> tuple[CpuRow, ...]:
        """A row per possible CPU. Worked out when it is first asked for: most screens do not show it."""
        parts = []
        for one in self.changes:
            (packets, more_packets), (size, more_bytes) = one.cpu_totals(self.possible_cpus)
            cells = zip(packets, size, more_packets, more_bytes, strict=True)
            parts.append([counts_of((p, b), (mp, mb), one.elapsed_ns) for p, b, mp, mb in cells])
        rows = parts[0] if len(parts) == 1 else map(add_counts, zip(*parts, strict=True))
        online = set(self.online_cpus)
        return tuple(CpuRow(cpu, cpu in online, cell, self) for cpu, cell in enumerate(rows))

    def cpu_protocols(self, cpu: int) -> tuple[ProtocolRow, ...]:
        """The protocols of one CPU that moved in the interval, largest first."""
        found: dict[int, list[Counts]] = {}
        for one in self.changes:
            for key, (counts, gains) in one.cpu_cells(cpu).items():
                found.setdefault(int(key[-1]), []).append(counts_of(counts, gains, one.elapsed_ns))
        rows = [ProtocolRow(self.direction, n, protocol_name(n), add_counts(cells)) for n, cells in found.items()]
        return tuple(sorted((row for row in rows if row.counts.packets_per_sec), key=_by_rate))


@dataclass(frozen=True)
class CpuRow:
    """One possible CPU of one direction."""

    cpu: int
    online: bool
    counts: Counts
    traffic: DirectionTraffic = field(repr=False)

    @cached_property
    def protocols(self) -> tuple[ProtocolRow, ...]:
        """Those that moved in the interval, largest first. Worked out for the rows that are looked at."""
        return self.traffic.cpu_protocols(self.cpu)


@dataclass(frozen=True)
class InterfaceSnapshot:
    """One interface with what came in and what went out. The total of several has the label TOTAL."""

    interface: Interface
    rx: DirectionTraffic
    tx: DirectionTraffic

    @property
    def label(self) -> str:
        return self.interface.label

    def traffic(self, direction: Direction) -> DirectionTraffic:
        return self.rx if direction == "rx" else self.tx

    def utilisation(self, direction: Direction) -> float | None:
        """The share of the link's speed that is used, frame overhead included; None where one of them is not known."""
        speed, totals = self.interface.speed_bits_per_sec, self.traffic(direction).totals
        if not speed or totals.bits_per_sec is None or totals.packets_per_sec is None:
            return None
        return (totals.bits_per_sec + 8 * FRAME_OVERHEAD_BYTES * totals.packets_per_sec) / speed


@dataclass(frozen=True)
class OwnCost:
    """What watching costs: CPU of this process in percent of one core, resident bytes, time in map reads per tick."""

    cpu_pct: float | None = None
    resident_bytes: int | None = None
    poll_ns: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """One moment. ``interval_ns`` is the time between the two samples; None on the first."""

    seq: int
    host: str
    wall_ns: int
    mono_ns: int
    interval_ns: int | None
    possible_cpus: int
    online_cpus: tuple[int, ...]
    interfaces: tuple[InterfaceSnapshot, ...]
    total: InterfaceSnapshot
    left_out: Mapping[str, str]
    """Label -> why this interface is not part of the total: it would be counted twice."""
    own: OwnCost
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Part (``traffic/eth0/rx``, or the name of a collector) -> why it cannot be read, as a sentence."""
    readings: Mapping[str, RatedReading] = field(default_factory=dict, repr=False)
    """``reading_key(...)`` -> every reading that is no traffic of an interface."""

    diagnosis: Diagnosis = NO_DIAGNOSIS
    """What the rules say. They look at several seconds: a snapshot of two samples alone has none."""
    lost: Mapping[tuple[str, str], int] = field(default_factory=dict, repr=False)
    """Interface label (empty for what is the namespace's or the host's) and id of a stage of the path -> what it gained
    since watching began; no row where that was never known."""
    kernel: str = ""
    """Its release; empty where the sample does not say."""

    def reading(self, family: str, *where: str) -> RatedReading | None:
        """One of the signals; None where it was not read."""
        return self.readings.get(reading_key(family, *where))

    def labels(self, watched: InterfaceSnapshot) -> tuple[str, ...]:
        """The interfaces that make up what is looked at: one, or those that are part of the total."""
        if watched is self.total and len(self.interfaces) > 1:
            return tuple(w.label for w in self.interfaces if w.label not in self.left_out)
        return (watched.label,)

    def watched(self, label: str) -> InterfaceSnapshot:
        """The interface of that label, or the total."""
        return next((w for w in self.interfaces if w.label == label), self.total)


def _by_rate(row: ProtocolRow) -> float:
    return -(row.counts.packets_per_sec or 0.0)


def counts_of(counts: Sequence[int | None], gains: Sequence[int | None] | None, elapsed_ns: int) -> Counts:
    """A (packets, bytes) row and what it gained; ``gains`` None: no rate may be taken."""
    packets, size = counts
    if gains is None:
        return Counts(packets, size)
    bytes_per_sec = per_sec(gains[1], elapsed_ns)
    return Counts(packets, size, per_sec(gains[0], elapsed_ns), None if bytes_per_sec is None else 8 * bytes_per_sec)


def add_counts(rows: Iterable[Counts]) -> Counts:
    """Known values added up; None only where nothing is known."""
    rows = tuple(rows)
    return Counts(
        total(r.packets for r in rows),
        total(r.bytes for r in rows),
        total(r.packets_per_sec for r in rows),
        total(r.bits_per_sec for r in rows),
    )


def total(values: Iterable[Number | None]) -> Number | None:
    """The sum of what is known; None where nothing is."""
    known = [v for v in values if v is not None]
    return sum(known[1:], known[0]) if known else None
