"""The rows of the tables of protocols and CPUs, made from a snapshot and its past."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bpftop.fields import computed_once, field, frozen
from bpftop.history.cpu_trends import CELL_S
from bpftop.model.cpu_readings import CpuReadings, CpuValues
from bpftop.model.protocols import ICMP, ICMPV6, TCP, UDP, protocol_name
from bpftop.model.sample import FLAG_LABELS, Direction
from bpftop.model.snapshot import NOTHING, Counts, DirectionTraffic, InterfaceSnapshot, sum_known
from bpftop.render.cell_words import FLAG_NAMES
from bpftop.render.comparison import ratio
from bpftop.render.selection import Selection

FLAG_SHOWN_FROM, FLAG_SHOWN_UNTIL = 0.10, 0.05
"""The shares of TCP at which a TCP flag gets a row and loses its row, apart so that rows do not flicker."""

_FIRST = (TCP, UDP, ICMP, ICMPV6)
PROTOCOL_CELL_S = 10.0


@frozen
class Past(Selection):
    """The past of a direction of an interface, to compare with: a minute ago, or the mark."""

    direction: Direction = "rx"

    @property
    def traffic(self) -> DirectionTraffic:
        """Return the direction in the snapshot that is compared with its past."""
        return self.interface.traffic(self.direction)

    def then(self, name: str) -> float | None:
        """Return the past packet rate of a row; ``name`` as in ``history.RateRow``."""
        row = (self.interface.label, self.direction, name)
        if self.mark is not None:
            # a row absent at the mark had no packets, if its direction was counted
            return self.mark.rates.get(row, 0.0 if (*row[:2], "packets") in self.mark.rates else None)
        return self.history.ago(row, self.snapshot.mono_ns)

    def trend(self, name: str, cells: int, cell_s: float) -> list[float | None]:
        """Return the mean packet rates of a row in ``cells`` periods of ``cell_s`` seconds, the newest last."""
        ranges = self.history.tick_ranges(self.snapshot.mono_ns, cell_s, cells)
        return self.history.means((self.interface.label, self.direction, name), ranges)

    def cpu_cells(self, cells: int, back: int = 0) -> list[Sequence[float] | None]:
        """Return packets per second by cell of the trend and CPU, without the newest ``back`` cells."""
        return self.history.cpu_trends.cells(self.labels, self.direction, self.snapshot.mono_ns, cells, back)

    def cpus_then(self) -> Sequence[float | None]:
        """Return the past packets per second of every possible CPU; empty where unknown."""
        if self.mark is not None:
            return self.mark.cpus.get((self.interface.label, self.direction), ())
        return self.cpu_cells(1, 60 // CELL_S - 1)[0] or ()


@frozen
class ProtocolLine:
    """A row of the protocol table. ``key`` is its name in ``history.RateRow``; ``depth`` 1: a part of the row above."""

    key: str
    name: str
    depth: int
    rx: Counts
    tx: Counts
    share: float | None
    """The share of all packets of the direction."""
    past: Past

    @computed_once
    def then(self) -> float | None:
        return self.past.then(self.key)

    @property
    def seen(self) -> Counts:
        """Return the counts of the direction of the table."""
        return self.rx if self.past.direction == "rx" else self.tx

    @property
    def now(self) -> float | None:
        return self.seen.packets_per_sec

    def trend(self, cells: int) -> list[float | None]:
        return self.past.trend(self.key, cells, PROTOCOL_CELL_S)


@frozen
class CpuLine:
    """A row of the CPU table."""

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


def protocol_lines(past: Past, flags: Collection[str] = ()) -> list[ProtocolLine]:
    """Return a row per protocol with packets since the start, TCP and UDP first; below TCP, rows of these ``flags``."""
    interface = past.interface
    rx = {row.number: row.counts for row in interface.rx.protocols}
    tx = {row.number: row.counts for row in interface.tx.protocols}
    seen = [n for n in rx.keys() | tx.keys() if rx.get(n, NOTHING).packets or tx.get(n, NOTHING).packets]
    lines = []
    for number in sorted(seen, key=lambda n: (_FIRST.index(n) if n in _FIRST else len(_FIRST), n)):
        pair = (_cell(interface.rx, rx.get(number)), _cell(interface.tx, tx.get(number)))
        lines.append(traffic_line(str(number), protocol_name(number), pair, past))
        if number == TCP:
            lines += [
                traffic_line(f"tcp_flags/{f}", FLAG_NAMES[f], _flag(interface, f), past, depth=1)
                for f in FLAG_LABELS
                if f in flags
            ]
    return lines


def flags_to_show(traffic: DirectionTraffic, present: Collection[str]) -> frozenset[str]:
    """Return the TCP flags that get a row; ``present`` flags have a row now. Segments without flags never get a row."""
    tcp = next((row.counts.packets_per_sec for row in traffic.protocols if row.number == TCP), None)
    if not tcp:
        return frozenset(present) if tcp is None else frozenset()
    shares = {f: (traffic.cell_of("tcp_flags", f).packets_per_sec or 0.0) / tcp for f in FLAG_LABELS if f != "other"}
    return frozenset(f for f, s in shares.items() if s >= (FLAG_SHOWN_UNTIL if f in present else FLAG_SHOWN_FROM))


def _flag(interface: InterfaceSnapshot, flag: str) -> tuple[Counts, Counts]:
    return interface.rx.cell_of("tcp_flags", flag), interface.tx.cell_of("tcp_flags", flag)


def _cell(traffic: DirectionTraffic, counts: Counts | None) -> Counts:
    """Return the counts of a protocol, zero where its row is absent in a direction that a program counts."""
    if counts is not None or not traffic.protocols:
        return counts or NOTHING
    return Counts(0, 0, 0.0, 0.0) if traffic.totals.packets_per_sec is not None else Counts(0, 0)


def traffic_line(key: str, name: str, pair: tuple[Counts, Counts], past: Past, depth: int = 0) -> ProtocolLine:
    """Return the row of the counts that were received and sent, with their share of the direction of ``past``."""
    seen = pair[0 if past.direction == "rx" else 1].packets_per_sec
    return ProtocolLine(key, name, depth, *pair, ratio(seen, past.traffic.totals.packets_per_sec), past)


def effective_cpus(rates: Sequence[float | None]) -> float | None:
    """Return 1 / sum(share^2): the number of CPUs that would carry this load if the load were spread evenly."""
    known = [rate for rate in rates if rate]
    whole = sum(known)
    return whole * whole / sum(rate * rate for rate in known) if whole else None


@frozen
class CpuTable:
    """The CPUs of a direction: rates for all CPUs, rows only for the CPUs on the screen.

    Rows for 512 CPUs would take a third of the tick's time and half a megabyte.
    """

    past: Past
    cells: int = 12

    @property
    def traffic(self) -> DirectionTraffic:
        return self.past.traffic

    @property
    def rates(self) -> tuple[float | None, ...]:
        """Return packets per second of every possible CPU."""
        return self.traffic.cpu_rates or (None,) * self.past.snapshot.possible_cpus

    @computed_once
    def bits(self) -> tuple[float | None, ...]:
        """Return bits per second of every possible CPU."""
        if not self.traffic.pairs:
            return (None,) * self.past.snapshot.possible_cpus
        parts = []
        for pair in self.traffic.pairs:
            gained = pair.cpu_totals(self.traffic.possible_cpus)[1][1]
            parts.append([None if g is None else 8e9 * g / pair.elapsed_ns for g in gained])
        return tuple(map(sum_known, zip(*parts, strict=True)))

    @computed_once
    def readings(self) -> CpuReadings:
        return CpuReadings(self.past.snapshot, self.past.labels)

    @computed_once
    def whole(self) -> float | None:
        return sum_known(self.rates)

    @computed_once
    def visible_cpus(self) -> list[int]:
        """Return the CPUs that get a row: online CPUs, and offline CPUs with packets in the interval."""
        online = set(self.past.snapshot.online_cpus)
        return [cpu for cpu, rate in enumerate(self.rates) if cpu in online or rate]

    def protocols(self, cpu: int) -> tuple[tuple[str, float], ...]:
        """Return name and packets per second of the protocols on a CPU, the largest first."""
        rows = self.traffic.cpu_protocols(cpu)
        return tuple((row.name, row.counts.packets_per_sec or 0.0) for row in rows)

    def lines(self, cpus: Sequence[int]) -> list[CpuLine]:
        """Return the rows of these CPUs."""
        columns = self.past.cpu_cells(self.cells)
        then = self.past.cpus_then()
        return [
            CpuLine(
                cpu,
                Counts(None, None, self.rates[cpu], self.bits[cpu]),
                ratio(self.rates[cpu], self.whole),
                self.protocols(cpu)[:3],
                then[cpu] if cpu < len(then) else None,
                tuple(column[cpu] if column else None for column in columns),
                self.readings,
            )
            for cpu in cpus
        ]
