"""Which collectors a live session has: one line each."""

from __future__ import annotations

from bpftop.collect.collector import Collector
from bpftop.collect.host import Host
from bpftop.collect.softnet import Softnet
from bpftop.collect.tree import Tree
from bpftop.kernel.netdev import Netdev


def collectors(tree: Tree, netdev: Netdev, machine: Host, *, drops: bool) -> list[Collector]:
    """All of them. ``drops``: with those that count by tracepoints."""
    return [
        Softnet(tree, machine.possible_cpus),
    ]
