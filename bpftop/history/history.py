"""The last ten minutes: samples to scroll back to, and the trends that go with them."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from bpftop.history.cpu_trends import CpuTrends
from bpftop.history.episodes import Episodes
from bpftop.history.sample_codec import Packed, Packer, unpack, unpack_diagnosis
from bpftop.history.stage_totals import PathTrends, StageRow
from bpftop.model.derive import snapshot
from bpftop.model.sample import Direction, Sample
from bpftop.model.snapshot import DirectionTraffic, Snapshot
from bpftop.rules.engine import RuleEngine
from bpftop.rules.rule import Rule

KEPT_NS = 600 * 10**9
_BUDGET_BYTES = 896 << 10

Row = tuple[str, Direction, str]
"""Interface label, direction, and ``packets``, ``bits``, a protocol number or ``tcp_flags/syn``."""

Slices = tuple[tuple[int, int], ...]
"""Index ranges into the series, one per cell of a trend."""


@dataclass(frozen=True)
class Mark:
    """What every rate was when the person said "before": the mean of the five seconds until then."""

    mono_ns: int
    rates: Mapping[Row, float]
    cpus: Mapping[tuple[str, Direction], tuple[float | None, ...]] = field(default_factory=dict)
    """Interface label and direction -> packets per second of every possible CPU."""
    stages: Mapping[StageRow, int] = field(default_factory=dict)
    """What every stage of the path had gained since the start."""


class History:
    """Ten minutes of samples, one series of rates per row, and what ``rules`` said.

    All samples but the newest are packed. Where that is more than 896 kiB, every second of the older ones is dropped:
    rates between those that are left are means over a longer time, so they stay right. The series are not thinned.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.cpu_trends = CpuTrends(KEPT_NS)
        self._newest: Sample | None = None
        self._packer = Packer()
        self._packed: list[Packed] = []
        self._packed_ns: list[int] = []
        self._times = array("q")
        self.path = PathTrends(self._times)
        self._series: dict[Row, array[float]] = {}
        self._cut: tuple[tuple[int, float, int], Slices] | None = None
        self._engine = RuleEngine(rules)
        self._diagnosis_packer = Packer()
        self._diagnoses: list[Packed] = []
        self.episodes = Episodes()

    def push(self, sample: Sample) -> Snapshot:
        """Add the newest sample; the snapshot is that of the sample against the one before, with what the rules say."""
        before, self._newest = self._newest, sample
        plain = snapshot(before, sample)
        self._extend(plain)
        self.path.push(plain)
        lost = self.path.totals(sample.mono_ns)
        latest = replace(plain, diagnosis=self._engine.push(sample, plain), lost=lost)
        self.episodes.push(sample.mono_ns, latest.diagnosis.findings)
        self._diagnoses.append(self._diagnosis_packer.pack_diagnosis(latest.diagnosis))
        if before is not None:
            self._packed.append(self._packer.pack(before))
            self._packed_ns.append(before.mono_ns)
        self.cpu_trends.push(sample)
        self._forget(sample.mono_ns - KEPT_NS)
        self._cut = None
        return latest

    def __len__(self) -> int:
        """How many samples there are to go back to."""
        return len(self._packed) + (self._newest is not None)

    def sample(self, index: int) -> Sample:
        """From the oldest to the newest; negative indexes count from the end. Raises IndexError."""
        index = range(len(self))[index]
        if index == len(self._packed) and self._newest is not None:
            return self._newest
        return unpack(self._packed[index])

    def at(self, index: int) -> Snapshot:
        """The snapshot of a sample as it was shown then. Raises IndexError."""
        index = range(len(self))[index]
        plain = snapshot(self.sample(index - 1) if index else None, self.sample(index))
        return replace(plain, diagnosis=unpack_diagnosis(self._diagnoses[index]), lost=self.path.totals(plain.mono_ns))

    def step(self, from_ns: int, steps: int) -> Snapshot:
        """The snapshot ``steps`` samples after (or before) that of ``from_ns``, as far as there are any with rates.

        Raises IndexError where nothing was pushed yet.
        """
        newest_ns = [self._newest.mono_ns] if self._newest else []
        index = bisect_right([*self._packed_ns, *newest_ns], from_ns) - 1 + steps
        last = len(self) - 1
        return self.at(max(min(1, last), min(last, index)))

    def from_moment(self, mono_ns: int) -> Snapshot | None:
        """The first snapshot at this time or after it; None where that is forgotten, or still to come."""
        newest_ns = [self._newest.mono_ns] if self._newest else []
        times = [*self._packed_ns, *newest_ns]
        index = bisect_left(times, mono_ns)
        return self.at(index) if index < len(times) and times[0] <= mono_ns else None

    def slices(self, until_ns: int, cell_s: float, cells: int) -> Slices:
        """The index ranges of ``cells`` time slices that begin at multiples of ``cell_s``; the last one is under way.

        Slices that stand still make a trend that moves on once per ``cell_s`` and not with every tick. A slice between
        two samples is covered by the later one.
        """
        wanted = (until_ns, cell_s, cells)
        if self._cut is None or self._cut[0] != wanted:
            cell_ns = int(cell_s * 1e9)
            begin_ns = (until_ns // cell_ns + 1 - cells) * cell_ns
            known = bisect_right(self._times, until_ns)
            edges = [min(known, bisect_right(self._times, begin_ns + cell_ns * i)) for i in range(cells + 1)]
            ranges = ((a, max(b, a + 1) if 0 < a < known else b) for a, b in pairwise(edges))
            self._cut = wanted, tuple(ranges)
        return self._cut[1]

    def means(self, row: Row, slices: Slices) -> list[float | None]:
        """The mean rate of a row in each slice; None where nothing is known."""
        values = self._series.get(row)
        return [None if values is None else _mean(values[a:b]) for a, b in slices]

    def ago(self, row: Row, until_ns: int, seconds: float = 60.0, width_s: float = 5.0) -> float | None:
        """The mean rate of a row over ``width_s`` around ``seconds`` before ``until_ns``; None where not yet known."""
        middle = until_ns - int(seconds * 1e9)
        values = self._series.get(row)
        if values is None or not self._times or self._times[0] > middle:
            return None
        half = int(width_s * 5e8)
        low, high = bisect_left(self._times, middle - half), bisect_right(self._times, middle + half)
        if low == high:  # ticks further apart than the window: the one whose interval holds this moment
            high += 1
        return _mean(values[low:high])

    def mark(self, shown: Snapshot, seconds: float = 5.0) -> Mark:
        """Every rate as it was in the seconds until the snapshot."""
        high = bisect_right(self._times, shown.mono_ns)
        low = min(high - 1, bisect_right(self._times, shown.mono_ns - int(seconds * 1e9))) if high else 0
        means = {row: _mean(values[low:high]) for row, values in self._series.items()}
        watched = (*shown.interfaces, shown.total)
        return Mark(
            shown.mono_ns,
            {row: rate for row, rate in means.items() if rate is not None},
            {(one.label, traffic.direction): traffic.cpu_rates for one in watched for traffic in (one.rx, one.tx)},
            self.path.totals(shown.mono_ns),
        )

    def _extend(self, latest: Snapshot) -> None:
        count = len(self._times)
        self._times.append(latest.mono_ns)
        watched = latest.interfaces if len(latest.interfaces) == 1 else (*latest.interfaces, latest.total)
        counted: set[tuple[str, Direction]] = set()
        for one in watched:
            for traffic in (one.rx, one.tx):
                if traffic.changes:
                    counted.add((one.label, traffic.direction))
                for name, value in _rates(traffic):
                    row = (one.label, traffic.direction, name)
                    series = self._series.get(row)
                    if series is None:
                        series = self._series[row] = self._unseen(row, count)
                    series.append(math.nan if value is None else value)
        for row, series in self._series.items():
            if len(series) == count:  # a row without packets since counting began is left out of the reading
                series.append(0.0 if row[:2] in counted else math.nan)

    def _unseen(self, row: Row, count: int) -> array[float]:
        """The series of a row that was not there before: zero wherever its direction was counted."""
        totals = self._series.get((row[0], row[1], "packets"))
        if row[2] in ("packets", "bits") or totals is None:
            return array("f", [math.nan]) * count
        return array("f", [math.nan if math.isnan(v) else 0.0 for v in totals[:count]])

    def _forget(self, oldest_ns: int) -> None:
        gone = bisect_left(self._times, oldest_ns)
        if gone >= 64:  # in blocks: deleting from the front of an array moves all of it
            del self._times[:gone]
            for series in self._series.values():
                del series[:gone]
            self.path.forget(gone)
        old = bisect_left(self._packed_ns, oldest_ns)
        del self._packed[:old], self._packed_ns[:old], self._diagnoses[:old]
        if sum(len(packed.content) for packed in self._packed) > _BUDGET_BYTES:
            older = len(self._packed) // 2
            del self._packed[1:older:2], self._packed_ns[1:older:2], self._diagnoses[1:older:2]


def _rates(traffic: DirectionTraffic) -> list[tuple[str, float | None]]:
    rates = [("packets", traffic.totals.packets_per_sec), ("bits", traffic.totals.bits_per_sec)]
    rates += [(str(row.number), row.counts.packets_per_sec) for row in traffic.protocols]
    rates += [
        (f"tcp_flags/{key[0]}", cell.packets_per_sec) for key, cell in traffic.breakdowns.get("tcp_flags", {}).items()
    ]
    return rates


def _mean(values: Sequence[float]) -> float | None:
    total = sum(values)
    if not math.isnan(total):
        return total / len(values) if values else None
    known = [v for v in values if not math.isnan(v)]
    return sum(known) / len(known) if known else None
