"""Two revisions of the counting programs on the same mutated frames: every cell must be equal.

``python -m tests.bench.equivalence REV [FRAMES]`` builds bpf_objects of the git revision REV in a temporary folder and
runs both programs on FRAMES frames (default 2 000 000, about four minutes), a quarter each as XDP, XDP with fragments,
tc on receive and tc on transmit. Exit code 1: a cell differs; the batch's seed is printed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from array import array
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.percpu_array import COLUMNS, CounterMap, possible_cpus
from bpftop.kernel.build import compile_bpf_object, find_bpf_tools
from tests.bpf.frame import tc_test_run_refuses
from tests.bpf.harness import context
from tests.bpf.reference import Direction, Skb
from tests.bpf.strategies import Batch

ROOT = Path(__file__).resolve().parents[2]
BATCH = 20_000
INSTANCES: tuple[tuple[str, Direction], ...] = (
    ("count_xdp", "rx"), ("count_xdp_frags", "rx"), ("count_tc", "rx"), ("count_tc", "tx"),
)  # fmt: skip

Cells = dict[tuple[str, int], tuple[int, int]]
"""("protocol", number) or ("cell", number of bpftop_fold_breakdowns) -> packets, bytes."""


def main(arguments: list[str]) -> int:
    revision, frames = arguments[0], int(arguments[1]) if len(arguments) > 1 else 2_000_000
    with tempfile.TemporaryDirectory() as folder:
        old_path = built(revision, Path(folder))
        for number, (program, direction) in enumerate(INSTANCES):
            if not equal(str(old_path), program, direction, frames // len(INSTANCES), seed=number << 32):
                return 1
    return 0


def built(revision: str, folder: Path) -> Path:
    """Compile counter.bpf.c of a revision."""
    archive = subprocess.run(["git", "-C", ROOT, "archive", revision, "bpf_objects"], check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    target = folder / "old.bpf.o"
    compile_bpf_object(folder / "bpf_objects" / "counter.bpf.c", target, *find_bpf_tools())
    return target


def equal(old_path: str, program: str, direction: Direction, frames: int, seed: int) -> bool:
    """Run both programs on the frames; print and return whether all cells are equal."""
    constants = {"count_tx": int(direction == "tx"), "link_is_ip": 0}
    with (
        closing(BpfObject("old", program, constants, path=old_path)) as old,
        closing(BpfObject("counter", program, constants)) as new,
    ):
        read_old, read_new = reader(old), reader(new)
        done = 0
        for at in range(0, frames, BATCH):
            batch = Batch(seed + at, min(BATCH, frames - at))
            pairs: list[tuple[bytes, Skb | None]] = (
                [(frame, skb) for frame, skb in batch.skbs(direction) if not tc_test_run_refuses(frame, skb)]
                if program == "count_tc"
                else [(frame, None) for frame in batch.frames()]
            )
            for frame, skb in pairs:
                fields = context(skb) if skb else b""
                old.program.test_run(frame, context=fields)
                new.program.test_run(frame, context=fields)
            done += len(pairs)
            before, after = read_old(), read_new()
            if before != after:
                differing = {cell for cell in before.keys() | after.keys() if before.get(cell) != after.get(cell)}
                print(f"{program} {direction}: {len(differing)} cells differ after {batch}: {sorted(differing)[:5]}")
                return False
        print(f"{program} {direction}: {done} frames, {len(read_new())} cells, all equal", flush=True)
    return True


def reader(loaded: BpfObject) -> Callable[[], Cells]:
    """Return a function that reads all counters of a program: in four large rows, or in the two maps of before."""
    cpus = possible_cpus()
    if "counters" in map_names(loaded):
        counters = CounterMap(loaded.map_fd("counters"), cpus)

        def read() -> Cells:
            values = counters.read()
            protocols = memoryview(values.protocol_numbers).cast("I")
            cells = memoryview(values.cell_numbers).cast("I")
            return {
                **{("protocol", n): _sums(values.protocol_values, at, cpus) for at, n in enumerate(protocols)},
                **{
                    ("cell", n): (values.cell_values[2 * at], values.cell_values[2 * at + 1])
                    for at, n in enumerate(cells)
                },
            }

        return read
    fds = [(loaded.map_fd("protocols"), lib.PROTOCOLS, 1), (loaded.map_fd("breakdowns"), 1, 612)]
    return lambda: {
        (kind, n): cell
        for kind, (fd, rows, width) in zip(("protocol", "cell"), fds, strict=True)
        for n, cell in enumerate(_read_cells(fd, rows, width, cpus))
        if cell != (0, 0)
    }


def map_names(loaded: BpfObject) -> set[str]:
    shown = subprocess.run(
        ["bpftool", "prog", "show", "id", str(loaded.program.prog_id)], check=True, capture_output=True, text=True
    )
    ids = next(line.split("map_ids")[1].split()[0] for line in shown.stdout.splitlines() if "map_ids" in line)
    named = [
        subprocess.run(["bpftool", "map", "show", "id", each], check=True, capture_output=True, text=True).stdout
        for each in ids.split(",")
    ]
    return {line.split("name ")[1].split()[0] for line in named if "name " in line}


def _sums(values: array[int], row: int, cpus: int) -> tuple[int, int]:
    at = row * COLUMNS * cpus
    return sum(values[at : at + cpus]), sum(values[at + cpus : at + 2 * cpus])


def _read_cells(fd: int, rows: int, width: int, cpus: int) -> list[tuple[int, int]]:
    """Row x CPU x cell of the maps of before, summed over the CPUs."""
    row_bytes = width * 16 * cpus
    values = ffi.new("uint64_t[]", rows * row_bytes // 8)
    lib.bpftop_drain(fd, rows, row_bytes, ffi.new("uint32_t[]", rows), values, True)
    words = array("Q", bytes(ffi.buffer(values)))
    return [
        (
            sum(words[((row * cpus + cpu) * width + cell) * 2] for cpu in range(cpus)),
            sum(words[((row * cpus + cpu) * width + cell) * 2 + 1] for cpu in range(cpus)),
        )
        for row in range(rows)
        for cell in range(width)
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
