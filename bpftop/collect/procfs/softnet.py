"""The backlog of each CPU: /proc/net/softnet_stat. Machine-wide, a row per online CPU.

Columns are hexadecimal u32 (net/core/net-procfs.c): 0 processed, 1 dropped, 2 time_squeeze, 9 received_rps,
10 flow_limit_count, 11 backlog length (5.10), 12 the CPU's number (5.10). Before 5.10 there is no number: rows are then
the online CPUs in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bpftop.collect.collector import CounterRows, Unavailable
from bpftop.collect.procfs.proc_file import ProcFileCollector
from bpftop.model.sample import Key

_COUNTERS = (0, 1, 2, 9, 10)
_ALWAYS = (0, 1, 2, 9)  # Linux 2.6.35; flow_limit_count came with 3.11
_LENGTH, _CPU = 11, 12


class Softnet(ProcFileCollector):
    """A collector of softnet and, where the kernel has the backlog length, softnet_backlog."""

    name = "softnet"
    subject = "backlog counters"
    path = "net/softnet_stat"

    def parse(self, text: str) -> Mapping[str, CounterRows]:
        counters: dict[Key, list[int | None]] = {}
        lengths: dict[Key, list[int]] = {}
        rows = [line.split() for line in text.splitlines()]
        if not rows or min(map(len, rows)) <= max(_ALWAYS):
            raise ValueError("it has too few columns")
        for cpu, row in zip(self._cpus(rows), rows, strict=True):
            counters[(cpu,)] = [int(row[i], 16) if i < len(row) else None for i in _COUNTERS]
            if len(row) > _CPU:
                lengths[(cpu,)] = [int(row[_LENGTH], 16)]
        return {"softnet": counters, "softnet_backlog": lengths} if lengths else {"softnet": counters}

    def _cpus(self, rows: Sequence[Sequence[str]]) -> Sequence[int]:
        """Return the CPU of each row. Raises Unavailable where an old kernel leaves it open, and ValueError."""
        if len(rows[0]) > _CPU:
            return [int(row[_CPU], 16) for row in rows]
        online = self.tree.online_cpus(f"{self.subject}: this kernel does not number its rows")
        if len(online) != len(rows):
            raise Unavailable(
                f"{self.subject}: {len(rows)} rows without a number for {len(online)} online CPUs; a CPU may have come "
                "or gone just now"
            )
        return online
