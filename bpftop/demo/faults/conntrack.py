"""Connection tracking."""

from __future__ import annotations

import time
from pathlib import Path

from bpftop.demo.faults import packets
from bpftop.demo.faults.fault import Fault
from bpftop.demo.faults.namespace_changes import forget_connections, packet_filter, sysctl
from bpftop.demo.faults.steady_sender import blast
from bpftop.demo.faults.worker import FaultError
from bpftop.demo.sides import GENERATOR

PORT = 9300
MAX = 262_144  # nf_conntrack_max of a new namespace, read-only there


class ConntrackFull(Fault):
    """New connections at 6 000 a second: UDP, a new source each, to a server that reads all of them.

    ``prepare`` fills the table to 72 %; the traffic passes 75 % after 1.4 s and goes on with the same connections at
    82 %.
    """

    id = "conntrack-full"
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
        """Wait until the table is fuller than three quarters, and return that time."""
        deadline_s = time.monotonic() + 20
        while self.watched(connections_tracked) < 0.75 * MAX:
            _check_time(deadline_s)
            time.sleep(0.02)
        return time.monotonic_ns()

    def end(self) -> None:
        """Stop the traffic, and forget the connections, which would stay for two minutes."""
        super().end()
        forget_connections(self.watched)

    def _fill(self, connections: list[bytes]) -> None:
        filler = blast(self.generator, GENERATOR.interface, connections, 250_000, most=len(connections)).ready()
        filler.go()
        try:
            deadline_s = time.monotonic() + 20
            while self.watched(connections_tracked) < len(connections):
                _check_time(deadline_s)
                time.sleep(0.02)
        finally:
            filler.stop()


def connections_tracked() -> int:
    """Return the number of connections tracked in the namespace of the calling thread."""
    return int(Path("/proc/sys/net/netfilter/nf_conntrack_count").read_text())


def _check_time(deadline_s: float) -> None:
    if time.monotonic() >= deadline_s:
        raise FaultError("the connection table does not fill")
