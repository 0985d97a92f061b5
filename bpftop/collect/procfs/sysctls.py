"""The limits that explain losses: files below /proc/sys/net, as the network namespace of the calling thread has them.

The machine's limits (net.core.netdev_*, net.ipv4.tcp_mem, neigh.default...) hold in every namespace, but the kernel
shows them in the first one alone: a thread reads them there before it enters another namespace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing

from bpftop.collect.collector import CounterRows, Unavailable
from bpftop.collect.procfs.counter_files import parse_u64
from bpftop.collect.procfs.proc_file import ProcCollector, ProcFile
from bpftop.collect.procfs.tree import Tree
from bpftop.model.sample import Key

SYSCTLS = (
    "net.core.netdev_max_backlog",
    "net.core.netdev_budget",
    "net.core.netdev_budget_usecs",
    "net.core.dev_weight",
    "net.core.somaxconn",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_abort_on_overflow",
    "net.ipv4.tcp_max_orphans",
    "net.ipv4.tcp_max_tw_buckets",
    "net.ipv4.ipfrag_high_thresh",
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.neigh.default.gc_thresh3",
    "net.ipv6.ip6frag_high_thresh",
    "net.ipv6.conf.all.forwarding",
    "net.ipv6.neigh.default.gc_thresh3",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_buckets",
)
"""Limits of one number, by their names in `sysctl`."""

TRIPLES = ("net.ipv4.tcp_mem", "net.ipv4.udp_mem")
"""Limits of three numbers of pages (Documentation/networking/ip-sysctl.rst): rows NAME.low, .pressure and .max."""

_EVERYWHERE = "net.core.somaxconn"
"""A limit that every namespace has."""

_PARTS = ("low", "pressure", "max")

MACHINE_WIDE = ("net.core.netdev_", "net.core.dev_weight", "net.ipv4.tcp_mem.", "net.ipv4.udp_mem.",
                "net.ipv4.tcp_max_orphans", "net.ipv4.neigh.", "net.ipv6.neigh.")  # fmt: skip
"""Beginnings of the names of limits that belong to the machine and not to a namespace."""


class Sysctls(ProcCollector):
    """A collector of the limits: a row per limit that the kernel has here and that is a number.

    ``machine`` are the machine's limits, for a namespace in which the kernel does not show them.
    """

    name = "sysctls"
    subject = "limits of the network stack"

    def __init__(self, tree: Tree, machine: CounterRows | None = None) -> None:
        super().__init__(tree)
        self._machine = machine or {}
        self._limits = {name: self.file(_path(name)) for name in SYSCTLS}
        self._triples = {name: self.file(_path(name)) for name in TRIPLES}

    def read_limits(self) -> dict[Key, Sequence[int | None]]:
        """Return the limits as the calling thread's network namespace shows them; limits that it hides are left out."""
        rows: dict[Key, Sequence[int | None]] = {}
        for name, file in self._limits.items():
            for number in _read_numbers(file, 1):
                rows[(name,)] = [number]
        for name, file in self._triples.items():
            for part, number in zip(_PARTS, _read_numbers(file, len(_PARTS)), strict=False):
                rows[(f"{name}.{part}",)] = [number]
        return rows

    def read_rows(self) -> Mapping[str, CounterRows]:
        rows = {**self._machine, **self.read_limits()}
        if not rows:
            self._limits[_EVERYWHERE].read(str.strip)  # raises why: absent, hidden, unreadable
            raise Unavailable(f"{self.subject}: none of {self.tree.proc}/sys/net is a number")
        return {"sysctls": rows}


def machine_limits(tree: Tree) -> CounterRows:
    """Return the limits that belong to the machine. To be read in its first namespace."""
    with closing(Sysctls(tree)) as sysctls:
        limits = sysctls.read_limits()
    return {key: value for key, value in limits.items() if str(key[0]).startswith(MACHINE_WIDE)}


def _path(name: str) -> str:
    return "sys/" + name.replace(".", "/")


def _read_numbers(file: ProcFile, count: int) -> list[int]:
    """Return the numbers of the file; none where it cannot be read or does not have ``count`` numbers."""
    numbers = file.read_or(lambda text: [parse_u64(word) for word in text.split()], [])
    return numbers if len(numbers) == count else []
