"""The IP layer and the packet filter."""

from __future__ import annotations

import socket

from bpftop.demo.faults import packets
from bpftop.demo.faults.fault import Fault
from bpftop.demo.faults.namespace_changes import packet_filter, sysctl
from bpftop.demo.sides import WATCHED

PORT = 9100


class ReversePathFilter(Fault):
    """Packets with sources that have no way back, to a host that filters by reverse path."""

    id = "reverse-path-filter"

    def prepare(self) -> None:
        name = f"ipv4/conf/{WATCHED.interface}/rp_filter"
        sysctl(self.watched, name, 1)
        self.keep(lambda: sysctl(self.watched, name, 0))
        self.send([packets.udp(4000, PORT, bytes(64), src=packets.stranger(n)) for n in range(256)], 200)


class ChecksumErrors(Fault):
    """TCP segments and UDP datagrams with a bad checksum, to ports that are open."""

    id = "checksum-errors"

    def prepare(self) -> None:
        def open_ports() -> tuple[socket.socket, socket.socket]:
            tcp = socket.create_server((WATCHED.ipv4[0], PORT), backlog=16)
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.bind((WATCHED.ipv4[0], PORT))
            return tcp, udp

        for sock in self.watched(open_ports):
            self.keep(sock.close)
        bad = []
        for sport in range(5000, 5032):
            bad.append(packets.tcp(sport, PORT, packets.ACK, payload=bytes(20), spoil=1))
            bad.append(packets.udp(sport, PORT, bytes(20), spoil=1))
        self.send(bad, 200)


class FirewallDrops(Fault):
    """Datagrams that a rule of nftables drops."""

    id = "firewall-drops"

    def prepare(self) -> None:
        self.keep(packet_filter(self.watched, "input", [f"udp dport {PORT} drop"]))
        self.send([packets.udp(sport, PORT, bytes(40)) for sport in range(6000, 6064)], 500)


class IcmpFlood(Fault):
    """Pings, each of which is answered."""

    id = "icmp-flood"

    def prepare(self) -> None:
        self.route_strangers()
        self.send([packets.echo_request(n, bytes(56), src=packets.stranger(n)) for n in range(1024)], 8000)
