"""The way from the interface to the stack: each CPU's backlog."""

from __future__ import annotations

from bpftop.demo.faults import backlog as offered
from bpftop.demo.faults import packets
from bpftop.demo.faults.fault import cpus
from bpftop.demo.faults.namespace_changes import packet_filter, steer
from bpftop.demo.sides import WATCHED
from tests.faults.scenario import Cell, Scenario, drop

PORT = 9000


class BacklogOverflow(offered.BacklogOverflow, Scenario):
    moves = (
        Cell("softnet", (None,), "dropped", 1000),
        Cell("links", (WATCHED.interface,), "rx_dropped", 1000),
        drop("CPU_BACKLOG", 1000),
    )
    may_move = (drop("NETFILTER_DROP"),)
    companions = ("packet-storm",)  # without a baseline: many packets, and a share of them lost


class SoftirqSqueeze(Scenario):
    """Bursts of 100 frames, steered to another CPU, whose packet filter is slow. Nothing is lost.

    64 frames, one poll, take longer than the time that a softirq has (8 ms, net.core.netdev_budget_usecs).
    """

    id = "softirq-squeeze"
    moves = (Cell("softnet", (None,), "time_squeeze", 10),)

    def prepare(self) -> None:
        first, *others = cpus()
        steer(self.watched, WATCHED.interface, others[:1])
        self.keep(lambda: steer(self.watched, WATCHED.interface, ()))
        self.keep(packet_filter(self.watched, "prerouting", offered.slow("udp", 12_000), priority=-300))
        self.serve_udp(PORT)
        self.send([packets.udp(20000 + flow, PORT, bytes(32)) for flow in range(64)], 1500, tick_s=1 / 15, cpus=[first])


class CpuImbalance(offered.CpuImbalance, Scenario):
    # Beside ten other processes in sessions of their own, which no nice value outweighs (sched_autogroup), an ordinary
    # sender had 31 % of its CPU, and the softirqs 23 %.
    filter_rules = 2200
    realtime = True
    moves = (Cell("links", (WATCHED.interface,), "rx_packets", 10_000),)
