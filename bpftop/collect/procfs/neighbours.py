"""The neighbour tables (ARP and IPv6 neighbour discovery), which all network namespaces of the machine share.

/proc/net/stat/arp_cache and ndisc_cache (net/core/neighbour.c): unsigned long per CPU, ``entries`` the same in every
line; /proc/sys/net/ipv4|ipv6/neigh/default/gc_thresh3. The kernel shows these files in its first namespace alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.collect.collector import CounterRows, Unavailable
from bpftop.collect.procfs.counter_files import parse_u64
from bpftop.collect.procfs.proc_file import ProcCollector, ProcFile
from bpftop.collect.procfs.stat_table import parse_stat_table
from bpftop.collect.procfs.tree import FileMissing, Tree
from bpftop.model.families import FAMILIES
from bpftop.model.sample import Key

_TABLES = {"arp_cache": "ipv4", "ndisc_cache": "ipv6"}
_COLUMNS = FAMILIES["neighbours"].columns
NeighbourCells = dict[Key, list[int | None]]


class Neighbours(ProcCollector):
    """A collector of neighbours and neighbour_entries: rows arp_cache and, where the kernel has IPv6, ndisc_cache."""

    name = "neighbours"
    subject = "neighbour tables"

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        # From another namespace the tables are read by way of the first process, which is mostly in the first one.
        self._files_of = {
            table: (
                self.file(f"net/stat/{table}"),
                self.file(f"1/net/stat/{table}"),
                self.file(f"sys/net/{version}/neigh/default/gc_thresh3"),
            )
            for table, version in _TABLES.items()
        }

    def read_rows(self) -> Mapping[str, CounterRows]:
        counters: NeighbourCells = {}
        levels: NeighbourCells = {}
        refusal: Unavailable | None = None
        for table, (own, first_process, limit) in self._files_of.items():
            try:
                columns = _read_table(own, first_process)
            except Unavailable as error:
                refusal = refusal or error
                continue
            counters[(table,)] = [sum(columns[column]) if column in columns else None for column in _COLUMNS]
            levels[(table,)] = [columns["entries"][0] if "entries" in columns else None, limit.read_or(parse_u64, None)]
        if refusal is not None and not counters:
            raise refusal
        return {"neighbours": counters, "neighbour_entries": levels}


def _read_table(own: ProcFile, first_process: ProcFile) -> dict[str, list[int]]:
    try:
        return own.read(parse_stat_table)
    except FileMissing:
        return first_process.read(parse_stat_table)
