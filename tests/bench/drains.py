"""Per-CPU maps that no kernel filled: the real buffers and the real fold, for any number of CPUs."""

from __future__ import annotations

from array import array

from bpftop.collect.traffic import BREAKDOWN_CELLS
from bpftop.kernel._libbpf import ffi
from bpftop.kernel.map import CellsDrain, RowsDrain
from bpftop.model import protocols

COLUMNS = 2  # packets, bytes
ROWS = protocols.MALFORMED + 1


class MadeUpRows(RowsDrain):
    """Rows of which ``active`` hold counts of every CPU."""

    def __init__(self, rows: int, active: int, cpus: int) -> None:
        super().__init__(-1, rows, COLUMNS, cpus)
        counts = array("Q", range(1, cpus * COLUMNS + 1)).tobytes()
        for row in range(rows):
            counted = row * active // rows != (row - 1) * active // rows
            ffi.buffer(self._values + row * cpus * COLUMNS, len(counts))[:] = counts if counted else bytes(len(counts))

    def _read(self) -> None:
        """The values stay as they are."""


class MadeUpCells(CellsDrain):
    """A breakdown that counted nothing on any CPU, but was read as a whole."""

    def __init__(self, cpus: int) -> None:
        super().__init__(-1, len(BREAKDOWN_CELLS), COLUMNS, cpus)
        row = bytes(len(BREAKDOWN_CELLS) * COLUMNS * 8)
        for cpu in range(cpus):
            ffi.buffer(self._values + cpu * len(BREAKDOWN_CELLS) * COLUMNS, len(row))[:] = row

    def _read(self) -> None:
        """The values stay as they are."""


def both_directions(cpus: int) -> list[MadeUpRows | MadeUpCells]:
    """What the counters of one interface keep in memory between two reads on a machine with so many CPUs."""
    return [drain for _ in ("rx", "tx") for drain in (MadeUpRows(ROWS, 15, cpus), MadeUpCells(cpus))]
