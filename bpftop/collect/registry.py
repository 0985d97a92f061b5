"""The collectors of a live session: one line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from bpftop.collect.bpf.destinations import Destinations
from bpftop.collect.bpf.drops import Drops
from bpftop.collect.bpf.foreign_xdp import ForeignXdp, find_foreign_program
from bpftop.collect.bpf.refused_ports import RefusedPorts
from bpftop.collect.bpf.rejected_sends import RejectedSends
from bpftop.collect.bpf.xdp_errors import exceptions, redirect_errors
from bpftop.collect.collector import Collector, CounterRows
from bpftop.collect.devices.address_moves import AddressClaims, AddressMoves
from bpftop.collect.devices.driver_counters import Nic
from bpftop.collect.devices.interrupts import Interrupts
from bpftop.collect.devices.qdiscs import Qdiscs
from bpftop.collect.devices.unresolved_neighbours import UnresolvedNeighbours
from bpftop.collect.host import Host
from bpftop.collect.procfs.conntrack import Conntrack
from bpftop.collect.procfs.counter_files import Netstat, Snmp, Snmp6, Xfrm
from bpftop.collect.procfs.cpu_times import CpuTimes
from bpftop.collect.procfs.neighbours import Neighbours
from bpftop.collect.procfs.sockstat import Sockstat
from bpftop.collect.procfs.softirqs import Softirqs
from bpftop.collect.procfs.softnet import Softnet
from bpftop.collect.procfs.sysctls import Sysctls
from bpftop.collect.procfs.tree import Tree
from bpftop.collect.sockets.closed_ports import ClosedPorts
from bpftop.collect.sockets.listen_sockets import ListenSockets
from bpftop.collect.sockets.port_use import PortUse
from bpftop.collect.sockets.tcp_sockets import ConnectingSockets, StalledSockets, TimedOutSockets
from bpftop.collect.sockets.udp_sockets import UdpSockets
from bpftop.kernel.net.netdev import Netdev
from bpftop.model.families import FAMILIES
from bpftop.model.sample import Interface
from bpftop.model.source import BpfMode

if TYPE_CHECKING:
    from bpftop.collect.background_collector import InBackground


def collectors(
    tree: Tree,
    netdev: Netdev,
    machine: Host,
    *,
    drops: bool,
    bpf: BpfMode = "off",
    interval_ns: Callable[[], int] = lambda: 0,
    limits: CounterRows | None = None,
    foreign_program: Callable[[Interface], int | None] | None = None,
    load_after_s: float = 0.0,
) -> list[Collector]:
    """Return all collectors of a session. ``drops`` includes the collectors that count by tracepoints.

    ``bpf`` "list" includes the BPF programs and maps of the machine, "statistics" also keeps run statistics on. A
    thread of their own reads them, no more often than what ``interval_ns`` returns, the time between ticks.

    ``limits`` are the machine's limits, for an entered namespace that does not show them. ``foreign_program`` returns
    the id of another owner's XDP program on an interface; None: rtnetlink is asked. Tracing programs are loaded
    ``load_after_s`` after the first read.
    """
    snmp, snmp6, netstat = Snmp(tree), Snmp6(tree), Netstat(tree)
    udp_sockets, listen_sockets = UdpSockets(tree, snmp, snmp6), ListenSockets(tree, netstat, snmp)
    rejected = RejectedSends(netdev, load_after_s)
    return [
        Softnet(tree),
        Softirqs(tree),
        CpuTimes(tree),
        Interrupts(tree, machine.possible_cpus),
        snmp,
        snmp6,
        netstat,
        Xfrm(tree),
        Sockstat(tree),
        udp_sockets,
        listen_sockets,
        ClosedPorts(udp_sockets, listen_sockets),
        ConnectingSockets(tree, netstat),
        StalledSockets(tree, netstat),
        TimedOutSockets(tree, netstat),
        PortUse(tree),
        UnresolvedNeighbours(netdev),
        AddressMoves(netdev),
        AddressClaims(netdev),
        Conntrack(tree),
        Neighbours(tree),
        Sysctls(tree, limits),
        Qdiscs(netdev),
        Nic(netdev.ethtool),
        *((make(load_after_s) for make in (Drops, exceptions, redirect_errors)) if drops else ()),
        *((rejected, Destinations(snmp, snmp6, rejected.moved), RefusedPorts(snmp, snmp6)) if drops else ()),
        ForeignXdp(foreign_program or partial(find_foreign_program, netdev)),
        *bpf_objects(bpf, interval_ns, first_at_once=True),
    ]


def bpf_objects(bpf: BpfMode, least_ns: Callable[[], int], *, first_at_once: bool = False) -> Iterator[Collector]:
    """Yield the collector of BPF programs and maps, if any; it reads no more often than every ``least_ns()``.

    ``first_at_once``: return when the first readings are there, so that the first sample of a session has them.
    """
    if bpf != "off":
        every_ns = FAMILIES["bpf_programs"].every_ns
        collector = watched_bpf_objects(lambda: max(every_ns, least_ns()), statistics=bpf == "statistics")
        if first_at_once:
            collector.wait_for_first()
        yield collector


def watched_bpf_objects(every_ns: Callable[[], int], *, statistics: bool) -> InBackground:
    """Return a collector of BPF programs and maps whose thread reads them every ``every_ns()`` nanoseconds."""
    from bpftop.collect.background_collector import InBackground  # late: most sessions do without
    from bpftop.collect.inventory.bpf_objects import BpfObjects

    return InBackground(BpfObjects(statistics=statistics), every_ns)
