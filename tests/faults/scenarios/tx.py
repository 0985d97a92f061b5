"""The way out: queueing disciplines."""

from __future__ import annotations

from bpftop.demo.faults.jobs import swallow_udp
from bpftop.demo.faults.namespace_changes import token_bucket
from bpftop.demo.faults.worker import Worker
from bpftop.demo.sides import GENERATOR, WATCHED
from tests.faults.jobs import pour_udp
from tests.faults.scenario import Cell, Scenario, counter, drop

PORT = 9600


class TxDrops(Scenario):
    """Twice as much UDP out of the watched host as its token bucket lets through."""

    id = "tx-drops"
    moves = (Cell("qdiscs", (WATCHED.interface, "tbf", None), "drops", 500), drop("QDISC_DROP", 500))
    may_move = (counter("IpOutDiscards"), counter("UdpSndbufErrors"))

    def prepare(self) -> None:
        self.keep(token_bucket(self.watched, WATCHED.interface, "8mbit", "16kb", "16kb"))
        peer = Worker(self.generator, swallow_udp, address=GENERATOR.ipv4[0], port=PORT)
        self.keep(peer.stop)
        peer.ready().go()
        self.add(
            Worker(
                self.watched,
                pour_udp,
                address=GENERATOR.ipv4[0],
                port=PORT,
                size_bytes=1000,
                per_sec=2000,
            )
        )
