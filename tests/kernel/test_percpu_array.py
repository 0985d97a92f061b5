"""Reading the counters: by one batch call, or row by row."""

from __future__ import annotations

from contextlib import closing
from random import Random
from typing import Any

import pytest

from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.errors import ENOTSUPP
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf import percpu_array as maps

FRAME = bytes(12) + b"\x08\x06" + bytes(46)


@pytest.mark.bpf
def test_single_lookups_equal_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels before 5.13 answer a batch on a per-CPU array with ENOTSUPP."""
    real = lib.bpftop_drain
    with closing(PacketCounter("count_xdp", "rx")) as counter:
        counter.program.test_run(FRAME, 7)
        by_batch = counter.read("v0", 1)
        assert counter.batch

        class Old:
            def __getattr__(self, name: str) -> object:
                return getattr(lib, name)

            def bpftop_drain(self, *arguments: object) -> int:
                return -ENOTSUPP if arguments[-1] else int(real(*arguments))

        monkeypatch.setattr(maps, "lib", Old())
        one_by_one = counter.read("v0", 1)
        assert not counter.batch
    assert {n: (r.keys, r.values) for n, r in one_by_one.items()} == {
        n: (r.keys, r.values) for n, r in by_batch.items()
    }


class FilledCounters(maps.CounterMap):
    """Rows of random cells in place of the kernel's."""

    def __init__(self, cpus: int, seed: int) -> None:
        super().__init__(-1, cpus)
        self.rows = ffi.new("struct counter_row[]", lib.COUNTER_ROWS * cpus)
        dice = Random(seed)
        for row in self.rows:
            for number in dice.sample(range(lib.ROW_CELLS), 20):
                row.cells[number].packets, row.cells[number].bytes = dice.getrandbits(40), dice.getrandbits(50)
        for cpu in range(cpus):  # there are no such protocols
            for number in range(lib.PROTOCOLS, lib.ROW_CELLS):
                self.cell(lib.ROW_PROTOCOLS, cpu, number)[0:2] = [0, 0]

    def _read_rows(self) -> Any:
        copy = ffi.new("struct counter_row[]", len(self.rows))
        ffi.memmove(copy, self.rows, ffi.sizeof(copy))
        return copy

    def cell(self, row: int, cpu: int, number: int) -> Any:
        return ffi.cast("uint64_t(*)[2]", ffi.addressof(self.rows[row * self._cpus + cpu].cells[number]))[0]


@pytest.mark.parametrize("cpus", [1, 2, 7, 512])
def test_plain_frames_are_added_to_all_their_cells(cpus: int) -> None:
    """The fold against the same sums in Python: protocols per CPU, all other cells over all CPUs."""
    counters = FilledCounters(cpus, seed=cpus)
    protocols: dict[int, list[list[int]]] = {
        number: [list(counters.cell(lib.ROW_PROTOCOLS, cpu, number)) for cpu in range(cpus)]
        for number in range(lib.PROTOCOLS)
    }
    first = lib.PLAIN_L3_CLASSES * lib.PLAIN_CLASSES * lib.SIZE_BINS
    common = lib.ROW_CELLS - first
    cells = [[0, 0] for _ in range(common + 2 * lib.ICMP_TYPES)]

    def add(to: list[int], values: Any) -> None:
        to[0], to[1] = to[0] + values[0], to[1] + values[1]

    for cpu in range(cpus):
        for number in range(common):
            add(cells[number], counters.cell(lib.ROW_COMMON, cpu, first + number))
        for row, start in ((lib.ROW_ICMP, common), (lib.ROW_ICMPV6, common + lib.ICMP_TYPES)):
            for number in range(lib.ICMP_TYPES):
                add(cells[start + number], counters.cell(row, cpu, number))
        for number in range(first):
            values = counters.cell(lib.ROW_COMMON, cpu, number)
            version, rest = divmod(number, lib.PLAIN_CLASSES * lib.SIZE_BINS)
            kind, size = divmod(rest, lib.SIZE_BINS)
            add(cells[version * lib.CASTS * lib.SIZE_BINS + size], values)  # unicast is the first cast
            flags = lib.L3_CLASSES * lib.CASTS * lib.SIZE_BINS
            if kind < lib.PLAIN_UDP:
                add(cells[flags + kind], values)
            elif lib.PLAIN_UDP < kind < lib.PLAIN_ICMP:
                add(cells[flags + lib.TCP_CLASSES + kind - lib.PLAIN_UDP - 1], values)
            protocol = 6 if kind < lib.PLAIN_UDP else 17 if kind < lib.PLAIN_ICMP else (1, 58)[version]
            add(protocols[protocol][cpu], values)

    count = counters.read()
    active = [number for number, each in protocols.items() if any(packets for packets, _ in each)]
    assert list(memoryview(count.protocol_numbers).cast("I")) == active
    assert list(count.protocol_values) == [v[column] for n in active for column in (0, 1) for v in protocols[n]]
    active = [number for number, cell in enumerate(cells) if cell[0]]
    assert list(memoryview(count.cell_numbers).cast("I")) == active
    assert list(count.cell_values) == [value for number in active for value in cells[number]]
