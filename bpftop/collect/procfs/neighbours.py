"""The neighbour tables (ARP and IPv6 neighbour discovery), which all network namespaces of the machine share.

/proc/net/stat/arp_cache and ndisc_cache (net/core/neighbour.c): unsigned long per CPU, ``entries`` the same in every
line; /proc/sys/net/ipv4|ipv6/neigh/default/gc_thresh3. The kernel shows all of them in its first namespace alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.collect.procfs.counter_files import u64
from bpftop.collect.procfs.stat_table import columns
from bpftop.collect.procfs.tree import Tree
from bpftop.model.families import FAMILIES
from bpftop.model.sample import Interface, Key, Reading, reading_key

_WHAT = "neighbour tables"
_TABLES = {"arp_cache": "ipv4", "ndisc_cache": "ipv6"}
_COLUMNS = FAMILIES["neighbours"].columns
Cells = dict[Key, list[int | None]]


class Neighbours:
    """Families neighbours and neighbour_entries: rows arp_cache and, where the kernel has IPv6, ndisc_cache."""

    name = "neighbours"

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._counters, self._levels = ReadingBuilder("neighbours"), ReadingBuilder("neighbour_entries")

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Raises Unavailable: neither table can be read."""
        begin_ns = time.monotonic_ns()
        counters: Cells = {}
        levels: Cells = {}
        refusal: Unavailable | None = None
        for table, version in _TABLES.items():
            try:
                found = self._table(table)
            except Unavailable as error:
                refusal = refusal or error
                continue
            counters[(table,)] = [sum(found[column]) if column in found else None for column in _COLUMNS]
            levels[(table,)] = [found["entries"][0] if "entries" in found else None, self._limit(version)]
        read_ns = time.monotonic_ns()
        if refusal is not None and not counters:
            raise refusal
        return {
            reading_key("neighbours"): self._counters.reading(counters, read_ns, read_ns - begin_ns),
            reading_key("neighbour_entries"): self._levels.reading(levels, read_ns, 0),
        }

    def close(self) -> None:
        """Nothing is held."""

    def _table(self, file: str) -> dict[str, list[int]]:
        """From another namespace by way of the first process, which is mostly in the first namespace."""
        try:
            text = self._tree.text(self._tree.proc_net / "stat" / file, _WHAT)
        except Unavailable as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            text = self._tree.text(self._tree.proc / "1/net/stat" / file, _WHAT)
        try:
            return columns(text)
        except ValueError as error:
            raise Unavailable(f"{_WHAT}: /proc/net/stat/{file} is not understood: {error}") from error

    def _limit(self, version: str) -> int | None:
        try:
            return u64(self._tree.text(self._tree.proc / f"sys/net/{version}/neigh/default/gc_thresh3", _WHAT))
        except (Unavailable, ValueError):
            return None
