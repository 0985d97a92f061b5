"""Packets per second of every CPU over the last ten minutes, in cells of five seconds."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence

from bpftop.fields import frozen_often
from bpftop.model.families import PROTOCOLS
from bpftop.model.readings import Reading, pair_readings
from bpftop.model.sample import DIRECTIONS, Direction, Sample, reading_key

CELL_S = 5
CELL_NS = CELL_S * 10**9


_CpuRow = tuple[str, Direction]


@frozen_often
class _Cell:
    """The rates of five seconds: per CPU in the rows that moved, and zero on all CPUs in the rows that stood still."""

    moving: Mapping[_CpuRow, array[float]]
    still: frozenset[_CpuRow]
    zeros: array[float]

    def rates(self, row: _CpuRow) -> array[float] | None:
        return self.zeros if row in self.still else self.moving.get(row)


class CpuTrends:
    """One rate per CPU and five seconds, not per tick: for 512 CPUs 2 kB and half a millisecond per cell."""

    def __init__(self, keep_ns: int) -> None:
        self._keep_cells = keep_ns // CELL_NS
        self._edges: dict[_CpuRow, Reading] = {}
        self._cells: dict[int, _Cell] = {}
        self._still: frozenset[_CpuRow] = frozenset()
        self._cell: int | None = None

    def push(self, sample: Sample) -> None:
        """Add a sample. The first sample of a cell ends the cells before it."""
        number = sample.mono_ns // CELL_NS
        if number == self._cell:
            return
        since = max(self._cell if self._cell is not None else number, number - self._keep_cells)
        self._cell = number
        zeros = array("f", bytes(4 * sample.possible_cpus))
        moving: dict[_CpuRow, array[float]] = {}
        still = []
        for interface in sample.interfaces:
            for direction in DIRECTIONS:
                rates = self._end(sample, interface.label, direction)
                if rates is not None and rates != zeros:
                    moving[interface.label, direction] = rates
                elif rates is not None:
                    still.append((interface.label, direction))
        if self._still != set(still):  # else one object for all cells: of 300 interfaces, most are idle
            self._still = frozenset(still)
        self._cells.update(dict.fromkeys(range(since, number), _Cell(moving, self._still, zeros)))
        for old in [each for each in self._cells if each < number - self._keep_cells]:
            del self._cells[old]

    def _end(self, sample: Sample, label: str, direction: Direction) -> array[float] | None:
        """Return the mean rate of every CPU since the reading that ended the cell before; None where it is unknown."""
        row = (label, direction)
        reading = sample.readings.get(reading_key(PROTOCOLS, label, direction))
        edge = self._edges.pop(row, None)
        if reading is None:
            return None
        reading = reading.cells or reading
        self._edges[row] = reading.without_cpu_cells()
        pair = pair_readings(edge, reading)
        if pair is None:
            return None
        _, gains = pair.cpu_totals(sample.possible_cpus)[0]
        if not reading.keys or len(gains) != sample.possible_cpus:
            return None
        seconds = pair.elapsed_ns / 1e9
        return array("f", [math.nan if gained is None else gained / seconds for gained in gains])

    def cells(
        self, labels: Sequence[str], direction: Direction, until_ns: int, cells: int, back: int = 0
    ) -> list[Sequence[float] | None]:
        """Return the ``cells`` that ended before ``until_ns``, without the newest ``back`` of them.

        A cell has the packets per second of every possible CPU, all ``labels`` together; None where they are unknown.
        """
        end = until_ns // CELL_NS - back
        columns: list[Sequence[float] | None] = []
        for cell in range(end - cells, end):
            known_cell = self._cells.get(cell)
            rates = [] if known_cell is None else [known_cell.rates((label, direction)) for label in labels]
            known = [r for r in rates if r is not None]
            if len(known) > 1:
                columns.append([float(sum(cpu_rates)) for cpu_rates in zip(*known, strict=True)])
            else:
                columns.append(known[0] if known else None)
        return columns
