"""UDP: sockets and floods."""

from __future__ import annotations

import socket

from bpftop.demo.faults import packets
from bpftop.demo.faults.fault import Fault
from bpftop.demo.sides import WATCHED

PORT = 9200


class UdpSocketOverflow(Fault):
    """A socket that nobody reads, and a sender that goes on."""

    id = "udp-socket-overflow"

    def prepare(self) -> None:
        def deaf() -> socket.socket:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.bind((WATCHED.ipv4[0], PORT))
            return sock

        self.keep(self.watched(deaf).close)
        self.send([packets.udp(sport, PORT, bytes(200)) for sport in range(7000, 7016)], 1000)


class UdpFlood(Fault):
    """Small datagrams from 4 096 addresses to ports where nobody listens."""

    id = "udp-flood"

    def prepare(self) -> None:
        self.route_strangers()
        flood = [packets.udp(1024 + n % 7919, PORT + n % 500, bytes(32), src=packets.stranger(n)) for n in range(4096)]
        self.send(flood, 20_000)
