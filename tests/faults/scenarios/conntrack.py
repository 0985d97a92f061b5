"""Connection tracking."""

from __future__ import annotations

from bpftop.demo.faults import conntrack as offered
from bpftop.demo.faults import packets
from bpftop.demo.faults.namespace_changes import packet_filter, sysctl
from tests.faults.scenario import Cell, Scenario, drop

PORT = 9300


class ConntrackFull(offered.ConntrackFull, Scenario):
    moves = (Cell("conntrack", (), "entries", 3000),)


class ConntrackInvalid(Scenario):
    """A firewall that has lost its table of connections while they went on, and drops what fits none."""

    id = "conntrack-invalid"
    moves = (Cell("conntrack_events", (), "invalid", 100),)
    may_move = (drop("NETFILTER_DROP"),)

    def prepare(self) -> None:
        sysctl(self.watched, "netfilter/nf_conntrack_tcp_loose", 0)
        self.keep(lambda: sysctl(self.watched, "netfilter/nf_conntrack_tcp_loose", 1))
        self.keep(packet_filter(self.watched, "input", ["ct state invalid drop"]))
        old = [packets.tcp(40000 + n, PORT, packets.ACK, seq=n, ack=1, payload=bytes(200)) for n in range(64)]
        self.send(old, 300)
