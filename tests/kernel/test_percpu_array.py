"""The counters as they are read: by one batch call, or row by row."""

from __future__ import annotations

from array import array
from contextlib import closing
from random import Random

import pytest

from bpftop.collect.bpf.traffic import PacketCounter
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf import percpu_array as maps
from bpftop.kernel.check import ENOTSUPP

ROWS, COLUMNS = 264, 2
FRAME = bytes(12) + b"\x08\x06" + bytes(46)


@pytest.mark.bpf
def test_single_lookups_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on kernels before 5.13, whose per-CPU arrays answer a batch with ENOTSUPP."""
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


@pytest.mark.parametrize("cpus", [1, 2, 7, 512])
def test_folding(cpus: int) -> None:
    dice = Random(cpus)
    rows = 40
    values = [dice.choice((0, 0, dice.getrandbits(50))) * (row % 3 > 0) for row in range(rows) for _ in range(cpus * 2)]
    source, out, active = ffi.new("uint64_t[]", values), ffi.new("uint64_t[]", len(values)), ffi.new("uint32_t[]", rows)
    found = lib.bpftop_fold_rows(source, rows, cpus, COLUMNS, out, active)
    cells = [values[row * cpus * 2 : (row + 1) * cpus * 2] for row in range(rows)]
    expected = [row for row in range(rows) if any(cells[row])]
    assert list(active)[:found] == expected
    assert list(out)[: found * cpus * 2] == [v for row in expected for c in (0, 1) for v in cells[row][c::2]]
    found = lib.bpftop_fold_cells(source, rows, cpus, COLUMNS, out, active)
    sums = array("Q", [sum(values[at :: rows * 2]) for at in range(rows * 2)])
    expected = [cell for cell in range(rows) if sums[2 * cell] or sums[2 * cell + 1]]
    assert list(active)[:found] == expected
    assert list(out)[: found * 2] == [sums[2 * cell + c] for cell in expected for c in (0, 1)]
