"""Snapshots: one moment with its rates, for every screen and document. ``derive_snapshot`` makes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, compress
from operator import ne
from typing import TypeVar, cast

from bpftop.fields import computed_once, field, frozen, frozen_often
from bpftop.model.families import FAMILIES
from bpftop.model.findings import NO_DIAGNOSIS, Diagnosis
from bpftop.model.protocols import protocol_name
from bpftop.model.readings import Key, RatedReading, ReadingPair, per_sec
from bpftop.model.sample import Direction, Hook, Interface, reading_key
from bpftop.model.stack_counters import STACK
from bpftop.model.stages import LossGroup

Number = TypeVar("Number", int, float)


@frozen_often
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
"""Preamble, start delimiter, FCS and gap (IEEE 802.3): bytes of every frame on the wire that are not counted."""

TOTAL = "/total"
"""The label of all interfaces together: the kernel allows no slash in the name of an interface."""


@frozen_often
class ProtocolRow:
    """``number`` is the IP protocol, or a pseudo-protocol from 256 up."""

    direction: Direction
    number: int
    name: str
    counts: Counts


@frozen_often
class DirectionTraffic:
    """One direction of an interface, or of all watched interfaces together."""

    direction: Direction
    hook: Hook
    totals: Counts = NOTHING
    protocols: tuple[ProtocolRow, ...] = ()
    breakdowns: Mapping[str, Mapping[Key, Counts]] = field(default_factory=dict)
    """Family name (joint, tcp_flags, ...) -> row key without interface and direction -> counts."""
    possible_cpus: int = 0
    online_cpus: tuple[int, ...] = ()
    pairs: tuple[ReadingPair, ...] = ()
    """Readings with a cell per CPU, one pair per interface; none where no rate may be taken."""

    def cell_of(self, family: str, *key: int | str) -> Counts:
        """Return one cell of a breakdown: zero before the first packet, unknown where the family is not read."""
        rows = self.breakdowns.get(family)
        if rows is None:
            return NOTHING
        known = self.totals.packets_per_sec is not None
        return rows.get(key, Counts(0, 0, 0.0, 0.0) if known else Counts(0, 0))

    def along(self, label: int) -> Mapping[str, Counts]:
        """Return the joint cells added up along one label: 0 L3 class, 1 cast, 2 size."""
        if label not in self._along:
            groups: dict[str, list[Counts]] = {}
            for key, cell in self.breakdowns.get("joint", {}).items():
                groups.setdefault(str(key[label]), []).append(cell)
            self._along[label] = {name: add_counts(rows) for name, rows in groups.items()}
        return self._along[label]

    @computed_once
    def _along(self) -> dict[int, Mapping[str, Counts]]:
        """Answers of ``along``: several checks and the screen ask for the same label."""
        return {}

    @computed_once
    def cpu_rates(self) -> tuple[float | None, ...]:
        """Packets per second of every possible CPU; empty where no rate is known."""
        columns = [
            [per_sec(gained, pair.elapsed_ns) for gained in pair.cpu_totals(self.possible_cpus)[0][1]]
            for pair in self.pairs
        ]
        return tuple(columns[0]) if len(columns) == 1 else tuple(map(sum_known, zip(*columns, strict=True)))

    @computed_once
    def cpus(self) -> tuple[CpuRow, ...]:
        """A row per possible CPU. Computed at the first access: most screens do not show these rows."""
        columns = []
        for pair in self.pairs:
            (packets, packet_gains), (size, byte_gains) = pair.cpu_totals(self.possible_cpus)
            cells = zip(packets, size, packet_gains, byte_gains, strict=True)
            columns.append([rated_counts((p, b), (pg, bg), pair.elapsed_ns) for p, b, pg, bg in cells])
        rows = columns[0] if len(columns) == 1 else map(add_counts, zip(*columns, strict=True))
        online = set(self.online_cpus)
        return tuple(CpuRow(cpu, cpu in online, counts, self) for cpu, counts in enumerate(rows))

    def cpu_protocols(self, cpu: int) -> tuple[ProtocolRow, ...]:
        """Return the protocols of one CPU that moved in the interval, largest first."""
        counts: dict[int, list[Counts]] = {}
        for pair in self.pairs:
            for key, (values, gains) in pair.cpu_cells(cpu).items():
                counts.setdefault(int(key[-1]), []).append(rated_counts(values, gains, pair.elapsed_ns))
        rows = [ProtocolRow(self.direction, n, protocol_name(n), add_counts(cells)) for n, cells in counts.items()]
        return tuple(sorted((row for row in rows if row.counts.packets_per_sec), key=_by_rate))


@frozen
class CpuRow:
    """One possible CPU of one direction."""

    cpu: int
    online: bool
    counts: Counts
    traffic: DirectionTraffic = field(repr=False)

    @computed_once
    def protocols(self) -> tuple[ProtocolRow, ...]:
        """The protocols that moved in the interval, largest first. Computed at the first access."""
        return self.traffic.cpu_protocols(self.cpu)


@frozen_often
class InterfaceSnapshot:
    """One interface with the traffic of both directions. The total of several interfaces has the label TOTAL."""

    interface: Interface
    rx: DirectionTraffic
    tx: DirectionTraffic

    @property
    def label(self) -> str:
        return self.interface.label

    def traffic(self, direction: Direction) -> DirectionTraffic:
        return self.rx if direction == "rx" else self.tx

    def utilisation(self, direction: Direction) -> float | None:
        """Return the used share of the link's speed, frame overhead included; None where speed or rate is unknown."""
        speed, totals = self.interface.speed_bits_per_sec, self.traffic(direction).totals
        if not speed or totals.bits_per_sec is None or totals.packets_per_sec is None:
            return None
        return (totals.bits_per_sec + 8 * FRAME_OVERHEAD_BYTES * totals.packets_per_sec) / speed


@frozen
class OwnCost:
    """The cost of watching: CPU of this process in percent of one core, resident bytes, time in map reads per tick."""

    cpu_pct: float | None = None
    resident_bytes: int | None = None
    poll_ns: int | None = None


@frozen
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
    """Label of an interface that is not part of the total, for it would be counted twice -> the reason."""
    own: OwnCost
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Part (``traffic/eth0/rx``, or the name of a collector) -> the reason why it cannot be read, as a sentence."""
    readings: Mapping[str, RatedReading] = field(default_factory=dict, repr=False)
    """``reading_key(...)`` -> reading, for every family except the interfaces' traffic."""

    diagnosis: Diagnosis = NO_DIAGNOSIS
    """The findings of the checks. Checks need several seconds: a snapshot of two samples alone has none."""
    stage_totals: Mapping[tuple[str, str], int] = field(default_factory=dict, repr=False)
    """Interface label (empty for stages of the namespace or the host) and id of a stage -> its gain since watching
    began; no entry where the gain was never known."""
    loss_peaks: Mapping[LossGroup, tuple[float, int]] = field(default_factory=dict, repr=False)
    """Group of losses -> the largest sum of one interval since watching began, per second over all interfaces, and the
    CLOCK_MONOTONIC time of the interval's end; no entry where nothing was lost."""
    kernel: str = ""
    """Its release; empty where the sample has none."""

    def wall_time_ns(self, mono_ns: int) -> int:
        """Return the wall-clock time of a CLOCK_MONOTONIC time, by both clocks of this moment."""
        return self.wall_ns - (self.mono_ns - mono_ns)

    def reading(self, family: str, *where: str) -> RatedReading | None:
        """Return a reading with its rates; None where it was not read."""
        return self.readings.get(reading_key(family, *where))

    @computed_once
    def counter_rates(self) -> Mapping[str, float]:
        """Stack counter, by its nstat name -> its rate per second, if that is known: the checks need most of them."""
        rates: dict[str, float] = {}
        for reading in filter(None, map(self.readings.get, STACK)):
            if reading.pair is not None:
                rates |= _counter_rates(reading.pair)
        return rates

    def why_unavailable(self, family: str, label: str | None = None) -> str | None:
        """Return the reason why a family cannot be read: on the interface ``label``; None: on any interface."""
        for part in (reading_key(family, label or ""), family, FAMILIES[family].collector_name):
            if part in self.unavailable:
                return self.unavailable[part]
        on_any = (reason for part, reason in self.unavailable.items() if part.startswith(f"{family}/"))
        return next(on_any, None) if label is None else None

    def labels(self, interface: InterfaceSnapshot) -> tuple[str, ...]:
        """Return the label of the interface, or for the total the labels of the interfaces that are part of it."""
        if interface is self.total and len(self.interfaces) > 1:
            return tuple(i.label for i in self.interfaces if i.label not in self.left_out)
        return (interface.label,)

    def interface(self, label: str) -> InterfaceSnapshot:
        """Return the interface of that label, or the total where there is none."""
        return self._by_label.get(label, self.total)

    @computed_once
    def _by_label(self) -> dict[str, InterfaceSnapshot]:
        """Interfaces by label: each rule looks up each interface at each tick."""
        return {interface.label: interface for interface in reversed(self.interfaces)}


def _counter_rates(pair: ReadingPair) -> dict[str, float]:
    """Return counter -> its rate, of readings with a counter in each row, where it is known."""
    before, after, elapsed_ns = pair.before, pair.after, pair.elapsed_ns
    if before.keys is not after.keys or before.missing or after.missing:
        gains = zip(after.keys, pair.cell_gains(), strict=True)
        return {str(key[0]): gained * 1e9 / elapsed_ns for key, gained in gains if gained is not None}
    names = cast("list[str]", list(chain.from_iterable(after.keys)))
    rates = dict.fromkeys(names, 0.0)  # most of a hundred counters stand still
    for row in compress(range(len(names)), map(ne, before.values, after.values)):
        gained = after.values[row] - before.values[row]
        if gained >= 0:
            rates[names[row]] = gained * 1e9 / elapsed_ns
        else:
            del rates[names[row]]
    return rates


def _by_rate(row: ProtocolRow) -> float:
    return -(row.counts.packets_per_sec or 0.0)


def rated_counts(counts: Sequence[int | None], gains: Sequence[int | None] | None, elapsed_ns: int) -> Counts:
    """Return the counts of a (packets, bytes) row with its gains; ``gains`` None: no rate may be taken."""
    packets, size = counts
    if gains is None:
        return Counts(packets, size)
    bytes_per_sec = per_sec(gains[1], elapsed_ns)
    return Counts(packets, size, per_sec(gains[0], elapsed_ns), None if bytes_per_sec is None else 8 * bytes_per_sec)


def add_counts(rows: Iterable[Counts]) -> Counts:
    """Return the sum of the known values; None only where no value is known."""
    rows = tuple(rows)
    if len(rows) == 1:
        return rows[0]
    return Counts(
        sum_known([row.packets for row in rows]),
        sum_known([row.bytes for row in rows]),
        sum_known([row.packets_per_sec for row in rows]),
        sum_known([row.bits_per_sec for row in rows]),
    )


def sum_known(values: Iterable[Number | None]) -> Number | None:
    """Return the sum of the known values; None where no value is known."""
    known = [v for v in values if v is not None]
    return sum(known[1:], known[0]) if known else None
