"""TCP: floods, queues, losses."""

from __future__ import annotations

import socket

from bpftop.demo.faults import packets
from bpftop.demo.faults.fault import Fault
from bpftop.demo.faults.jobs import pour_tcp, swallow_tcp
from bpftop.demo.faults.namespace_changes import Beyond, ip, sysctl, token_bucket
from bpftop.demo.faults.worker import Worker
from bpftop.demo.sides import GENERATOR, WATCHED

PORT = 9400


class SynFlood(Fault):
    """SYNs from 4 096 addresses that never answer, to a server with a short SYN queue and SYN cookies."""

    id = "syn-flood"

    def prepare(self) -> None:
        sysctl(self.watched, "ipv4/tcp_syncookies", 1)
        self.route_strangers()
        listener = self.watched(lambda: socket.create_server((WATCHED.ipv4[0], PORT), backlog=64))
        self.keep(listener.close)
        self.send([packets.tcp(1024 + n, PORT, packets.SYN, src=packets.stranger(n), seq=n) for n in range(4096)], 4000)


class AcceptQueueOverflow(Fault):
    """A server that no longer accepts: its queue is full, and clients keep coming."""

    id = "accept-queue-overflow"

    def prepare(self) -> None:
        listener = self.watched(lambda: socket.create_server((WATCHED.ipv4[0], PORT), backlog=1))
        self.keep(listener.close)
        for _ in range(2):  # a queue of 1 takes 2
            client = self.generator(lambda: socket.create_connection((WATCHED.ipv4[0], PORT), timeout=2))
            self.keep(client.close)
        self.send([packets.tcp(sport, PORT, packets.SYN, seq=sport) for sport in range(20000, 24096)], 100)


class TcpRetransmits(Fault):
    """Bulk TCP to a host behind a router whose token bucket is full: losses are somewhere on the path, as mostly."""

    id = "tcp-retransmits"

    def prepare(self) -> None:
        beyond = Beyond(self.lab, GENERATOR)
        self.keep(beyond.close)
        ip(self.watched, f"route add {beyond.address}/32 via {GENERATOR.ipv4[0]}")
        self.keep(lambda: ip(self.watched, f"route delete {beyond.address}/32"))
        token_bucket(self.generator, beyond.near_interface, "100mbit", "32kb", "60kb")
        server = Worker(beyond.call, swallow_tcp, address=beyond.address, port=PORT)
        self.keep(server.stop)
        server.ready().go()
        self.add(Worker(self.watched, pour_tcp, address=beyond.address, port=PORT, flows=4))
