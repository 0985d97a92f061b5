"""Totals of every stage of the path since watching began, tick by tick, and the trends taken from them."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from bpftop.model.readings import Reading, ReadingPair, pair_readings
from bpftop.model.sample import reading_key
from bpftop.model.snapshot import Snapshot
from bpftop.model.stages import STAGES, LossGroup, Stage, stage_gained

StageRow = tuple[str, str]
"""Interface label (empty for stages of the namespace or the host), id of the stage."""

FORGET_TICKS = 64
"""Old ticks are dropped in blocks: deleting from the front of an array moves the whole array."""

_CELL_MAX = (1 << 63) - 1
"""The largest value of a signed 64-bit cell: a sample from standard input may hold larger counters."""


_NO_TICKS = array("q")


class _Row:
    """The total of one stage, and how many ns of it are known.

    ``totals`` and ``known_ns`` hold a value per tick from the first gain on, or from the first unknown tick after a
    known one. Most stages never gain anything, and for them ``known_from_ns`` is enough: on 300 interfaces there are
    4 000 rows.
    """

    __slots__ = ("known_from_ns", "known_ns", "total", "total_known_ns", "totals")

    def __init__(self) -> None:
        self.known_from_ns: int | None = None
        self.total = self.total_known_ns = 0
        self.totals = self.known_ns = _NO_TICKS


class StageTotals:
    """``times_ns`` has the CLOCK_MONOTONIC time of every tick that is kept.

    A push takes 0.1 ms with one interface, and memory does not grow with the number of CPUs: a stage is a sum. A gain
    over ticks that could not be read counts in the next tick that can be read, if the epoch is the same.
    """

    def __init__(self) -> None:
        self.times_ns = array("q")
        self._last: dict[str, Reading] = {}
        self._rows: dict[StageRow, _Row] = {}
        self._tracked_connections = array("d")
        self._peaks: dict[LossGroup, list[tuple[float, int]]] = {}  # each greater than the peaks before it

    def push(self, snapshot: Snapshot) -> None:
        """Add the gains of one tick."""
        self.times_ns.append(snapshot.mono_ns)
        pairs: dict[str, ReadingPair | None] = {}
        gains: list[tuple[Stage, tuple[int, int]]] = []

        def pair_of(family: str, label: str) -> ReadingPair | None:
            name = reading_key(family, label) if label else family
            if name not in pairs:
                pairs[name] = self._pair(snapshot, name)
            return pairs[name]

        def add(stage: Stage, label: str) -> None:
            gain = stage_gained(stage, label, pair_of)
            self._add((label, stage.id), gain)
            if gain is not None and gain[0]:
                gains.append((stage, gain))

        def rests(stage: Stage, label: str) -> bool:
            """Return True if a stage that was known and never gained anything is so still: most stages, cheaply."""
            return not stage.within and all(each.rests(label, pair_of(each.family, label)) for each in stage.counters)

        labels = [interface.label for interface in snapshot.interfaces]
        for stage in STAGES:
            for label in labels if stage.scope == "interface" else ("",):
                if not (self._is_calm((label, stage.id)) and rests(stage, label)):
                    add(stage, label)
        self._note_peaks(snapshot.mono_ns, gains)
        for row in self._rows.values():
            if row.totals:
                row.totals.append(min(row.total, _CELL_MAX))
                row.known_ns.append(min(row.total_known_ns, _CELL_MAX))
        conntrack = snapshot.reading("conntrack")
        entries = conntrack.value((), "entries") if conntrack is not None else None
        self._tracked_connections.append(math.nan if entries is None else entries)

    def forget(self, oldest_ns: int) -> None:
        """Drop ticks before ``oldest_ns``, but never the newest tick."""
        count = min(bisect_left(self.times_ns, oldest_ns), len(self.times_ns) - 1)
        if count < FORGET_TICKS:
            return
        del self.times_ns[:count], self._tracked_connections[:count]
        for row in self._rows.values():
            if row.totals:
                del row.totals[:count], row.known_ns[:count]

    def since_start(self, row: StageRow, until_ns: int) -> int | None:
        """Return the gain of a stage from the start until a moment; None where the stage was not known until then."""
        cells = self._rows.get(row)
        if cells is None or cells.known_from_ns is None or cells.known_from_ns >= until_ns:
            return None
        return cells.totals[self._index(until_ns)] if cells.totals else 0

    def stands_still(self, row: StageRow, until_ns: int) -> bool:
        """Return True if a stage was known in every tick until a moment, and never gained anything."""
        cells = self._rows.get(row)
        return cells is not None and not cells.totals and (cells.known_from_ns or until_ns) < until_ns

    def since(self, row: StageRow, from_ns: int, until_ns: int) -> int | None:
        """Return the gain of a stage between two moments, as far back as ticks are kept."""
        total = self.since_start(row, until_ns)
        totals = self._rows[row].totals if total is not None else ()
        return total - totals[max(0, self._index(from_ns))] if total is not None and len(totals) else total

    def totals(self, until_ns: int) -> dict[StageRow, int]:
        """Return the total of every stage that is known at a moment."""
        totals = {row: self.since_start(row, until_ns) for row in self._rows}
        return {row: total for row, total in totals.items() if total is not None}

    def loss_peaks(self, until_ns: int) -> dict[LossGroup, tuple[float, int]]:
        """Return the largest sum of each group in a tick until a moment: per second over all interfaces, and its time.

        A group that had lost nothing until then has no entry.
        """
        newest = {
            group: next(peak for peak in reversed(peaks) if peak[1] <= until_ns) for group, peaks in self._peaks.items()
        }
        return {group: peak for group, peak in newest.items() if peak[0]}

    def means(self, row: StageRow, ranges: Sequence[tuple[int, int]]) -> list[float | None]:
        """Return the mean gain per second in each range of ticks; None where it is unknown."""
        cells = self._rows.get(row)
        if cells is None or cells.known_from_ns is None:
            return [None] * len(ranges)
        if cells.totals:
            return [_rate(cells, max(0, a - 1), b - 1) if b > max(1, a) else None for a, b in ranges]
        known = bisect_right(self.times_ns, cells.known_from_ns)
        return [0.0 if b > max(a, known) else None for a, b in ranges]

    def peak(self, rows: Iterable[StageRow], until_ns: int) -> tuple[float, int] | None:
        """Return the highest gain per second of a tick that is kept, the rows added up, and the time of that tick.

        None where no row has gained anything.
        """
        ticks = self._index(until_ns) + 1
        moving = [row for key in rows if (row := self._rows.get(key)) is not None and row.totals]
        if not moving or ticks < 2:
            return None
        sums = [sum(_rate(row, tick - 1, tick) or 0.0 for row in moving) for tick in range(1, ticks)]
        highest = max(sums)
        return (highest, self.times_ns[sums.index(highest) + 1]) if highest > 0 else None

    def tracked_growth(self, until_ns: int, seconds: float = 10.0) -> float | None:
        """Return how many more connections conntrack holds per second, over ``seconds``; None where unknown."""
        last = self._index(until_ns)
        first = max(0, bisect_right(self.times_ns, until_ns - int(seconds * 1e9)) - 1)
        if last <= first:
            return None
        gained = self._tracked_connections[last] - self._tracked_connections[first]
        return None if math.isnan(gained) else gained * 1e9 / (self.times_ns[last] - self.times_ns[first])

    def _note_peaks(self, mono_ns: int, gains: Iterable[tuple[Stage, tuple[int, int]]]) -> None:
        sums: dict[LossGroup, float] = {}
        for stage, (gained, elapsed_ns) in gains:
            if stage.group is not None and elapsed_ns:
                rate = gained * 1e9 / elapsed_ns
                sums[stage.group] = sums.get(stage.group, 0.0) + rate
                if stage.within:  # else the host's counter would count it too
                    sums["elsewhere"] = sums.get("elsewhere", 0.0) - rate
        for group, rate in sums.items():
            peaks = self._peaks.setdefault(group, [(0.0, 0)])
            if rate > peaks[-1][0]:
                peaks.append((rate, mono_ns))

    def _index(self, until_ns: int) -> int:
        return bisect_right(self.times_ns, until_ns) - 1

    def _pair(self, snapshot: Snapshot, name: str) -> ReadingPair | None:
        """Pair the reading of this tick with the last one that could be read."""
        rated = snapshot.readings.get(name)
        if rated is None:
            return None
        after = rated.reading
        before = self._last.get(name) or after.previous  # a tracepoint's first reading knows when it was attached
        self._last[name] = after
        pair = rated.pair
        return pair if pair is not None and pair.before is before else pair_readings(before, after)

    def _is_calm(self, key: StageRow) -> bool:
        """Return True if a gain of nothing changes nothing: the stage is known, and never gained anything."""
        row = self._rows.get(key)
        return row is not None and row.known_from_ns is not None and not row.totals

    def _add(self, key: StageRow, gain: tuple[int, int] | None) -> None:
        """Add a gain and the ns that it took; None: unknown."""
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = _Row()
        if row.known_from_ns is not None and not row.totals and len(self.times_ns) > 1:  # calm ticks were left out
            row.total_known_ns = max(0, self.times_ns[-2] - row.known_from_ns)
        if gain is None:
            if row.known_from_ns is not None and not row.totals:
                self._begin(row)
            return
        gained, elapsed_ns = gain
        if row.known_from_ns is None:
            row.known_from_ns = self.times_ns[-1] - elapsed_ns
        if gained and not row.totals:
            self._begin(row)
        row.total += gained
        row.total_known_ns = (
            row.total_known_ns + elapsed_ns if row.totals else max(0, self.times_ns[-1] - row.known_from_ns)
        )

    def _begin(self, row: _Row) -> None:
        """Fill in the ticks until now: nothing was gained, and the stage is known since ``known_from_ns``."""
        assert row.known_from_ns is not None
        known_from_ns = row.known_from_ns
        row.totals = array("q", bytes(8 * (len(self.times_ns) - 1)))
        row.known_ns = array("q", [max(0, time_ns - known_from_ns) for time_ns in self.times_ns[:-1]])


def _rate(row: _Row, first: int, last: int) -> float | None:
    known_ns = row.known_ns[last] - row.known_ns[first]
    return (row.totals[last] - row.totals[first]) * 1e9 / known_ns if known_ns > 0 else None
