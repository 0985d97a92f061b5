"""Connection tracking."""

from __future__ import annotations

import time
from pathlib import Path

from bpftop.demo.sides import GENERATOR
from tests.faults import packets
from tests.faults.blast import blast
from tests.faults.place import forget_connections, packet_filter, sysctl
from tests.faults.scenario import Cell, Scenario, drop

PORT = 9300
MAX = 262_144  # nf_conntrack_max of a new namespace, read-only there


class ConntrackFull(Scenario):
    """New connections at 6 000 a second: UDP, a new source each, to a server that reads all of them. ``prepare`` fills
    the table to 72 %; the traffic passes 75 % after 1.4 s and goes on with the same connections at 82 %."""

    id = "conntrack-full"
    moves = (Cell("conntrack", (), "entries", 3000),)
    per_sec = 6_000
    before, most = int(MAX * 0.72), int(MAX * 0.82)

    def prepare(self) -> None:
        self.keep(packet_filter(self.watched, "input", ["ct state invalid counter"]))
        self.keep(lambda: forget_connections(self.watched))
        sysctl(self.watched, "netfilter/nf_conntrack_udp_timeout", 120)
        self.serve_udp(PORT)
        connections = packets.udp_connections(PORT, self.most)
        self._fill(connections[: self.before])
        self.send(connections[self.before :], self.per_sec)

    def wrong_since_ns(self) -> int:
        """When the table is fuller than three quarters."""
        deadline_s = time.monotonic() + 20
        while self.watched(connections_tracked) < 0.75 * MAX:
            assert time.monotonic() < deadline_s, "the connection table does not fill"
            time.sleep(0.02)
        return time.monotonic_ns()

    def end(self) -> None:
        """The connections are forgotten too: they would stay for two minutes."""
        super().end()
        forget_connections(self.watched)

    def _fill(self, connections: list[bytes]) -> None:
        filler = blast(self.generator, GENERATOR.interface, connections, 250_000, most=len(connections)).ready()
        filler.go()
        try:
            deadline_s = time.monotonic() + 20
            while self.watched(connections_tracked) < len(connections):
                assert time.monotonic() < deadline_s, "the connection table does not fill"
                time.sleep(0.02)
        finally:
            filler.stop()


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


def connections_tracked() -> int:
    """Return the number of connections tracked in the namespace of the calling thread."""
    return int(Path("/proc/sys/net/netfilter/nf_conntrack_count").read_text())
