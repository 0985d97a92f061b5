"""The backlog of each CPU: /proc/net/softnet_stat. Machine-wide, a row per online CPU.

Columns are hexadecimal u32 (net/core/net-procfs.c): 0 processed, 1 dropped, 2 time_squeeze, 9 received_rps,
10 flow_limit_count, 11 backlog length (5.10), 12 the CPU's number (5.10). Before 5.10 there is no number: rows are then
the online CPUs in order.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.collect.procfs.per_cpu_files import understood
from bpftop.collect.procfs.tree import Tree, cpu_list
from bpftop.model.sample import Interface, Key, Reading, reading_key

WHAT = "backlog counters"
_COUNTERS = (0, 1, 2, 9, 10)
_ALWAYS = (0, 1, 2, 9)  # Linux 2.6.35; flow_limit_count came with 3.11
_LENGTH, _CPU = 11, 12


class Softnet:
    name = "softnet"

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._counters, self._lengths = ReadingBuilder("softnet"), ReadingBuilder("softnet_backlog")

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Families softnet and, where the kernel tells it, softnet_backlog. Raises Unavailable."""
        begin_ns = time.monotonic_ns()
        text = self._tree.text(self._tree.proc_net / "softnet_stat", WHAT)
        read_ns = time.monotonic_ns()
        counters: dict[Key, list[int | None]] = {}
        lengths: dict[Key, list[int | None]] = {}
        with understood(WHAT, "/proc/net/softnet_stat"):
            rows = [line.split() for line in text.splitlines()]
            if not rows or min(map(len, rows)) <= max(_ALWAYS):
                raise ValueError("it has too few columns")
            for cpu, row in zip(self._cpus(rows), rows, strict=True):
                counters[(cpu,)] = [int(row[i], 16) if i < len(row) else None for i in _COUNTERS]
                if len(row) > _CPU:
                    lengths[(cpu,)] = [int(row[_LENGTH], 16)]
            found = {reading_key("softnet"): self._counters.reading(counters, read_ns, read_ns - begin_ns)}
            if lengths:
                found[reading_key("softnet_backlog")] = self._lengths.reading(lengths, read_ns, 0)
        return found

    def close(self) -> None:
        """Nothing is held."""

    def _cpus(self, rows: Sequence[Sequence[str]]) -> Sequence[int]:
        """The CPU of each row. Raises Unavailable where an old kernel leaves it open, ValueError on garbage."""
        if len(rows[0]) > _CPU:
            return [int(row[_CPU], 16) for row in rows]
        path = self._tree.root / "sys/devices/system/cpu/online"
        online = cpu_list(self._tree.text(path, f"{WHAT}: this kernel does not number its rows"))
        if len(online) != len(rows):
            raise Unavailable(
                f"{WHAT}: {len(rows)} rows without a number for {len(online)} online CPUs; a CPU may have come or gone "
                "just now"
            )
        return online
