"""The limits that explain losses: files below /proc/sys/net, as the network namespace of the calling thread has them.

The machine's limits (net.core.netdev_*, net.ipv4.tcp_mem, neigh.default...) hold in every namespace, but the kernel
shows them in the first alone: whoever enters another one reads them before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.collect.procfs.counter_files import u64
from bpftop.collect.procfs.tree import Tree
from bpftop.model.sample import Interface, Key, Reading, reading_key

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
"""Those that are one number, by the names that `sysctl` gives them."""

TRIPLES = ("net.ipv4.tcp_mem", "net.ipv4.udp_mem")
"""Those that are three numbers of pages (Documentation/networking/ip-sysctl.rst): rows NAME.low, .pressure and .max."""

_PARTS = ("low", "pressure", "max")


MACHINE_WIDE = ("net.core.netdev_", "net.core.dev_weight", "net.ipv4.tcp_mem.", "net.ipv4.udp_mem.",
                "net.ipv4.tcp_max_orphans", "net.ipv4.neigh.", "net.ipv6.neigh.")  # fmt: skip
"""Beginnings of the names that belong to the machine and not to a namespace."""

Limits = Mapping[Key, Sequence[int | None]]
"""Row of the family -> its one value."""


def read_limits(tree: Tree) -> dict[Key, Sequence[int | None]]:
    """The limits as the calling thread's network namespace shows them; those that are not there are left out."""
    rows: dict[Key, Sequence[int | None]] = {}
    for name in SYSCTLS:
        for number in _numbers(tree, name, 1):
            rows[(name,)] = [number]
    for name in TRIPLES:
        for part, number in zip(_PARTS, _numbers(tree, name, len(_PARTS)), strict=False):
            rows[(f"{name}.{part}",)] = [number]
    return rows


def machine_limits(tree: Tree) -> Limits:
    """Those that are the machine's, to be read in its first namespace."""
    return {key: value for key, value in read_limits(tree).items() if str(key[0]).startswith(MACHINE_WIDE)}


def _numbers(tree: Tree, name: str, count: int) -> Iterator[int]:
    """Its numbers; none where it is not there or is not ``count`` numbers."""
    try:
        words = tree.text(tree.proc / "sys" / name.replace(".", "/"), name).split()
        numbers = [u64(word) for word in words]
    except (Unavailable, ValueError):
        return
    if len(numbers) == count:
        yield from numbers


class Sysctls:
    """Family sysctls: a row per limit that the kernel has here and that is a number.

    ``machine`` are the machine's limits, for a namespace in which the kernel does not show them.
    """

    name = "sysctls"

    def __init__(self, tree: Tree, machine: Limits | None = None) -> None:
        self._tree = tree
        self._machine = machine or {}
        self._rows = ReadingBuilder("sysctls")

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Raises Unavailable: none can be read."""
        begin_ns = time.monotonic_ns()
        rows = {**self._machine, **read_limits(self._tree)}
        read_ns = time.monotonic_ns()
        if not rows:
            raise Unavailable(f"limits of the network stack: none of {self._tree.proc}/sys/net can be read")
        return {reading_key("sysctls"): self._rows.reading(rows, read_ns, read_ns - begin_ns)}

    def close(self) -> None:
        """Nothing is held."""
