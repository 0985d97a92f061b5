"""What each CPU spent its time on: /proc/stat. Machine-wide, a line per online CPU, in ticks of 1 / SC_CLK_TCK s.

user and nice hold the time of guests, which the kernel repeats in columns of their own (fs/proc/stat.c).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from bpftop.collect.collector import ReadingBuilder
from bpftop.collect.procfs.per_cpu_files import understood
from bpftop.collect.procfs.tree import Tree
from bpftop.model.families import FAMILIES
from bpftop.model.sample import Interface, Key, Reading, reading_key

WHAT = "CPU times"
_COLUMNS = len(FAMILIES["cpu_times"].columns)


class CpuTimes:
    name = "cpu_times"

    def __init__(self, tree: Tree, ticks_per_sec: int | None = None) -> None:
        self._tree = tree
        self._tick_ns = 10**9 // (ticks_per_sec or os.sysconf("SC_CLK_TCK"))
        self._rows = ReadingBuilder("cpu_times")

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Family cpu_times. Raises Unavailable."""
        begin_ns = time.monotonic_ns()
        text = self._tree.text(self._tree.proc / "stat", WHAT)
        read_ns = time.monotonic_ns()
        tick_ns = self._tick_ns
        rows: dict[Key, list[int]] = {}
        with understood(WHAT, "/proc/stat"):
            for line in text.splitlines()[1:]:  # the first is the sum of all CPUs
                if not line.startswith("cpu"):
                    break
                name, *ticks = line.split(None, _COLUMNS + 1)[: _COLUMNS + 1]
                if len(ticks) != _COLUMNS:
                    raise ValueError(f"{name} has {len(ticks)} times")
                rows[(int(name[3:]),)] = [int(count) * tick_ns for count in ticks]
            if not rows:
                raise ValueError("it has no line of a CPU")
            return {reading_key("cpu_times"): self._rows.reading(rows, read_ns, read_ns - begin_ns)}

    def close(self) -> None:
        """Nothing is held."""
