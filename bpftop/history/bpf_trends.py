"""Runs and time of every BPF program, and entries of every BPF map, over the last ten minutes, in cells of 5 s."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import chain

from bpftop.fields import frozen
from bpftop.history.cpu_trends import CELL_NS
from bpftop.model.readings import Reading
from bpftop.model.sample import Sample
from bpftop.model.snapshot import Snapshot


@frozen
class ProgramRuns:
    """Mean rates of a program; ``ns_per_sec`` is its time without the time that run statistics add."""

    runs_per_sec: float
    ns_per_sec: float

    @property
    def cpu_pct(self) -> float:
        return self.ns_per_sec / 1e7

    @property
    def ns_per_run(self) -> float | None:
        return self.ns_per_sec / self.runs_per_sec if self.runs_per_sec else None


_IDLE = ProgramRuns(0.0, 0.0)


@frozen
class BpfMoment:
    """All objects at one moment: id of a program -> percent of one CPU, id of a map -> entries; None: not known.

    A program that did not run, or an empty map, has no entry.
    """

    cpu_pct: Mapping[int, float] | None = None
    entries: Mapping[int, float] | None = None


@frozen
class _Counts:
    """Counters of all programs at one reading: id -> runs, and nanoseconds without the time that statistics add."""

    read_ns: int
    of_programs: Mapping[int, tuple[int, float]]


class _Cells:
    """Numbers per object and cell, as arrays: a thousand objects over ten minutes take some 2 MB."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._cells: dict[int, tuple[array[int], array[float]]] = {}

    def enter(self, cells: Iterable[int], rows: Mapping[int, tuple[float, ...]]) -> None:
        """Store the rows, id -> numbers, in these cells."""
        ids = sorted(rows)
        stored = array("I", ids), array("d", chain.from_iterable(rows[each] for each in ids))
        self._cells.update(dict.fromkeys(cells, stored))

    def forget(self, before: int) -> None:
        """Remove the cells before this one."""
        for old in [cell for cell in self._cells if cell < before]:
            del self._cells[old]

    def row(self, cell: int, object_id: int) -> tuple[float, ...] | None:
        """Return the numbers of an object, empty without a row; None for a cell that nothing is known of."""
        if cell not in self._cells:
            return None
        ids, numbers = self._cells[cell]
        at = bisect_left(ids, object_id)
        if at == len(ids) or ids[at] != object_id:
            return ()
        return tuple(numbers[at * self._width : (at + 1) * self._width])

    def rows(self, cell: int) -> dict[int, tuple[float, ...]] | None:
        """Return id -> numbers of a cell; None for a cell that nothing is known of."""
        if cell not in self._cells:
            return None
        ids, numbers = self._cells[cell]
        width = self._width
        return {each: tuple(numbers[at * width : (at + 1) * width]) for at, each in enumerate(ids)}


class BpfTrends:
    """Trends of the objects that samples have readings of: while pane 5 or 6 is open, or in a recording."""

    def __init__(self, keep_ns: int) -> None:
        self._keep_cells = keep_ns // CELL_NS
        self._runs, self._entries = _Cells(2), _Cells(1)
        self._edge: _Counts | None = None
        self._cell: int | None = None

    def push(self, sample: Sample) -> None:
        """Add a sample. The first sample of a cell ends the cells before it."""
        programs, maps = sample.readings.get("bpf_programs"), sample.readings.get("bpf_maps")
        cell = sample.mono_ns // CELL_NS
        if programs is None:  # statistics may have been off meanwhile: no mean across the gap
            self._edge = self._cell = None
            return
        if cell == self._cell:
            return
        since = max(self._cell if self._cell is not None else cell, cell - self._keep_cells)
        if self._edge is None or programs.read_ns > self._edge.read_ns:
            self._end_runs(_counts(programs, sample.readings.get("bpf_statistics")), range(since, cell))
            self._cell = cell
        if maps is not None:
            rows = {_id(maps, row): (float(used),) for row in range(len(maps.keys)) if (used := maps.cell(row, 0))}
            self._entries.enter([cell], rows)
        for kept in (self._runs, self._entries):
            kept.forget(cell - self._keep_cells)

    def _end_runs(self, counts: _Counts | None, cells: range) -> None:
        edge, self._edge = self._edge, counts
        if edge is None or counts is None:
            return
        seconds = (counts.read_ns - edge.read_ns) / 1e9
        rows = {}
        for prog_id, (runs, time_ns) in counts.of_programs.items():
            before_runs, before_ns = edge.of_programs.get(prog_id, (runs, time_ns))
            if runs > before_runs:
                rows[prog_id] = (runs - before_runs) / seconds, max(0.0, time_ns - before_ns) / seconds
        self._runs.enter(cells, rows)

    def program(self, prog_id: int, until_ns: int, cells: int, back: int = 0) -> list[ProgramRuns | None]:
        """Return the ``cells`` that ended before ``until_ns``, without the newest ``back`` of them; None: unknown."""
        end = until_ns // CELL_NS - back
        rows = (self._runs.row(cell, prog_id) for cell in range(end - cells, end))
        return [None if row is None else ProgramRuns(*row) if row else _IDLE for row in rows]

    def entries(self, map_id: int, at_ns: int) -> float | None:
        """Return the entries of a map at a time; None where they were not counted."""
        row = self._entries.row(at_ns // CELL_NS, map_id)
        return None if row is None else row[0] if row else 0.0

    def moment(self, snapshot: Snapshot) -> BpfMoment:
        """Return all objects at a snapshot, for a mark that outlives these trends: mean rates, and entries."""
        runs = self._runs.rows(snapshot.mono_ns // CELL_NS - 1)
        maps = snapshot.reading("bpf_maps")
        return BpfMoment(
            None if runs is None else {prog_id: ProgramRuns(*row).cpu_pct for prog_id, row in runs.items()},
            None if maps is None else {int(key[0]): used for key in maps.keys if (used := maps.value(key, "entries"))},
        )


def _counts(programs: Reading, statistics: Reading | None) -> _Counts | None:
    """Return the counters of a reading; None while run statistics are off, as counters then stand still."""
    if statistics is None or not statistics.cell(0, 0):
        return None
    added_ns = (statistics.cell(0, 1) or 0) / 1000
    of_programs = {}
    for row in range(len(programs.keys)):
        runs, time_ns = programs.cell(row, 0) or 0, programs.cell(row, 1) or 0
        of_programs[_id(programs, row)] = runs, time_ns - runs * added_ns
    return _Counts(programs.read_ns, of_programs)


def _id(reading: Reading, row: int) -> int:
    return int(reading.keys[row][0])
