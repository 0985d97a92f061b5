"""Ordinary traffic of servers, clients and routers."""

from __future__ import annotations

import socket
from functools import partial

from bpftop.demo import frames
from bpftop.demo.faults import packets
from bpftop.demo.faults.fault import cpus
from bpftop.demo.faults.jobs import swallow_udp
from bpftop.demo.faults.namespace_changes import Beyond, inside, ip
from bpftop.demo.faults.steady_sender import blast
from bpftop.demo.faults.worker import Worker
from bpftop.demo.raw_mix import PRIORITY_TAG, SERVICE_TAG
from bpftop.demo.sides import GENERATOR, WATCHED, Side, other
from tests.faults.healthy.base import (
    LOG_PORT,
    MEGABYTE,
    QUIC_PORT,
    WEB_PORT,
    Healthy,
    received,
    received_bytes,
    sent,
    sent_bytes,
)
from tests.faults.jobs import answer_udp, pour_udp, resolve, serve_short
from tests.faults.scenario import counter


class BulkTcp(Healthy):
    """Bulk TCP both ways, 50 MB/s each."""

    id = "bulk-tcp"
    moves = (received_bytes(30 * MEGABYTE), sent_bytes(30 * MEGABYTE))

    def prepare(self) -> None:
        self.pour(GENERATOR, 50)
        self.pour(WATCHED, 50)


class ShortConnections(Healthy):
    """2 500 connections a second, each with a request and an answer."""

    id = "short-connections"
    moves = (counter("TcpPassiveOpens", 2000),)

    def prepare(self) -> None:
        self.visit(2500)


class QuicLike(Healthy):
    """Downloads over UDP 443 with acknowledgements, 60 % of the packets, beside downloads over TCP."""

    id = "quic-like"
    moves = (received(12_000), sent(2000))

    def prepare(self) -> None:
        self.serve_udp(QUIC_PORT)
        self.serve(self.generator, swallow_udp, address=GENERATOR.ipv4[0], port=QUIC_PORT)
        self.route_strangers()
        down = [
            packets.udp(QUIC_PORT, QUIC_PORT, bytes(1200 + n % 150), src=packets.stranger(n), spoil=0)
            for n in range(512)
        ]
        self.send(down, 13_000)
        self.add(
            Worker(
                self.watched,
                pour_udp,
                address=GENERATOR.ipv4[0],
                port=QUIC_PORT,
                size_bytes=45,
                per_sec=3000,
            )
        )
        self.pour(GENERATOR, 12.5)


class AuthoritativeDns(Healthy):
    """22 000 questions a second from 4 096 resolvers, each answered."""

    id = "authoritative-dns"
    moves = (received(20_000), sent(20_000))

    def prepare(self) -> None:
        self.route_strangers()
        self.serve(self.watched, answer_udp, address=WATCHED.ipv4[0], port=53, size_bytes=320)
        self.send([packets.udp(1024 + n, 53, bytes(45), src=packets.stranger(n)) for n in range(4096)], 22_000)


class RecursiveResolver(Healthy):
    """10 500 questions a second from clients, each asked upstream: half of what comes is from port 53."""

    id = "recursive-resolver"
    moves = (received(18_000), sent(18_000))

    def prepare(self) -> None:
        self.route_strangers()
        self.serve(self.generator, answer_udp, address=GENERATOR.ipv4[0], port=53, size_bytes=900)
        self.serve(
            self.watched,
            resolve,
            address=WATCHED.ipv4[0],
            upstream=GENERATOR.ipv4[0],
            size_bytes=900,
        )
        self.send([packets.udp(1024 + n, 53, bytes(45), src=packets.stranger(n)) for n in range(4096)], 10_500)


class ForwardingHost(Healthy):
    """A router: 2 200 short connections a second and UDP that only pass through."""

    id = "forwarding-host"
    moves = (counter("IpForwDatagrams", 20_000),)

    def prepare(self) -> None:
        beyond = Beyond(self.lab, WATCHED)
        self.keep(beyond.close)
        ip(self.generator, f"route add 198.19.0.0/24 via {WATCHED.ipv4[0]}")
        self.keep(lambda: ip(self.generator, "route delete 198.19.0.0/24"))
        self.serve(beyond.call, serve_short, address=beyond.address, port=WEB_PORT, size_bytes=3000)
        self.visit(2200, address=beyond.address)
        self.serve(beyond.call, swallow_udp, address=beyond.address, port=LOG_PORT)
        to = socket.inet_aton(beyond.address)
        self.send([packets.udp(1024 + n, LOG_PORT, bytes(300), dst=to) for n in range(256)], 12_000)


class HealthChecks(Healthy):
    """A load balancer that asks 2 200 times a second whether the port is open, and resets at once; beside bulk TCP."""

    id = "health-checks"
    moves = (counter("TcpPassiveOpens", 2000), received(15_000))
    may_move = (*Healthy.may_move, counter("TcpEstabResets"))

    def prepare(self) -> None:
        self.visit(2200, reset=True)
        self.pour(GENERATOR, 40)


class Ipv6Only(Healthy):
    """Bulk TCP and 2 200 short connections a second over IPv6."""

    id = "ipv6-only"
    ipv6 = True
    moves = (received(15_000), counter("TcpPassiveOpens", 2000))

    def prepare(self) -> None:
        self.pour(GENERATOR, 40, version=6)
        self.pour(WATCHED, 40, version=6)
        self.visit(2200, version=6)


class Vlan(Healthy):
    """Priority-tagged and twice tagged datagrams, both ways."""

    id = "vlan"
    moves = (received(20_000), sent(20_000))

    def prepare(self) -> None:
        for side in (GENERATOR, WATCHED):
            to = other(side)
            self.serve(inside(self.lab, to), swallow_udp, address=to.ipv4[0], port=LOG_PORT)
            place = inside(self.lab, side)
            self.add(blast(place, side.interface, [_tagged(side, n) for n in range(256)], 22_000))


def _tagged(side: Side, number: int) -> bytes:
    to = other(side)
    src, dst = socket.inet_aton(side.ipv4[0]), socket.inet_aton(to.ipv4[0])
    packet = frames.ipv4(src, dst, frames.PROTO_UDP, frames.udp(2000 + number, LOG_PORT, bytes(200)))
    tags = (PRIORITY_TAG,) if number % 4 else (SERVICE_TAG, PRIORITY_TAG)
    return frames.ethernet(to.mac_bytes, side.mac_bytes, frames.ETH_IPV4, packet, tags)


class JumboFrames(Healthy):
    """Bulk TCP both ways in frames of 9 000 bytes, 170 MB/s each."""

    id = "jumbo-frames"
    moves = (received_bytes(120 * MEGABYTE), sent_bytes(120 * MEGABYTE))

    def prepare(self) -> None:
        for side in (GENERATOR, WATCHED):
            place = inside(self.lab, side)
            ip(place, f"link set {side.interface} mtu 9000")
            self.keep(partial(ip, place, f"link set {side.interface} mtu 1500"))
        self.pour(GENERATOR, 170)
        self.pour(WATCHED, 170)


class BackupBurst(Healthy):
    """One TCP flow out at 100 MB/s."""

    id = "backup-burst"
    moves = (sent_bytes(60 * MEGABYTE),)

    def prepare(self) -> None:
        self.pour(WATCHED, 100, flows=1)


class Idle(Healthy):
    """Nothing at all."""

    id = "idle"
    moves = ()

    def prepare(self) -> None:
        pass


class SingleFlow(Healthy):
    """One flow of 25 000 datagrams a second: all on one CPU, which has time enough."""

    id = "single-flow"
    moves = (received(15_000),)

    def prepare(self) -> None:
        self.serve_udp(LOG_PORT)
        self.send([packets.udp(2000, LOG_PORT, bytes(200))], 25_000, cpus=cpus()[:1])
