"""The way from the interface to the stack: each CPU's backlog."""

from __future__ import annotations

from typing import ClassVar

from bpftop.demo.faults import packets
from bpftop.demo.faults.fault import Fault, cpus
from bpftop.demo.faults.namespace_changes import packet_filter, steer
from bpftop.demo.sides import WATCHED

PORT = 9000


class BacklogOverflow(Fault):
    """Bursts of 6 000 frames from one CPU, steered to another (RPS), whose packet filter is slow.

    Its backlog of 1 000 (net.core.netdev_max_backlog) overflows, and the CPU is idle between the bursts.
    """

    id = "backlog-overflow"

    def prepare(self) -> None:
        first, *others = cpus()
        steer(self.watched, WATCHED.interface, others[:1])
        self.keep(lambda: steer(self.watched, WATCHED.interface, ()))
        self.keep(
            packet_filter(self.watched, "prerouting", [*slow("tcp", 700), f"tcp dport {PORT} drop"], priority=-300)
        )
        flows = [packets.tcp(20000 + flow, PORT, packets.ACK, payload=bytes(32)) for flow in range(64)]
        self.send(flows, 30_000, tick_s=0.2, cpus=[first])


class CpuImbalance(Fault):
    """All frames arrive on one CPU, which does nothing but filter them: its softirq is at 100 %.

    The sender is on the same CPU and waits for it, so nothing is lost.
    """

    id = "cpu-imbalance"
    filter_rules: ClassVar[int] = 1500
    realtime: ClassVar[bool] = False

    def prepare(self) -> None:
        self.keep(packet_filter(self.watched, "prerouting", slow("udp", self.filter_rules), priority=-300))
        self.serve_udp(PORT)
        flows = [packets.udp(20000 + flow, PORT, bytes(32)) for flow in range(64)]
        self.send(flows, 120_000, cpus=cpus()[:1], in_flight_bytes=65_536, realtime=self.realtime)


def slow(protocol: str, rules: int) -> list[str]:
    """Return nft rules that match no packet; each takes about 17 ns for every packet of the protocol."""
    return [f"{protocol} sport {1 + rule % 9000} {protocol} dport 1 counter" for rule in range(rules)]
