"""Packets per second of every CPU over the last ten minutes, in cells of five seconds."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence

from bpftop.model.sample import DIRECTIONS, Direction, Reading, Sample, reading_key

CELL_S = 5
_CELL_NS = CELL_S * 10**9

Edge = tuple[int, int, list[int]]
"""read_ns, epoch, packets of every possible CPU."""


class CpuTrends:
    """One value per CPU and five seconds, and not per tick: 512 CPUs need 2 kB and half a millisecond per cell."""

    def __init__(self, kept_ns: int) -> None:
        self._kept = kept_ns // _CELL_NS
        self._edges: dict[tuple[str, Direction], Edge] = {}
        self._cells: dict[tuple[str, Direction], dict[int, array[float]]] = {}
        self._cell: int | None = None

    def push(self, sample: Sample) -> None:
        """The first sample of a cell ends the cells before it."""
        cell = sample.mono_ns // _CELL_NS
        if cell == self._cell:
            return
        since = max(self._cell if self._cell is not None else cell, cell - self._kept)
        self._cell = cell
        for interface in sample.interfaces:
            for direction in DIRECTIONS:
                self._end(interface.label, direction, sample.readings, range(since, cell))
        for cells in self._cells.values():
            for old in [c for c in cells if c < cell - self._kept]:
                del cells[old]

    def _end(self, label: str, direction: Direction, readings: Mapping[str, Reading], ended: range) -> None:
        where = (label, direction)
        reading = readings.get(reading_key("protocols", label, direction))
        before = self._edges.pop(where, None)
        if reading is None:
            return
        reading = reading.cells or reading
        after = self._edges[where] = (reading.read_ns, reading.epoch, reading.cpu_totals[0] if reading.keys else [])
        if before is None or before[1] != after[1] or before[0] >= after[0]:
            return
        earlier = before[2] or [0] * len(after[2])  # a reading without a row: nothing was counted yet
        if len(earlier) != len(after[2]):
            return
        seconds = (after[0] - before[0]) / 1e9
        pairs = zip(earlier, after[2], strict=True)
        rates = array("f", [(b - a) / seconds if b >= a else math.nan for a, b in pairs])
        self._cells.setdefault(where, {}).update(dict.fromkeys(ended, rates))

    def cells(
        self, labels: Sequence[str], direction: Direction, until_ns: int, cells: int, back: int = 0
    ) -> list[Sequence[float] | None]:
        """For each of the ``cells`` that ended before ``until_ns``: packets per second of every possible CPU, of these
        interfaces together; None where that is not known. ``back``: without the newest so many cells."""
        last = until_ns // _CELL_NS - back
        found: list[Sequence[float] | None] = []
        for cell in range(last - cells, last):
            parts = [self._cells.get((label, direction), {}).get(cell) for label in labels]
            known = [part for part in parts if part]  # one without CPUs is of an interface that has counted nothing
            if len(known) > 1:
                found.append([float(sum(column)) for column in zip(*known, strict=True)])
            else:
                found.append(known[0] if known else None)
        return found
