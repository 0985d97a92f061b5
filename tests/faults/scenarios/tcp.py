"""TCP: listening sockets, retransmissions, resets."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from bpftop.demo.faults import packets
from bpftop.demo.faults import tcp as offered
from bpftop.demo.faults.jobs import pour_tcp, swallow_tcp
from bpftop.demo.faults.namespace_changes import Beyond, ip, packet_filter, token_bucket
from bpftop.demo.faults.worker import Worker
from bpftop.demo.sides import GENERATOR, WATCHED
from tests.faults import tc_program
from tests.faults.jobs import connect_in_vain, keep_connections, serve_short, use_up_ports
from tests.faults.scenario import Scenario, counter, drop

PORT = 9400


class SynFlood(offered.SynFlood, Scenario):
    moves = (
        counter("TcpExtTCPReqQFullDoCookies", 2000),
        counter("TcpExtSyncookiesSent", 2000),
    )
    may_move = (counter("TcpExtTCPSynRetrans"), counter("TcpExtTCPTimeouts"), counter("TcpRetransSegs"))


class RstStorm(Scenario):
    """Segments of connections that this host does not know, each answered by a reset, and resets that come in."""

    id = "rst-storm"
    moves = (counter("TcpOutRsts", 1000),)
    may_move = (drop("NO_SOCKET"),)

    def prepare(self) -> None:
        frames = []
        for sport in range(30000, 30512):
            frames.append(packets.tcp(sport, PORT, packets.ACK, seq=sport, ack=1))
            frames.append(packets.tcp(sport, PORT, packets.RST, seq=sport))
        self.send(frames, 4000)


class PortScan(Scenario):
    """A scan of 2 000 ports by one host: one in ten is open."""

    id = "port-scan"
    moves = (counter("TcpOutRsts", 300), counter("TcpPassiveOpens", 0))
    may_move = (
        *(drop("NO_SOCKET"), counter("TcpExtTCPSynRetrans"), counter("TcpRetransSegs"), counter("TcpExtTCPTimeouts")),
    )

    def prepare(self) -> None:
        def open_ports() -> list[socket.socket]:
            ports = range(PORT, PORT + 200, 10)
            return [socket.create_server((WATCHED.ipv4[0], port), backlog=1024) for port in ports]

        for listener in self.watched(open_ports):
            self.keep(listener.close)
        scan = [packets.tcp(33000 + n // 200, PORT + n % 200, packets.SYN, seq=n) for n in range(2000)]
        self.send(scan, 800)


class OddFlagsScan(Scenario):
    """A scan of 2 000 ports by FIN, NULL and Xmas segments, as nmap sends them past a filter of SYNs."""

    id = "odd-flags-scan"
    finding = "port-scan"
    moves = (counter("TcpOutRsts", 500), drop("NO_SOCKET", 500))

    def prepare(self) -> None:
        shapes = (0, packets.FIN, packets.FIN | packets.PSH | packets.URG)
        self.send([packets.tcp(34000, PORT + n, shapes[n % 3], seq=n) for n in range(2000)], 1500)


class AcceptQueueOverflow(offered.AcceptQueueOverflow, Scenario):
    moves = (
        counter("TcpExtListenOverflows", 50),
        counter("TcpExtListenDrops", 50),
    )


class ConnectUnanswered(Scenario):
    """A server behind a firewall that drops the connection requests of this host."""

    id = "connect-unanswered"
    moves = (counter("TcpExtTCPSynRetrans", 5),)
    may_move = (counter("TcpRetransSegs"), counter("TcpExtTCPTimeouts"), drop("NETFILTER_DROP"))

    def prepare(self) -> None:
        self.keep(packet_filter(self.generator, "input", [f"tcp dport {PORT} drop"]))
        client = Worker(self.watched, connect_in_vain, address=GENERATOR.ipv4[0], port=PORT, per_sec=10)
        self.add(client)


class PortExhaustion(Scenario):
    """A client that opens a connection for each request: its 1 000 local ports are in TIME-WAIT."""

    id = "port-exhaustion"
    moves = (counter("TcpActiveOpens", 100),)
    ports, connections = "40000 40999", 920

    def prepare(self) -> None:
        self._set_ports(self.ports)
        self.keep(lambda: self._set_ports("32768 60999"))
        server = self.server()
        self.keep(server.stop)
        server.ready().go()
        client = Worker(self.watched, self.client, address=GENERATOR.ipv4[0], port=PORT, connections=self.connections)
        self.add(client)

    client = staticmethod(use_up_ports)

    def server(self) -> Worker:
        return Worker(self.generator, serve_short, address=GENERATOR.ipv4[0], port=PORT, size_bytes=100)

    def wrong_since_ns(self) -> int:
        """Wait until nine tenths of the connections are there."""
        deadline_s = time.monotonic() + 20
        while self.watched(lambda: Path("/proc/thread-self/net/tcp").read_text()).count("\n") < 0.9 * self.connections:
            assert time.monotonic() < deadline_s, "the ports are not used up"
            time.sleep(0.1)
        return time.monotonic_ns()

    def end(self) -> None:
        """Give the client more ports: those in TIME-WAIT stay for a minute."""
        super().end()
        self._set_ports("32768 60999")

    def _set_ports(self, ports: str) -> None:
        self.watched(lambda: Path("/proc/sys/net/ipv4/ip_local_port_range").write_text(ports))


class PortsKeptOpen(PortExhaustion):
    """A client that forgets to close its connections: 380 of 400 local ports are in use, and none in TIME-WAIT."""

    id = "ports-kept-open"
    finding = "port-exhaustion"
    moves = (counter("TcpActiveOpens", 10),)
    ports, connections = "40000 40399", 380
    client = staticmethod(keep_connections)

    def server(self) -> Worker:
        return Worker(self.generator, swallow_tcp, address=GENERATOR.ipv4[0], port=PORT)


class UnreadConnection(Scenario):
    """A program of this host that holds a connection open and does not read, while the peer has more to send."""

    id = "zero-window"
    moves = (counter("TcpExtTCPToZeroWindowAdv", 0.5),)

    def prepare(self) -> None:
        self._listener = self.watched(lambda: socket.create_server((WATCHED.ipv4[0], PORT)))
        self.keep(self._listener.close)
        self.add(Worker(self.generator, pour_tcp, address=WATCHED.ipv4[0], port=PORT, flows=1))

    def end(self) -> None:
        self._listener.close()  # resets the connection, which nobody has accepted
        super().end()


class StalledPeer(Scenario):
    """A peer that holds a connection open and does not read, while this host has more to send."""

    id = "stalled-peer"
    finding = "zero-window"
    moves = (counter("TcpExtTCPWinProbe", 0.5),)

    def prepare(self) -> None:
        listener = self.generator(lambda: socket.create_server((GENERATOR.ipv4[0], PORT)))
        self.keep(listener.close)
        self.add(Worker(self.watched, pour_tcp, address=GENERATOR.ipv4[0], port=PORT, flows=1))


class LossBeforeUs(Scenario):
    """Bulk TCP from a host behind a router whose token bucket is full: this host sees the holes that losses leave."""

    id = "loss-before-us"
    moves = (counter("TcpExtTCPOFOQueue", 50),)
    may_move = (counter("TcpExtTCPDSACKOldSent"), counter("TcpExtTCPDSACKOfoSent"))

    def prepare(self) -> None:
        beyond = Beyond(self.lab, GENERATOR)
        self.keep(beyond.close)
        ip(self.watched, f"route add {beyond.address}/32 via {GENERATOR.ipv4[0]}")
        self.keep(lambda: ip(self.watched, f"route delete {beyond.address}/32"))
        self.keep(token_bucket(self.generator, GENERATOR.interface, "100mbit", "32kb", "60kb"))
        server = Worker(self.watched, swallow_tcp, address=WATCHED.ipv4[0], port=PORT)
        self.keep(server.stop)
        server.ready().go()
        self.add(Worker(beyond.call, pour_tcp, address=WATCHED.ipv4[0], port=PORT, flows=4))


class DroppedOnThisHost(Scenario):
    """A tc program on the way out that drops 3 % of bulk TCP."""

    id = "dropped-on-this-host"
    moves = (drop("TC_EGRESS", 100),)
    may_move = (counter("TcpRetransSegs"), counter("TcpExtTCPLostRetransmit"), counter("TcpExtTCPTimeouts"))

    def prepare(self) -> None:
        self.keep(self.watched(lambda: tc_program.attach(WATCHED.interface, tc_program.BPF_TCX_EGRESS, 3)))
        server = Worker(self.generator, swallow_tcp, address=GENERATOR.ipv4[0], port=PORT)
        self.keep(server.stop)
        server.ready().go()
        self.add(Worker(self.watched, pour_tcp, address=GENERATOR.ipv4[0], port=PORT, flows=4))


class DroppedOnTheWayIn(Scenario):
    """A tc program on the way in that drops 4 % of what a peer uploads."""

    id = "dropped-on-the-way-in"
    finding = "dropped-on-this-host"
    moves = (drop("TC_INGRESS", 50),)
    may_move = (counter("TcpExtTCPDSACKOldSent"), counter("TcpExtTCPDSACKOfoSent"))

    def prepare(self) -> None:
        self.keep(self.watched(lambda: tc_program.attach(WATCHED.interface, tc_program.BPF_TCX_INGRESS, 4)))
        server = Worker(self.watched, swallow_tcp, address=WATCHED.ipv4[0], port=PORT)
        self.keep(server.stop)
        server.ready().go()
        self.add(Worker(self.generator, pour_tcp, address=WATCHED.ipv4[0], port=PORT, flows=4))


class DroppedByFirewallOut(Scenario):
    """A rule of nftables that drops 5 % of the TCP segments which this host sends."""

    id = "dropped-by-firewall-out"
    finding = "dropped-on-this-host"
    moves = (drop("NETFILTER_DROP", 50),)
    may_move = (counter("TcpRetransSegs"), counter("TcpExtTCPLostRetransmit"), counter("TcpExtTCPTimeouts"))

    def prepare(self) -> None:
        self.keep(packet_filter(self.watched, "output", ["meta l4proto tcp numgen random mod 100 < 5 drop"]))
        server = Worker(self.generator, swallow_tcp, address=GENERATOR.ipv4[0], port=PORT)
        self.keep(server.stop)
        server.ready().go()
        self.add(Worker(self.watched, pour_tcp, address=GENERATOR.ipv4[0], port=PORT, flows=4))


class TcpRetransmits(offered.TcpRetransmits, Scenario):
    moves = (counter("TcpRetransSegs", 50),)
    may_move = (counter("TcpExtTCPLostRetransmit"), counter("TcpExtTCPTimeouts"))


class BehindShaper(Scenario):
    """32 uploads through a shaper of 4 Mb/s two hops away, a line that is too small: some 300 segments a second."""

    id = "behind-shaper"
    finding = "tcp-retransmits"
    moves = (counter("TcpRetransSegs", 10),)
    may_move = (counter("TcpExtTCPLostRetransmit"), counter("TcpExtTCPTimeouts"))

    def prepare(self) -> None:
        beyond = Beyond(self.lab, GENERATOR)
        self.keep(beyond.close)
        ip(self.watched, f"route add {beyond.address}/32 via {GENERATOR.ipv4[0]}")
        self.keep(lambda: ip(self.watched, f"route delete {beyond.address}/32"))
        token_bucket(self.generator, beyond.near_interface, "4mbit", "4kb", "12kb")
        server = Worker(beyond.call, swallow_tcp, address=beyond.address, port=PORT)
        self.keep(server.stop)
        server.ready().go()
        self.add(Worker(self.watched, pour_tcp, address=beyond.address, port=PORT, flows=32))
