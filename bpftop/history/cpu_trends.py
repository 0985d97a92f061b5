"""Packets per second of every CPU over the last ten minutes, in cells of five seconds."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

from bpftop.model.families import PROTOCOLS
from bpftop.model.readings import Reading, pair_readings
from bpftop.model.sample import DIRECTIONS, Direction, Sample, reading_key

CELL_S = 5
CELL_NS = CELL_S * 10**9


class CpuTrends:
    """One rate per CPU and five seconds, not per tick: for 512 CPUs 2 kB and half a millisecond per cell."""

    def __init__(self, keep_ns: int) -> None:
        self._keep_cells = keep_ns // CELL_NS
        self._edges: dict[tuple[str, Direction], Reading] = {}
        self._rates: dict[tuple[str, Direction], dict[int, array[float]]] = {}
        self._cell: int | None = None
        self._zeros = array("f")

    def push(self, sample: Sample) -> None:
        """Add a sample. The first sample of a cell ends the cells before it."""
        cell = sample.mono_ns // CELL_NS
        if cell == self._cell:
            return
        since = max(self._cell if self._cell is not None else cell, cell - self._keep_cells)
        self._cell = cell
        cells = tuple(range(since, cell))  # all rows refer to the same numbers
        for interface in sample.interfaces:
            for direction in DIRECTIONS:
                self._end(sample, interface.label, direction, cells)
        for rates in self._rates.values():
            for old in [c for c in rates if c < cell - self._keep_cells]:
                del rates[old]

    def _end(self, sample: Sample, label: str, direction: Direction, cells: Sequence[int]) -> None:
        """Enter the mean rates since the reading that ended the cell before."""
        row = (label, direction)
        reading = sample.readings.get(reading_key(PROTOCOLS, label, direction))
        edge = self._edges.pop(row, None)
        if reading is None:
            return
        reading = reading.cells or reading
        self._edges[row] = reading.without_cpu_cells()
        pair = pair_readings(edge, reading)
        if pair is None:
            return
        _, gains = pair.cpu_totals(sample.possible_cpus)[0]
        if not reading.keys or len(gains) != sample.possible_cpus:
            return
        seconds = pair.elapsed_ns / 1e9
        rates = array("f", [math.nan if gained is None else gained / seconds for gained in gains])
        if rates == self._zeros:  # of 300 interfaces, most are idle
            rates = self._zeros
        elif not any(rates):
            self._zeros = rates
        self._rates.setdefault(row, {}).update(dict.fromkeys(cells, rates))

    def cells(
        self, labels: Sequence[str], direction: Direction, until_ns: int, cells: int, back: int = 0
    ) -> list[Sequence[float] | None]:
        """Return the ``cells`` that ended before ``until_ns``, without the newest ``back`` of them.

        A cell has the packets per second of every possible CPU, all ``labels`` together; None where they are unknown.
        """
        end = until_ns // CELL_NS - back
        columns: list[Sequence[float] | None] = []
        for cell in range(end - cells, end):
            rates = [self._rates.get((label, direction), {}).get(cell) for label in labels]
            known = [r for r in rates if r is not None]
            if len(known) > 1:
                columns.append([float(sum(cpu_rates)) for cpu_rates in zip(*known, strict=True)])
            else:
                columns.append(known[0] if known else None)
        return columns
