"""UDP: sockets, ports, floods."""

from __future__ import annotations

from typing import Any

from bpftop.demo.faults import packets
from bpftop.demo.faults import udp as offered
from bpftop.demo.faults.worker import Worker
from bpftop.demo.sides import GENERATOR, WATCHED
from tests.faults.jobs import answer_udp, serve_short, visit
from tests.faults.scenario import Cell, Scenario, counter, drop

PORT = 9200


class UdpSocketOverflow(offered.UdpSocketOverflow, Scenario):
    moves = (
        counter("UdpRcvbufErrors", 500),
        counter("UdpInErrors", 500),
        Cell("udp_sockets", (4, None, PORT, None, None), "drops", 500),
        drop("SOCKET_RCVBUFF", 500),
    )


class UdpPortUnreachable(Scenario):
    """Datagrams to a port where nobody listens any more."""

    id = "udp-port-unreachable"
    moves = (counter("UdpNoPorts", 250), drop("NO_SOCKET", 250))

    def prepare(self) -> None:
        self.send([packets.udp(sport, PORT, bytes(100)) for sport in range(7100, 7132)], 500)


class UdpFlood(offered.UdpFlood, Scenario):
    moves = (counter("UdpNoPorts", 10_000), drop("NO_SOCKET", 10_000))


class UdpAmplification(Scenario):
    """Answers of 1 024 DNS servers that were never asked: 1 200 bytes from port 53."""

    id = "udp-amplification"
    moves = (counter("UdpNoPorts", 2500), drop("NO_SOCKET", 2500))

    def prepare(self) -> None:
        self.route_strangers()
        answers = [packets.udp(53, 32768 + 7 * n, bytes(1200), src=packets.stranger(n)) for n in range(1024)]
        self.send(answers, 5000)


class UdpServiceDied(Scenario):
    """The process of a UDP service is killed, and its 64 clients go on asking."""

    id = "service-gone"
    follows_calm = True
    moves = (counter("UdpNoPorts", 75), drop("NO_SOCKET", 75))

    def prepare(self) -> None:
        server = Worker(self.watched, answer_udp, address=WATCHED.ipv4[0], port=PORT, size_bytes=80)
        server.ready().go()
        self._server = server
        self.keep(server.stop)
        self._clients = self.send([packets.udp(7200 + n, PORT, bytes(60)) for n in range(64)], 150)
        start_now(self, self._clients)

    def begin(self) -> None:
        super().begin()
        self._server.stop()

    def end(self) -> None:
        super().end()
        self._clients.stop()


class TcpServiceEnded(Scenario):
    """A TCP service ends, and 25 connection requests a second are refused that were accepted before."""

    id = "tcp-service-ended"
    finding = "service-gone"
    follows_calm = True
    moves = (counter("TcpOutRsts", 12),)
    may_move = (drop("NO_SOCKET"), drop("QUEUE_PURGE"), counter("TcpAttemptFails"))

    def prepare(self) -> None:
        service: dict[str, Any] = {"address": WATCHED.ipv4[0], "port": PORT}
        self._server = Worker(self.watched, serve_short, size_bytes=500, **service)
        self._server.ready().go()
        self.keep(self._server.stop)
        self._clients = Worker(self.generator, visit, sources=GENERATOR.ipv4, per_sec=25, reset=False, **service)
        start_now(self, self.add(self._clients))

    def begin(self) -> None:
        super().begin()
        self._server.stop()

    def end(self) -> None:
        super().end()
        self._clients.stop()


def start_now(scenario: Scenario, worker: Worker) -> None:
    """Let a worker begin before the fault does."""
    worker.ready().go()
    scenario.workers.remove(worker)
