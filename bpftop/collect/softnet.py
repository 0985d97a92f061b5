"""The backlog of each CPU: /proc/net/softnet_stat. Machine-wide, a row per online CPU.

Columns are hexadecimal u32 (net/core/net-procfs.c): 0 processed, 1 dropped, 2 time_squeeze, 9 received_rps,
10 flow_limit_count, 11 backlog length (5.10), 12 the CPU's number (5.10). Before 5.10 there is no number: rows are then
the online CPUs in order.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bpftop.collect.collector import Rows
from bpftop.collect.host import online_cpus
from bpftop.collect.tree import Tree, Unavailable
from bpftop.model.sample import Interface, Key, Reading, reading_key

_COUNTERS = (0, 1, 2, 9, 10)
_LENGTH, _CPU = 11, 12


class Softnet:
    name = "softnet"

    def __init__(self, tree: Tree, possible_cpus: int) -> None:
        self._tree = tree
        self._possible_cpus = possible_cpus
        self._counters, self._lengths = Rows("softnet"), Rows("softnet_backlog")

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Families softnet and, where the kernel tells it, softnet_backlog. Raises Unavailable."""
        begin_ns = time.monotonic_ns()
        text = self._tree.text(self._tree.proc_net / "softnet_stat", "backlog counters")
        read_ns = time.monotonic_ns()
        cost_ns = read_ns - begin_ns
        counters: dict[Key, list[int | None]] = {}
        lengths: dict[Key, list[int | None]] = {}
        try:
            rows = [[int(word, 16) for word in line.split()] for line in text.splitlines()]
        except ValueError as error:
            raise Unavailable(f"backlog counters: /proc/net/softnet_stat is not understood: {error}") from error
        online = () if rows and len(rows[0]) > _CPU else online_cpus(self._possible_cpus, self._tree.root)
        for position, row in enumerate(rows):
            cpu = row[_CPU] if len(row) > _CPU else online[position] if position < len(online) else position
            counters[(cpu,)] = [row[i] if i < len(row) else None for i in _COUNTERS]
            if len(row) > _CPU:
                lengths[(cpu,)] = [row[_LENGTH]]
        found = {reading_key("softnet"): self._counters.reading(counters, read_ns, cost_ns)}
        if lengths:
            found[reading_key("softnet_backlog")] = self._lengths.reading(lengths, read_ns, 0)
        return found

    def close(self) -> None:
        """Nothing is held."""
