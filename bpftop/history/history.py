"""The last ten minutes: samples to scroll back to, and the trends of rates."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import isnan, nan

from bpftop.fields import field, frozen, replace
from bpftop.history.analyzer import Analyzer
from bpftop.history.bpf_trends import BpfMoment, BpfTrends
from bpftop.history.cpu_trends import CpuTrends
from bpftop.history.episodes import Episodes
from bpftop.history.flow_trends import FlowTrends
from bpftop.history.packing import Packed, Packer, SamplePacker, unpack
from bpftop.history.rate_series import RateSeries
from bpftop.history.stage_totals import StageRow, StageTotals
from bpftop.model.derive import derive_snapshot
from bpftop.model.findings import Diagnosis
from bpftop.model.sample import Direction, Sample
from bpftop.model.snapshot import DirectionTraffic, InterfaceSnapshot, Snapshot
from bpftop.rules.rule import Rule

HISTORY_NS = 600 * 10**9
_BUDGET_BYTES = 896 << 10
_READINGS_UNPACKED = 256
"""Readings in the samples that wait to be packed: five ticks of one interface, less than one tick of 30.

Samples that are packed one after another take half the time of samples that are packed at each tick, when the caches
hold something else.
"""

RateRow = tuple[str, Direction, str]
"""Interface label, direction, and ``packets``, ``bits``, a protocol number or ``tcp_flags/syn``."""

TickRanges = tuple[tuple[int, int], ...]
"""Ranges of indexes into the ticks, one range per cell of a trend."""


@frozen
class MarkedRates:
    """Every rate at the moment that the person marked: the mean of the five seconds until then."""

    mono_ns: int
    rates: Mapping[RateRow, float]
    cpus: Mapping[tuple[str, Direction], tuple[float | None, ...]] = field(default_factory=dict)
    """Interface label and direction -> packets per second of every possible CPU."""
    stages: Mapping[StageRow, int] = field(default_factory=dict)
    """Total of every stage of the path since the start."""
    bpf: BpfMoment = BpfMoment()
    """The BPF programs and maps."""


class History:
    """Ten minutes of samples with their diagnoses, and one series of rates per row.

    All samples but the newest few are packed. Above 896 KiB of packed samples, every second one of the older half is
    dropped: rates between the remaining samples are means over a longer time, so they stay right. The series are not
    thinned.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._analyzer = Analyzer(rules, keep_ns=HISTORY_NS)
        self.cpu_trends = CpuTrends(HISTORY_NS)
        self.bpf_trends = BpfTrends(HISTORY_NS)
        self.flow_trends = FlowTrends()
        self._unpacked: list[Sample] = []  # the newest
        self._packer = SamplePacker()
        self._packed: list[Packed[Sample]] = []
        self._packed_ns: list[int] = []
        self._packed_bytes = 0
        self._series: dict[RateRow, RateSeries] = {}
        self._ticks = 0  # since the start, also those that are no longer kept
        self._ranges: tuple[tuple[int, float, int], TickRanges] | None = None
        self._diagnosis_packer = Packer[Diagnosis]()
        self._diagnoses: list[Packed[Diagnosis]] = []

    @property
    def stages(self) -> StageTotals:
        return self._analyzer.stages

    @property
    def episodes(self) -> Episodes:
        return self._analyzer.episodes

    @property
    def _times(self) -> array[int]:
        return self._analyzer.stages.times_ns

    def push(self, sample: Sample) -> Snapshot:
        """Add the newest sample and return its snapshot."""
        self._unpacked.append(sample)
        snapshot = self._analyzer.push(sample)
        self._extend(snapshot)
        self._diagnoses.append(self._diagnosis_packer.pack_again(snapshot.diagnosis))
        if (
            sum([len(each.readings) for each in self._unpacked]) > _READINGS_UNPACKED
            or self._unpacked[0].mono_ns < sample.mono_ns - HISTORY_NS
        ):
            self._pack_all_but_newest()
        self.cpu_trends.push(sample)
        self.bpf_trends.push(sample)
        self.flow_trends.push(snapshot)
        self._forget(sample.mono_ns - HISTORY_NS)
        self._ranges = None
        return snapshot

    def __len__(self) -> int:
        """Return the number of samples that can be shown again."""
        return len(self._packed) + len(self._unpacked)

    def sample(self, index: int) -> Sample:
        """Return a sample, 0 being the oldest; negative indexes count from the end. Raises IndexError."""
        index = range(len(self))[index]
        packed = len(self._packed)
        return unpack(self._packed[index]) if index < packed else self._unpacked[index - packed]

    def at(self, index: int) -> Snapshot:
        """Return the snapshot of a sample as ``push`` returned it. Raises IndexError."""
        index = range(len(self))[index]
        snapshot = derive_snapshot(self.sample(index - 1) if index else None, self.sample(index))
        diagnosis = unpack(self._diagnoses[index])
        now_ns = snapshot.mono_ns
        totals, peaks = self.stages.totals(now_ns), self.stages.loss_peaks(now_ns)
        return replace(snapshot, diagnosis=diagnosis, stage_totals=totals, loss_peaks=peaks)

    def step(self, from_ns: int, steps: int) -> Snapshot:
        """Return the snapshot ``steps`` samples after (or before) ``from_ns``, or the last snapshot with rates.

        Raises IndexError before the first push.
        """
        index = bisect_right(self._sample_times(), from_ns) - 1 + steps
        last = len(self) - 1
        return self.at(max(min(1, last), min(last, index)))

    def time_until(self, mono_ns: int) -> int | None:
        """Return the time of the last kept sample that is not later than ``mono_ns``; None where there is none."""
        times = self._sample_times()
        index = bisect_right(times, mono_ns) - 1
        return times[index] if index >= 0 else None

    def sample_until(self, mono_ns: int) -> Sample | None:
        """Return the last kept sample that is not later than ``mono_ns``; None where there is none."""
        index = bisect_right(self._sample_times(), mono_ns) - 1
        return self.sample(index) if index >= 0 else None

    def from_moment(self, mono_ns: int) -> Snapshot | None:
        """Return the first snapshot at this time or after it; None where it is forgotten, or still to come."""
        times = self._sample_times()
        index = bisect_left(times, mono_ns)
        return self.at(index) if index < len(times) and times[0] <= mono_ns else None

    def tick_ranges(self, until_ns: int, cell_s: float, cells: int) -> TickRanges:
        """Return the ticks of ``cells`` time slices that begin at multiples of ``cell_s``; the last one is under way.

        A trend then moves once per ``cell_s`` and not with every tick. A slice between two samples takes the rates of
        the later sample.
        """
        arguments = (until_ns, cell_s, cells)
        if self._ranges is None or self._ranges[0] != arguments:
            cell_ns = int(cell_s * 1e9)
            begin_ns = (until_ns // cell_ns + 1 - cells) * cell_ns
            times = self._times
            known = bisect_right(times, until_ns)
            edges = [bisect_right(times, begin_ns + cell_ns * i, 0, known) for i in range(cells + 1)]
            ranges = ((a, max(b, a + 1) if 0 < a < known else b) for a, b in pairwise(edges))
            self._ranges = arguments, tuple(ranges)
        return self._ranges[1]

    def means(self, row: RateRow, ranges: TickRanges) -> list[float | None]:
        """Return the mean rate of a row in each range of ticks; None where no rate is known."""
        first, values = self._values_in(row, ranges)
        return [
            total / (end - begin)
            if begin < end and not isnan(total := sum(values[begin - first : end - first]))
            else _mean(values[begin - first : end - first])
            for begin, end in ranges
        ]

    def highs(self, row: RateRow, ranges: TickRanges) -> list[float | None]:
        """Return the highest rate of a tick in each range of ticks; None where no rate is known."""
        first, values = self._values_in(row, ranges)
        return [_highest(values[begin - first : end - first]) for begin, end in ranges]

    def peak(self, row: RateRow, begin_ns: int, until_ns: int) -> tuple[float, int] | None:
        """Return the highest rate of a tick after ``begin_ns``, and the CLOCK_MONOTONIC time of that tick."""
        if row not in self._series:
            return None
        first, end = bisect_right(self._times, begin_ns), bisect_right(self._times, until_ns)
        values = self._values(row, first, end)
        highest = _highest(values)
        return None if highest is None else (highest, self._times[first + values.index(highest)])

    def ago(self, row: RateRow, until_ns: int, seconds: float = 60.0, width_s: float = 5.0) -> float | None:
        """Return the mean rate of a row over ``width_s`` around ``seconds`` before ``until_ns``; None where unknown."""
        middle = until_ns - int(seconds * 1e9)
        if row not in self._series or not self._times or self._times[0] > middle:
            return None
        half = int(width_s * 5e8)
        low, high = bisect_left(self._times, middle - half), bisect_right(self._times, middle + half)
        if low == high:  # ticks further apart than the window: take the tick whose interval holds this moment
            high += 1
        return _mean(self._values(row, low, high))

    def mark(self, snapshot: Snapshot, seconds: float = 5.0) -> MarkedRates:
        """Return the mean of every rate over the seconds until the snapshot."""
        high = bisect_right(self._times, snapshot.mono_ns)
        low = min(high - 1, bisect_right(self._times, snapshot.mono_ns - int(seconds * 1e9))) if high else 0
        means = {row: _mean(self._values(row, low, high)) for row in self._series}
        directions = _directions((*snapshot.interfaces, snapshot.total))
        return MarkedRates(
            snapshot.mono_ns,
            {row: rate for row, rate in means.items() if rate is not None},
            {(label, traffic.direction): traffic.cpu_rates for label, traffic in directions},
            self.stages.totals(snapshot.mono_ns),
            self.bpf_trends.moment(snapshot),
        )

    def _sample_times(self) -> list[int]:
        return [*self._packed_ns, *[sample.mono_ns for sample in self._unpacked]]

    @property
    def _oldest(self) -> int:
        """The number of the first tick that is kept."""
        return self._ticks - len(self._times)

    def _values(self, row: RateRow, low: int, high: int) -> array[float]:
        """Return the rates of a row in a range of kept ticks."""
        oldest = self._oldest
        return self._series[row].between(oldest + low, min(oldest + high, self._ticks))

    def _values_in(self, row: RateRow, ranges: TickRanges) -> tuple[int, array[float]]:
        """Return the first tick of the ranges, and the rates of a row from it on; NaN for a row that is not known."""
        first, end = (ranges[0][0], ranges[-1][1]) if ranges else (0, 0)
        return first, self._values(row, first, end) if row in self._series else array("d", [nan]) * (end - first)

    def _extend(self, snapshot: Snapshot) -> None:
        """Add the rates of the newest tick to the series."""
        self._ticks += 1
        oldest, end = self._oldest, self._ticks
        one_interface = len(snapshot.interfaces) == 1
        interfaces = snapshot.interfaces if one_interface else (*snapshot.interfaces, snapshot.total)
        counted: set[tuple[str, Direction]] = set()
        for label, traffic in _directions(interfaces):
            if traffic.pairs:
                counted.add((label, traffic.direction))
            for name, rate in _rates(traffic):
                row = (label, traffic.direction, name)
                series = self._series.get(row)
                if series is None:
                    series = self._series[row] = self._past_of(row)
                series.push(rate, oldest, end)
        for row, series in self._series.items():
            if series.end != end:  # a reading has no row for a protocol without packets since counting began
                series.push(0.0 if row[:2] in counted else None, oldest, end)

    def _past_of(self, row: RateRow) -> RateSeries:
        """Return the past of a row that is new: zero in the ticks in which its direction was counted."""
        totals = self._series.get((row[0], row[1], "packets"))
        return RateSeries() if totals is None else totals.zeros(self._oldest, self._ticks - 1)

    def _pack_all_but_newest(self) -> None:
        *before, newest = self._unpacked
        for sample in before:
            packed = self._packer.pack(sample)
            self._packed.append(packed)
            self._packed_bytes += len(packed.content)
            self._packed_ns.append(sample.mono_ns)
        self._unpacked = [newest]

    def _forget(self, oldest_ns: int) -> None:
        self._drop(slice(0, bisect_left(self._packed_ns, oldest_ns)))
        if self._packed_bytes > _BUDGET_BYTES:
            self._drop(slice(1, len(self._packed) // 2, 2))

    def _drop(self, ticks: slice) -> None:
        """Drop some packed samples and their diagnoses."""
        self._packed_bytes -= sum([len(packed.content) for packed in self._packed[ticks]])
        del self._packed[ticks], self._packed_ns[ticks], self._diagnoses[ticks]


def _directions(interfaces: Sequence[InterfaceSnapshot]) -> Iterator[tuple[str, DirectionTraffic]]:
    for interface in interfaces:
        yield interface.label, interface.rx
        yield interface.label, interface.tx


def _rates(traffic: DirectionTraffic) -> list[tuple[str, float | None]]:
    rates = [("packets", traffic.totals.packets_per_sec), ("bits", traffic.totals.bits_per_sec)]
    rates += [(str(row.number), row.counts.packets_per_sec) for row in traffic.protocols]
    flags = traffic.breakdowns.get("tcp_flags", {})
    rates += [(f"tcp_flags/{key[0]}", counts.packets_per_sec) for key, counts in flags.items()]
    return rates


def _mean(values: Sequence[float]) -> float | None:
    known = _known(values)
    return sum(known) / len(known) if known else None


def _highest(values: Sequence[float]) -> float | None:
    return max(_known(values), default=None)


def _known(values: Sequence[float]) -> Sequence[float]:
    """Return the rates without those that are not known (NaN)."""
    return [value for value in values if not isnan(value)] if isnan(sum(values)) else values
