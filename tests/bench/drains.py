"""Per-CPU maps that no kernel filled: the real buffers and the real fold, for any number of CPUs."""

from __future__ import annotations

import mmap
from array import array
from typing import Any

from bpftop.collect.bpf.traffic import BREAKDOWN_CELLS
from bpftop.kernel._libbpf import ffi
from bpftop.kernel.bpf.percpu_array import CellsDrain, RowsDrain, _read_buffer
from bpftop.model import protocols

COLUMNS = 2  # packets, bytes
ROWS = protocols.MALFORMED + 1


class MadeUpRows(RowsDrain):
    """Rows of which ``active`` hold counts of every CPU."""

    def __init__(self, rows: int, active: int, cpus: int) -> None:
        super().__init__(-1, rows, COLUMNS, cpus)
        counts = array("Q", range(1, cpus * COLUMNS + 1)).tobytes()
        self._made_up = ffi.new("uint64_t[]", rows * cpus * COLUMNS)
        for row in range(rows):
            counted = row * active // rows != (row - 1) * active // rows
            ffi.buffer(self._made_up + row * cpus * COLUMNS, len(counts))[:] = counts if counted else bytes(len(counts))

    def _read(self) -> Any:
        return self._made_up


class IdleRows(RowsDrain):
    """Rows that counted nothing, read into the place where all maps are read to."""

    def _read(self) -> Any:
        return _written(self._rows * self._row_bytes)


class IdleCells(CellsDrain):
    """The same for a breakdown."""

    def _read(self) -> Any:
        return _written(self._row_bytes)


def _written(size_bytes: int) -> Any:
    """Every page is written, as the kernel does it."""
    values = _read_buffer.values(size_bytes)
    for at in range(0, size_bytes, mmap.PAGESIZE):
        values[at // 8] = 0
    return values


def both_directions(cpus: int) -> list[IdleRows | IdleCells]:
    """What the counters of one interface keep in memory between two reads on a machine with so many CPUs."""
    drains: list[IdleRows | IdleCells] = []
    for _ in ("rx", "tx"):
        drains += [IdleRows(-1, ROWS, COLUMNS, cpus), IdleCells(-1, len(BREAKDOWN_CELLS), COLUMNS, cpus)]
    return drains
