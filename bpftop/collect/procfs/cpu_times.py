"""CPU time of each CPU by kind: /proc/stat. Machine-wide, a line per online CPU, in ticks of 1 / SC_CLK_TCK s.

user and nice include the time of guests, which the kernel repeats in columns of their own (fs/proc/stat.c).
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from bpftop.collect.collector import CounterRows
from bpftop.collect.procfs.proc_file import ProcFileCollector
from bpftop.collect.procfs.tree import Tree
from bpftop.model.families import FAMILIES

_COLUMNS = len(FAMILIES["cpu_times"].columns)


class CpuTimes(ProcFileCollector):
    """The CPU lines of /proc/stat, as ns."""

    name = "cpu_times"
    subject = "CPU times"
    path = "stat"
    one_record = True

    def __init__(self, tree: Tree, ticks_per_sec: int | None = None) -> None:
        super().__init__(tree)
        self._tick_ns = 10**9 // (ticks_per_sec or os.sysconf("SC_CLK_TCK"))

    def parse(self, text: str) -> Mapping[str, CounterRows]:
        tick_ns = self._tick_ns
        return {"cpu_times": {(cpu,): [count * tick_ns for count in ticks] for cpu, ticks in cpu_ticks(text).items()}}


def cpu_ticks(text: str) -> dict[int, list[int]]:
    """Return CPU -> ticks of each kind, in the order of the columns of cpu_times. Raises ValueError."""
    ticks: dict[int, list[int]] = {}
    for line in text.splitlines()[1:]:  # the first line is the sum of all CPUs
        if not line.startswith("cpu"):
            break
        name, *words = line.split(None, _COLUMNS + 1)[: _COLUMNS + 1]
        if len(words) != _COLUMNS:
            raise ValueError(f"{name} has {len(words)} times")
        ticks[int(name[3:])] = [int(word) for word in words]
    if not ticks:
        raise ValueError("it has no line of a CPU")
    return ticks
