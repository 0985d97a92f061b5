"""Connection tracking of the network namespace: how full its table is, and what it could not do.

/proc/sys/net/netfilter/nf_conntrack_count and _max; /proc/net/stat/nf_conntrack, whose numbers are u32 per CPU (struct
ip_conntrack_stat). Before Linux 5.10 ``insert_failed`` also counts clashes that were resolved.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.collect.procfs.counter_files import u64
from bpftop.collect.procfs.stat_table import columns
from bpftop.collect.procfs.tree import Tree
from bpftop.model.families import FAMILIES
from bpftop.model.rates import gain
from bpftop.model.sample import Interface, Reading, reading_key

_WHAT = "connection tracking"
_EVENTS = FAMILIES["conntrack_events"].columns


class Conntrack:
    """Families conntrack and conntrack_events."""

    name = "conntrack"

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._levels, self._rows = ReadingBuilder("conntrack"), ReadingBuilder("conntrack_events")
        self._sums = {column: WrappingSum() for column in _EVENTS}
        self._epoch = 0

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """What there is of both families. Raises Unavailable where the kernel does not track connections."""
        found = [self._fill(), self._events()]
        readings = {reading_key(one.family): one for one in found if isinstance(one, Reading)}
        refusals = [one for one in found if isinstance(one, Unavailable)]
        if readings:
            return readings
        for refusal in refusals:
            if not isinstance(refusal.__cause__, FileNotFoundError):
                raise refusal
        raise Unavailable(
            f"{_WHAT}: nf_conntrack is not loaded, so no connection is tracked here and none can be lost by it"
        )

    def close(self) -> None:
        """Nothing is held."""

    def _fill(self) -> Reading | Unavailable:
        begin_ns = time.monotonic_ns()
        sysctls = self._tree.proc / "sys/net/netfilter"
        try:
            entries = _number(self._tree.text(sysctls / "nf_conntrack_count", _WHAT))
        except Unavailable as error:
            return error
        try:
            limit: int | None = _number(self._tree.text(sysctls / "nf_conntrack_max", _WHAT))
        except Unavailable:
            limit = None  # old kernels hide it in a namespace of somebody who is not root
        read_ns = time.monotonic_ns()
        return self._levels.reading({(): [entries, limit]}, read_ns, read_ns - begin_ns)

    def _events(self) -> Reading | Unavailable:
        begin_ns = time.monotonic_ns()
        try:
            text = self._tree.text(self._tree.proc_net / "stat/nf_conntrack", _WHAT)
        except Unavailable as error:
            return error
        read_ns = time.monotonic_ns()
        try:
            table = columns(text)
        except ValueError as error:
            return Unavailable(f"{_WHAT}: /proc/net/stat/nf_conntrack is not understood: {error}")
        totals = [self._sums[column].add(table.get(column)) for column in _EVENTS]
        self._epoch = sum(one.restarts for one in self._sums.values())
        return self._rows.reading({(): totals}, read_ns, read_ns - begin_ns, self._epoch)


class WrappingSum:
    """One number of several u32 counters that wrap each by itself: a sum of the bare values would fall by 2^32.

    It begins as that sum and goes on by what each counter gained. ``restarts`` counts how often that could not be
    known: the counters were reset (the module was loaded again), or there are more or fewer of them.
    """

    def __init__(self) -> None:
        self.restarts = 0
        self._last: list[int] | None = None
        self._total = 0

    def add(self, values: list[int] | None) -> int | None:
        """The sum now; None where the kernel does not have the counter."""
        if values is None:
            return None
        gains = (
            [gain(before, after, 32) for before, after in zip(self._last, values, strict=True)]
            if self._last is not None and len(self._last) == len(values)
            else [None]
        )
        known = [one for one in gains if one is not None]
        if len(known) == len(gains):
            self._total += sum(known)
        else:
            self.restarts += self._last is not None
            self._total = sum(values)
        self._last = values
        return self._total


def _number(text: str) -> int:
    try:
        return u64(text)
    except ValueError as error:
        raise Unavailable(f"{_WHAT}: its number of entries is not understood: {error}") from error
