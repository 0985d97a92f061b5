"""Healthy neighbours of faults: traffic that looks like a fault in one number."""

from __future__ import annotations

import socket
import time
from functools import partial
from typing import Any

from bpftop.demo import frames
from bpftop.demo.faults import packets
from bpftop.demo.faults.jobs import pour_tcp, swallow_tcp
from bpftop.demo.faults.namespace_changes import Beyond, ip, packet_filter, token_bucket
from bpftop.demo.faults.worker import Worker
from bpftop.demo.sides import GENERATOR, WATCHED
from tests.faults.healthy.base import (
    BULK_PORT,
    LOG_PORT,
    MEGABYTE,
    WEB_PORT,
    Healthy,
    received,
    received_bytes,
    sent_bytes,
)
from tests.faults.jobs import answer_udp, answer_with_restarts, ask_udp, mount, pour_udp, serve_short, visit
from tests.faults.scenario import Cell, counter, drop
from tests.faults.scenarios.route import narrow_link, upload


class MemcachedClient(Healthy):
    """A client of memcached over UDP: 100 requests a second, each answered with 20 datagrams of 1 400 bytes."""

    id = "memcached-client"
    moves = (received(1500), counter("UdpInDatagrams", 1500))

    def prepare(self) -> None:
        server: dict[str, Any] = {"address": GENERATOR.ipv4[0], "port": 11211}
        self.serve(self.generator, answer_udp, size_bytes=1400, answers=20, **server)
        self.serve(self.watched, ask_udp, per_sec=100, **server)


class LargeDatagrams(Healthy):
    """A database interconnect: 400 datagrams of 8 kB a second, each in six fragments that are all put together."""

    id = "large-datagrams"
    moves = (received(2000), counter("IpReasmOKs", 300))

    def prepare(self) -> None:
        self.serve_udp(LOG_PORT)
        server: dict[str, Any] = {"address": WATCHED.ipv4[0], "port": LOG_PORT}
        self.add(Worker(self.generator, pour_udp, size_bytes=8000, per_sec=400, **server))


class MirrorPort(Healthy):
    """A mirror port: 4 000 DNS answers a second to MAC addresses of other hosts, whose questions it does not see."""

    id = "mirror-port"
    moves = (received(3000),)

    def prepare(self) -> None:
        answers = [packets.udp(53, 20_000 + n, bytes(900), src=packets.stranger(n)) for n in range(512)]
        elsewhere = bytes.fromhex("026270660099")
        self.send([elsewhere + answer[6:] for answer in answers], 4000)


class BurstOfClients(Healthy):
    """300 clients that connect at once to a server with a queue of 32 and accept it all within a second or two."""

    id = "burst-of-clients"
    moves = (counter("TcpPassiveOpens", 10),)
    may_move = (*Healthy.may_move, counter("TcpExtListenOverflows"), counter("TcpExtListenDrops"))

    def prepare(self) -> None:
        server: dict[str, Any] = {"address": WATCHED.ipv4[0], "port": WEB_PORT}
        self.serve(self.watched, serve_short, size_bytes=100, backlog=32, **server)
        self.add(Worker(self.generator, mount, clients=300, per_sec=20, **server))


class Shaper(Healthy):
    """TCP through a shaper of 200 Mb/s on the watched host, whose drops slow the senders down."""

    id = "shaper"
    moves = (sent_bytes(15 * MEGABYTE),)
    may_move = (*Healthy.may_move, Cell("qdiscs", (WATCHED.interface, "tbf", None), "drops"), drop("QDISC_DROP"))

    def prepare(self) -> None:
        self.keep(token_bucket(self.watched, WATCHED.interface, "200mbit", "128kb", "2mb"))
        self.serve(self.generator, swallow_tcp, address=GENERATOR.ipv4[0], port=BULK_PORT)
        server: dict[str, Any] = {"address": GENERATOR.ipv4[0], "port": BULK_PORT}
        self.add(Worker(self.watched, pour_tcp, flows=4, **server))


class StatefulFirewall(Healthy):
    """A firewall that drops what fits no connection, before 500 short connections a second and as many that reset."""

    id = "stateful-firewall"
    moves = (counter("TcpPassiveOpens", 600),)
    may_move = (*Healthy.may_move, counter("TcpEstabResets"), drop("NETFILTER_DROP"))

    def prepare(self) -> None:
        self.keep(packet_filter(self.watched, "input", ["ct state invalid drop", "ct state established,new accept"]))
        self.visit(500)
        server: dict[str, Any] = {"address": WATCHED.ipv4[0], "port": WEB_PORT}
        self.add(Worker(self.generator, visit, sources=GENERATOR.ipv4, per_sec=500, reset=True, **server))


class VxlanOverlay(Healthy):
    """Bulk TCP through a VXLAN tunnel between the two hosts, 20 MB/s."""

    id = "vxlan-overlay"
    moves = (received_bytes(12 * MEGABYTE),)

    def prepare(self) -> None:
        for place, own, peer, number in (
            (self.watched, WATCHED.ipv4[0], GENERATOR.ipv4[0], 1),
            (self.generator, GENERATOR.ipv4[0], WATCHED.ipv4[0], 2),
        ):
            ip(
                place,
                f"link add vx0 type vxlan id 42 dstport 4789 local {own} remote {peer}",
                f"address add 198.19.7.{number}/24 dev vx0",
                "link set vx0 up",
            )
            self.keep(partial(ip, place, "link delete vx0"))
        server: dict[str, Any] = {"address": "198.19.7.1", "port": BULK_PORT}
        self.serve(self.watched, swallow_tcp, **server)
        self.add(Worker(self.generator, pour_tcp, flows=2, bytes_per_sec=20 * MEGABYTE, **server))


class StandbyTakesOver(Healthy):
    """A standby host that takes over eight addresses from another one, once, and goes on talking from them."""

    id = "standby-takes-over"
    moves = (received(10),)

    def prepare(self) -> None:
        self.serve_udp(LOG_PORT)
        addresses = [f"198.18.0.{60 + number}" for number in range(8)]
        for mac, per_sec, most in (("02:62:70:66:00:41", 200, 64), ("02:62:70:66:00:42", 20, None)):
            source = bytes.fromhex(mac.replace(":", ""))
            announcements = []
            for address in map(socket.inet_aton, addresses):
                body = frames.arp_request(source, address, address)
                announcements.append(frames.ethernet(frames.BROADCAST, source, frames.ETH_ARP, body))
            worker = self.send(announcements, per_sec, most=most)
            if most is not None:  # the first host has announced itself before the other one does
                worker.ready().go()
                time.sleep(0.5)
                self.workers.remove(worker)


class PathMtuDiscovery(Healthy):
    """Uploads from this host, 20 a second, over a link of MTU 1 280 whose router says so by ICMP."""

    id = "path-mtu-discovery"
    moves = (sent_bytes(2 * MEGABYTE),)
    may_move = (*Healthy.may_move, counter("IpFragFails"))

    def prepare(self) -> None:
        beyond = narrow_link(self, GENERATOR)
        ip(self.watched, f"route add {beyond.address}/32 via {GENERATOR.ipv4[0]}")
        self.keep(lambda: ip(self.watched, f"route delete {beyond.address}/32"))
        upload(self, self.watched, beyond, 20)


class NarrowLinkRouter(Healthy):
    """A router before a link of MTU 1 280 that tells senders so: uploads of 200 kB, 20 a second."""

    id = "narrow-link-router"
    moves = (received_bytes(2 * MEGABYTE),)
    may_move = (*Healthy.may_move, counter("IpFragFails"), drop("PKT_TOO_BIG"))

    def prepare(self) -> None:
        beyond = narrow_link(self, WATCHED)
        ip(self.generator, f"route add {beyond.address}/32 via {WATCHED.ipv4[0]}")
        self.keep(lambda: ip(self.generator, f"route delete {beyond.address}/32"))
        upload(self, self.generator, beyond, 20)


class ServiceRestarts(Healthy):
    """A UDP service that is restarted every 12 s, in half a second, while clients ask it 300 times a second."""

    id = "service-restarts"
    moves = (received(150),)
    may_move = (*Healthy.may_move, counter("UdpNoPorts"), drop("NO_SOCKET"))

    def prepare(self) -> None:
        self.serve(
            self.watched,
            answer_with_restarts,
            address=WATCHED.ipv4[0],
            port=LOG_PORT,
            every_s=12,
            pause_s=0.5,
        )
        self.send([packets.udp(7300 + n, LOG_PORT, bytes(60)) for n in range(64)], 300)


class UploadThroughSlowLine(Healthy):
    """One upload through a line of 20 Mb/s two hops away, which loses segments while TCP finds out its speed."""

    id = "upload-through-slow-line"
    moves = (sent_bytes(1.5 * MEGABYTE),)

    def prepare(self) -> None:
        beyond = Beyond(self.lab, GENERATOR)
        self.keep(beyond.close)
        ip(self.watched, f"route add {beyond.address}/32 via {GENERATOR.ipv4[0]}")
        self.keep(lambda: ip(self.watched, f"route delete {beyond.address}/32"))
        token_bucket(self.generator, beyond.near_interface, "20mbit", "10kb", "250kb")
        server: dict[str, Any] = {"address": beyond.address, "port": BULK_PORT}
        self.serve(beyond.call, swallow_tcp, **server)
        self.add(Worker(self.watched, pour_tcp, flows=1, **server))
