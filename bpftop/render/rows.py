"""Rows of the tables: what a snapshot and its past say about one protocol, one TCP flag, one CPU."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from bpftop.history.cpu_trends import CELL_S
from bpftop.history.history import History, MarkedRates
from bpftop.model.cpu_readings import CpuReadings, CpuValues
from bpftop.model.protocols import ICMP, ICMPV6, TCP, UDP, protocol_name
from bpftop.model.sample import FLAG_LABELS, Direction
from bpftop.model.snapshot import NOTHING, Counts, DirectionTraffic, InterfaceSnapshot, Snapshot, sum_known

FLAG_SHOWN_FROM, FLAG_SHOWN_UNTIL = 0.10, 0.05
"""A TCP flag gets a row at this share of TCP and loses it below that one: rows do not come and go with every tick."""

_FIRST = (TCP, UDP, ICMP, ICMPV6)
_FLAG_NAMES = {"syn": "SYN", "syn_ack": "SYN+ACK", "fin": "FIN", "rst": "RST", "other": "other TCP"}
PROTOCOL_CELL_S = 10.0


@dataclass(frozen=True)
class Past:
    """What one direction of an interface did before: a minute ago, or at the mark."""

    history: History
    shown: Snapshot
    watched: InterfaceSnapshot
    direction: Direction
    mark: MarkedRates | None = None

    def then(self, name: str) -> float | None:
        """The rate to compare with; ``name`` as in ``history.Row``."""
        row = (self.watched.label, self.direction, name)
        if self.mark is not None:
            # a row that was not there at the mark had no packets, if its direction was counted
            return self.mark.rates.get(row, 0.0 if (*row[:2], "packets") in self.mark.rates else None)
        return self.history.ago(row, self.shown.mono_ns)

    def trend(self, name: str, cells: int, cell_s: float) -> list[float | None]:
        slices = self.history.tick_ranges(self.shown.mono_ns, cell_s, cells)
        return self.history.means((self.watched.label, self.direction, name), slices)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The interfaces that are looked at: for the total, those that are part of it."""
        return self.shown.labels(self.watched)

    def cpu_cells(self, cells: int, back: int = 0) -> list[Sequence[float] | None]:
        """Per cell of the trend and CPU: packets per second. ``back``: without the newest so many cells."""
        return self.history.cpu_trends.cells(self.labels, self.direction, self.shown.mono_ns, cells, back)

    def cpus_then(self) -> Sequence[float | None]:
        """Packets per second of every possible CPU a minute ago, or at the mark; empty where unknown."""
        if self.mark is not None:
            return self.mark.cpus.get((self.watched.label, self.direction), ())
        return self.cpu_cells(1, 60 // CELL_S - 1)[0] or ()


@dataclass(frozen=True)
class ProtocolLine:
    """One row of the protocol table. ``key`` names it as in ``history.Row``; ``depth`` 1: a part of the row above."""

    key: str
    name: str
    depth: int
    rx: Counts
    tx: Counts
    share: float | None
    """Of all packets of the direction that is looked at."""
    past: Past

    @cached_property
    def then(self) -> float | None:
        return self.past.then(self.key)

    @property
    def seen(self) -> Counts:
        """The direction that is looked at."""
        return self.rx if self.past.direction == "rx" else self.tx

    @property
    def now(self) -> float | None:
        return self.seen.packets_per_sec

    def trend(self, cells: int) -> list[float | None]:
        return self.past.trend(self.key, cells, PROTOCOL_CELL_S)


@dataclass(frozen=True)
class CpuLine:
    """One row of the CPU table."""

    cpu: int
    counts: Counts
    share: float | None
    top: tuple[tuple[str, float], ...]
    """The busiest protocols, each with its packets per second."""
    then: float | None
    trend: tuple[float | None, ...]
    readings: CpuReadings = field(repr=False)

    def reading(self, column: CpuValues) -> float | None:
        return column[self.cpu] if self.cpu < len(column) else None

    @property
    def now(self) -> float | None:
        return self.counts.packets_per_sec


def share(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole


def protocol_lines(watched: InterfaceSnapshot, past: Past, flags: Collection[str] = ()) -> list[ProtocolLine]:
    """A row per protocol that was ever seen, TCP and UDP first, then by number. ``flags`` get a row below TCP."""
    rx = {row.number: row.counts for row in watched.rx.protocols}
    tx = {row.number: row.counts for row in watched.tx.protocols}
    seen = [n for n in rx.keys() | tx.keys() if rx.get(n, NOTHING).packets or tx.get(n, NOTHING).packets]
    lines = []
    for number in sorted(seen, key=lambda n: (_FIRST.index(n) if n in _FIRST else len(_FIRST), n)):
        pair = (_cell(watched.rx, rx.get(number)), _cell(watched.tx, tx.get(number)))
        lines.append(_line(str(number), protocol_name(number), 0, pair, watched, past))
        if number == TCP:
            lines += [
                _line(f"tcp_flags/{f}", _FLAG_NAMES[f], 1, _flag(watched, f), watched, past)
                for f in FLAG_LABELS
                if f in flags
            ]
    return lines


def flags_to_show(traffic: DirectionTraffic, shown: Collection[str]) -> frozenset[str]:
    """The TCP flags that deserve a row; ``shown`` are those that have one. Plain segments get none."""
    tcp = next((row.counts.packets_per_sec for row in traffic.protocols if row.number == TCP), None)
    if not tcp:
        return frozenset(shown) if tcp is None else frozenset()
    shares = {f: (traffic.cell_of("tcp_flags", f).packets_per_sec or 0.0) / tcp for f in FLAG_LABELS if f != "other"}
    return frozenset(f for f, s in shares.items() if s >= (FLAG_SHOWN_UNTIL if f in shown else FLAG_SHOWN_FROM))


def _flag(watched: InterfaceSnapshot, flag: str) -> tuple[Counts, Counts]:
    return watched.rx.cell_of("tcp_flags", flag), watched.tx.cell_of("tcp_flags", flag)


def _cell(traffic: DirectionTraffic, counts: Counts | None) -> Counts:
    """A row that is absent in one direction is zero there, if that direction is counted."""
    if counts is not None or not traffic.protocols:
        return counts or NOTHING
    return Counts(0, 0, 0.0, 0.0) if traffic.totals.packets_per_sec is not None else Counts(0, 0)


def _line(
    key: str, name: str, depth: int, pair: tuple[Counts, Counts], watched: InterfaceSnapshot, past: Past
) -> ProtocolLine:
    seen = pair[0 if past.direction == "rx" else 1].packets_per_sec
    whole = watched.traffic(past.direction).totals.packets_per_sec
    return ProtocolLine(key, name, depth, *pair, share(seen, whole), past)


def effective_cpus(rates: Sequence[float | None]) -> float | None:
    """1 / sum(share^2): how many CPUs would carry this load if they shared it evenly."""
    known = [rate for rate in rates if rate]
    whole = sum(known)
    return whole * whole / sum(rate * rate for rate in known) if whole else None


@dataclass(frozen=True)
class CpuTable:
    """All CPUs of one direction: what is cheap for all of them, and rows for the few that are on the screen.

    A row for each of 512 CPUs would cost a third of the tick's time and half a megabyte.
    """

    traffic: DirectionTraffic
    past: Past
    cells: int = 12

    @property
    def rates(self) -> tuple[float | None, ...]:
        """Packets per second of every possible CPU."""
        return self.traffic.cpu_rates or (None,) * self.past.shown.possible_cpus

    @cached_property
    def bits(self) -> tuple[float | None, ...]:
        """Bits per second of every possible CPU."""
        if not self.traffic.pairs:
            return (None,) * self.past.shown.possible_cpus
        parts = []
        for one in self.traffic.pairs:
            gained = one.cpu_totals(self.traffic.possible_cpus)[1][1]
            parts.append([None if g is None else 8e9 * g / one.elapsed_ns for g in gained])
        return tuple(map(sum_known, zip(*parts, strict=True)))

    @cached_property
    def readings(self) -> CpuReadings:
        return CpuReadings(self.past.shown, self.past.labels)

    @cached_property
    def whole(self) -> float | None:
        return sum_known(self.rates)

    @cached_property
    def shown(self) -> list[int]:
        """The CPUs that get a row: those online, and those offline that still moved packets."""
        online = set(self.past.shown.online_cpus)
        return [cpu for cpu, rate in enumerate(self.rates) if cpu in online or rate]

    def protocols(self, cpu: int) -> tuple[tuple[str, float], ...]:
        """Name and packets per second of those that moved there, largest first."""
        rows = self.traffic.cpu_protocols(cpu)
        return tuple((row.name, row.counts.packets_per_sec or 0.0) for row in rows)

    def lines(self, cpus: Sequence[int]) -> list[CpuLine]:
        columns = self.past.cpu_cells(self.cells)
        then = self.past.cpus_then()
        return [
            CpuLine(
                cpu,
                Counts(None, None, self.rates[cpu], self.bits[cpu]),
                share(self.rates[cpu], self.whole),
                self.protocols(cpu)[:3],
                then[cpu] if cpu < len(then) else None,
                tuple(column[cpu] if column else None for column in columns),
                self.readings,
            )
            for cpu in cpus
        ]
