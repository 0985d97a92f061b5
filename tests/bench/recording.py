"""Cost of a recording: bytes and CPU time per tick, for samples in which everything moves all the time.

``python -m tests.bench.recording`` writes the table of docs/recording.md.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bpftop.history.top_flows import with_top_flows
from bpftop.model.source import RECORDED_FLOWS
from bpftop.store.recording import Recording
from bpftop.store.recording_writer import RecordingLimits, Writer
from tests.bench.figures import Figure
from tests.store.made_up_machine import Machine

TICKS = 960
FIRST_TICK = 50_000
"""Numbers of ticks are as long as in the middle of a day."""

PER_DAY = 86_400
LIMIT_GIB, LIMIT_FLOWS_GIB = 1.05, 1.2
"""Limits of a day on the largest machine, without and with flows; every counter moves in every tick."""


class Taken(NamedTuple):
    cpus: int
    bytes_per_tick: float
    with_cells: float
    write_ms: float
    read_ms: float

    @property
    def gib_per_day(self) -> float:
        return self.bytes_per_tick * PER_DAY / 2**30


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    say("recording: the size of a day")
    for cpus, flows, limit in ((16, 0, None), (128, 0, LIMIT_GIB), (128, RECORDED_FLOWS, LIMIT_FLOWS_GIB)):
        taken = recorded(cpus, flows=flows)
        with_flows = f" and the {flows} busiest flows" if flows else ""
        how = f"made-up samples of all families, 20 protocols on all CPUs, 1 s; {taken.with_cells:.0%} with every CPU"
        yield Figure("recording", f"24 h, {cpus} CPUs{with_flows}", taken.gib_per_day, "GiB", limit, how)
        yield Figure("recording", f"writing a tick, {cpus} CPUs{with_flows}", taken.write_ms, "ms", None, "CPU time")
        yield Figure("recording", f"reading a tick, {cpus} CPUs{with_flows}", taken.read_ms, "ms", None, "CPU time")


def recorded(cpus: int, ticks: int = TICKS, flows: int = 0) -> Taken:
    """Record made-up samples. ``flows``: the busiest flows of each direction that are kept, as `bpftop record` does."""
    with tempfile.TemporaryDirectory(prefix="bpftop-bench-") as folder:
        path = os.path.join(folder, "a")
        Writer(path, RecordingLimits()).close()
        with sqlite3.connect(path) as connection:
            connection.execute("INSERT INTO ticks VALUES (?, 0, 0, NULL, 0, 0)", (FIRST_TICK,))
        writer, spent_ns, sizes = Writer(path, RecordingLimits()), 0, []
        for sample in Machine(cpus, flows=flows > 0).samples(ticks):
            begin_ns = time.process_time_ns()
            writer.write([(with_top_flows(sample, flows) if flows else sample, 0)])
            spent_ns += time.process_time_ns() - begin_ns
            if sample.seq in (ticks // 2 - 1, ticks - 1):  # what a file begins with is left out
                sizes.append(_bytes(path))
        writer.close()
        with sqlite3.connect(path) as connection:
            with_cells = connection.execute("SELECT count(cells) * 1.0 / count(*) FROM frames").fetchone()[0]
        per_tick = (sizes[1] - sizes[0]) / (ticks - ticks // 2)
        return Taken(cpus, per_tick, with_cells, spent_ns / ticks / 1e6, _reading_ms(path, ticks))


def _bytes(path: str) -> int:
    with sqlite3.connect(path) as connection:
        count, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return int(count * size)


def _reading_ms(path: str, ticks: int) -> float:
    recording = Recording(path)
    begin_ns = time.process_time_ns()
    read = sum(1 for _ in recording.ticks(FIRST_TICK + 1, FIRST_TICK + ticks))
    spent_ns = time.process_time_ns() - begin_ns
    recording.close()
    return spent_ns / read / 1e6


def _print_table() -> None:
    print("| CPUs | per tick | 24 h at 1 s | ticks with every CPU | CPU time to write one | to read one |")
    print("|---|---|---|---|---|---|")
    for cpus in (4, 16, 32, 128):
        taken = recorded(cpus)
        print(
            f"| {cpus} | {taken.bytes_per_tick / 1000:.1f} kB | {taken.gib_per_day:.2f} GiB | {taken.with_cells:.0%} "
            f"| {taken.write_ms:.1f} ms | {taken.read_ms:.1f} ms |"
        )


if __name__ == "__main__":
    _print_table()
