"""Connection tracking of the network namespace: how full its table is, and which connections it could not track.

/proc/sys/net/netfilter/nf_conntrack_count and _max; /proc/net/stat/nf_conntrack, whose numbers are u32 per CPU (struct
ip_conntrack_stat). Before Linux 5.10 ``insert_failed`` also counts clashes that were resolved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bpftop.collect.collector import CounterRows, Unavailable
from bpftop.collect.procfs.counter_files import parse_u64
from bpftop.collect.procfs.proc_file import ProcCollector
from bpftop.collect.procfs.stat_table import parse_stat_table
from bpftop.collect.procfs.tree import FileMissing, Tree
from bpftop.model.families import FAMILIES
from bpftop.model.readings import gain
from bpftop.model.sample import DOES_NOT_APPLY

_EVENTS = FAMILIES["conntrack_events"].columns


class Conntrack(ProcCollector):
    """A collector of conntrack and conntrack_events. Each is left out where the kernel shows only the other."""

    name = "conntrack"
    subject = "connection tracking"

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        self._count = self.file("sys/net/netfilter/nf_conntrack_count")
        self._max = self.file("sys/net/netfilter/nf_conntrack_max")
        self._stat = self.file("net/stat/nf_conntrack")
        self._sums = {column: WrappingSum() for column in _EVENTS}

    def read_rows(self) -> Mapping[str, CounterRows]:
        readers: dict[str, Callable[[], CounterRows]] = {"conntrack": self._level, "conntrack_events": self._events}
        rows_by_family: dict[str, CounterRows] = {}
        refusals: list[Unavailable] = []
        for family, read in readers.items():
            try:
                rows_by_family[family] = read()
            except Unavailable as error:
                refusals.append(error)
        if not rows_by_family:
            raise next(
                (refusal for refusal in refusals if not isinstance(refusal, FileMissing)),
                Unavailable(
                    f"{self.subject} {DOES_NOT_APPLY}: nf_conntrack is not loaded, so no connection is tracked and "
                    "none can be lost by it"
                ),
            )
        return rows_by_family

    def epoch(self, family: str) -> int:
        return sum(total.restarts for total in self._sums.values()) if family == "conntrack_events" else 0

    def _level(self) -> CounterRows:
        entries = self._count.read(parse_u64)
        return {(): [entries, self._max.read_or(parse_u64, None)]}  # old kernels hide the limit from others than root

    def _events(self) -> CounterRows:
        columns = self._stat.read(parse_stat_table)
        return {(): [self._sums[event].add(columns.get(event)) for event in _EVENTS]}


class WrappingSum:
    """The sum of several u32 counters that wrap each by itself: a sum of the bare values would fall by 2^32.

    The first sum is of the bare values; afterwards each counter's gain is added. ``restarts`` counts how often no
    gain was known: the counters were reset (the module was loaded again), or their number changed.
    """

    def __init__(self) -> None:
        self.restarts = 0
        self._last: list[int] | None = None
        self._total = 0

    def add(self, values: list[int] | None) -> int | None:
        """Return the sum now; None where the kernel does not have the counter."""
        if values is None:
            return None
        gains = (
            [gain(before, after, 32) for before, after in zip(self._last, values, strict=True)]
            if self._last is not None and len(self._last) == len(values)
            else [None]
        )
        known = [count for count in gains if count is not None]
        if len(known) == len(gains):
            self._total += sum(known)
        else:
            self.restarts += self._last is not None
            self._total = sum(values)
        self._last = values
        return self._total
