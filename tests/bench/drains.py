"""Counters that no kernel filled: the real buffers and the real fold, for any number of CPUs."""

from __future__ import annotations

import mmap
from typing import Any

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.percpu_array import CounterMap, _read_buffer


class MadeUpCounters(CounterMap):
    """The map of a machine of ``cpus`` CPUs, of which each has counted ``protocols`` protocols."""

    def __init__(self, cpus: int, protocols: int) -> None:
        super().__init__(-1, cpus)
        self._made_up = ffi.new("struct counter_row[]", lib.COUNTER_ROWS * cpus)
        for cpu in range(cpus):
            for number in range(protocols):
                cell = self._made_up[lib.ROW_PROTOCOLS * cpus + cpu].cells[number]
                cell.packets, cell.bytes = cpu + 1, 64 * (cpu + 1)

    def _read_rows(self) -> Any:
        return self._made_up


class IdleCounters(CounterMap):
    """A map that counted nothing, read into the place where all maps are read to."""

    def __init__(self, cpus: int) -> None:
        super().__init__(-1, cpus)

    def _read_rows(self) -> Any:
        """Write one cell of every page of the buffer, which the kernel does when it copies rows."""
        size_bytes = lib.COUNTER_ROWS * self._cpus * ffi.sizeof("struct counter_row")
        values = _read_buffer.values(size_bytes)
        for at in range(0, size_bytes, mmap.PAGESIZE):
            values[at // 8] = 0
        return ffi.cast("struct counter_row *", values)


def both_directions(cpus: int) -> list[IdleCounters]:
    """Return what one interface's counters keep in memory between two reads, on a machine of ``cpus`` CPUs."""
    return [IdleCounters(cpus), IdleCounters(cpus)]
