"""The link and the way that packets take: no carrier, no route, a route in a circle."""

from __future__ import annotations

import time
from functools import partial

from bpftop.demo import frames
from bpftop.demo.faults import packets
from bpftop.demo.faults.jobs import pour_tcp, swallow_tcp
from bpftop.demo.faults.namespace_changes import Beyond, ip, packet_filter, sysctl
from bpftop.demo.faults.worker import Inside, Worker
from bpftop.demo.sides import GENERATOR, WATCHED, Side
from tests.faults.jobs import flap_link, send_anyway, upload_slowly
from tests.faults.scenario import Cell, Scenario, counter, drop

PORT = 9700
NOWHERE = "203.0.113.0/24"
"""A network for documentation (RFC 5737), which no route of the lab leads to."""

CARRIER = Cell("links", (WATCHED.interface,), "carrier_changes", 0.5)


class NoCarrier(Scenario):
    """The other end of the cable is switched off, after it has sent something."""

    id = "no-carrier"
    moves = (CARRIER,)
    may_move = (drop("NO_TX_TARGET"), drop("DEV_READY"))

    def prepare(self) -> None:
        self.serve_udp(PORT)
        usual = self.send([packets.udp(9000, PORT, bytes(50))], 20)
        usual.ready().go()
        time.sleep(0.3)
        usual.stop()
        self.workers.remove(usual)
        self.keep(lambda: ip(self.generator, f"link set {GENERATOR.interface} up"))

    def begin(self) -> None:
        super().begin()
        ip(self.generator, f"link set {GENERATOR.interface} down")

    def end(self) -> None:
        super().end()
        ip(self.generator, f"link set {GENERATOR.interface} up")


class LinkFlaps(Scenario):
    """The other end of the cable goes down and up again, twice a second."""

    id = "link-flaps"
    finding = "no-carrier"
    moves = (CARRIER,)

    def prepare(self) -> None:
        self.add(Worker(self.generator, flap_link, interface=GENERATOR.interface, period_s=0.5))


class DeadGateway(Scenario):
    """A default gateway that is down: nobody answers ARP for its address, and a program goes on sending."""

    id = "neighbour-unresolved"
    moves = (drop("NEIGH_FAILED", 5),)

    def prepare(self) -> None:
        ip(self.watched, "route add default via 198.18.0.77")
        self.keep(lambda: ip(self.watched, "route delete default"))
        self.add(Worker(self.watched, send_anyway, address="203.0.113.9", port=PORT, per_sec=20))


class DeadNeighbour(Scenario):
    """A host on the same network that is down, while a program goes on sending to its address."""

    id = "dead-neighbour"
    finding = "neighbour-unresolved"
    moves = (drop("NEIGH_FAILED", 5),)

    def prepare(self) -> None:
        self.add(Worker(self.watched, send_anyway, address="198.18.0.99", port=PORT, per_sec=20))


class DeadIpv6Neighbour(Scenario):
    """A host on the same network that is down, while a program goes on sending to its IPv6 address."""

    id = "dead-ipv6-neighbour"
    finding = "neighbour-unresolved"
    moves = (counter("Icmp6OutDestUnreachs", 2),)

    def prepare(self) -> None:
        switch = f"ipv6/conf/{WATCHED.interface}/disable_ipv6"
        sysctl(self.watched, switch, 0)
        self.keep(lambda: sysctl(self.watched, switch, 1))
        ip(self.watched, f"address add {WATCHED.ipv6[0]}/64 dev {WATCHED.interface} nodad")
        self.add(Worker(self.watched, send_anyway, address=f"{WATCHED.ipv6[0]}99", port=PORT, per_sec=20))


class NoRouteOut(Scenario):
    """A program that sends datagrams to a network for which this host has no route."""

    id = "no-route-out"
    moves = (counter("IpOutNoRoutes", 20),)

    def prepare(self) -> None:
        self.add(Worker(self.watched, send_anyway, address="203.0.113.9", port=PORT, per_sec=50))


class BlackholeRoute(Scenario):
    """A blackhole route for a host with which connections are open, each sending again and again."""

    id = "blackhole-route"
    finding = "no-route-out"
    moves = (counter("IpOutNoRoutes", 1),)
    may_move = (counter("TcpExtTCPTimeouts"), counter("TcpRetransSegs"), drop("IP_OUTNOROUTES"))

    def prepare(self) -> None:
        beyond = Beyond(self.lab, GENERATOR)
        self.keep(beyond.close)
        self._route = f"{beyond.address}/32"
        ip(self.watched, f"route add {self._route} via {GENERATOR.ipv4[0]}")
        self.keep(lambda: ip(self.watched, f"route delete {self._route}"))
        server = Worker(beyond.call, swallow_tcp, address=beyond.address, port=PORT)
        self.keep(server.stop)
        server.ready().go()
        pour = Worker(
            self.watched, pour_tcp, address=beyond.address, port=PORT, flows=64,
            bytes_per_sec=2_000_000,
        )  # fmt: skip
        self.add(pour).ready().go()
        self.workers.remove(pour)  # flows before the fault as well

    def begin(self) -> None:
        super().begin()
        ip(self.watched, f"route replace blackhole {self._route}")

    def end(self) -> None:
        super().end()
        ip(self.watched, f"route replace {self._route} via {GENERATOR.ipv4[0]}")


class RefusingRoute(Scenario):
    """A prohibit route for a network to which a program sends datagrams. No counter of the kernel moves."""

    id = "refusing-route"
    finding = "no-route-out"
    moves = (Cell("rejected_sends", ("4", "sent"), "packets", 20),)

    def prepare(self) -> None:
        self.add(Worker(self.watched, send_anyway, address="203.0.113.9", port=PORT, per_sec=50))

    def begin(self) -> None:
        ip(self.watched, f"route add prohibit {NOWHERE}")
        self.keep(lambda: ip(self.watched, f"route delete {NOWHERE}"))
        super().begin()


class RoutingLoop(Scenario):
    """Two routers, each of which takes the other for the way to a network: each packet goes round 32 times."""

    id = "routing-loop"
    moves = (counter("IpInHdrErrors", 50), counter("IpForwDatagrams", 1000), drop("IP_INHDR", 50))

    def prepare(self) -> None:
        for place, gateway in ((self.watched, GENERATOR.ipv4[0]), (self.generator, WATCHED.ipv4[0])):
            sysctl(place, "ipv4/ip_forward", 1)
            ip(place, f"route add {NOWHERE} via {gateway}")
            self.keep(partial(sysctl, place, "ipv4/ip_forward", 0))
            self.keep(partial(ip, place, f"route delete {NOWHERE}"))
        self.route_strangers()
        circling = []
        for number in range(64):
            to = bytes((203, 0, 113, 1 + number))
            datagram = frames.udp(4000 + number, PORT, bytes(100))
            circling.append(frames.ipv4(packets.stranger(number), to, frames.PROTO_UDP, datagram, ttl=63))
        self.send([packets.frame(packet) for packet in circling], 100)


class MtuBlackHole(Scenario):
    """Uploads over a path with a link of MTU 1 280 behind a firewall that drops all ICMP."""

    id = "mtu-black-hole"
    moves = (counter("TcpExtTCPTimeouts", 2),)
    may_move = (counter("TcpRetransSegs"), counter("TcpExtTCPLostRetransmit"))

    def prepare(self) -> None:
        beyond = narrow_link(self, GENERATOR)
        self.keep(packet_filter(self.generator, "output", ["ip protocol icmp drop"]))
        ip(self.watched, f"route add {beyond.address}/32 via {GENERATOR.ipv4[0]}")
        self.keep(lambda: ip(self.watched, f"route delete {beyond.address}/32"))
        upload(self, self.watched, beyond)


class MtuBlackHoleRouter(Scenario):
    """This host is the router before a link of MTU 1 280, and its own firewall drops the ICMP that it sends."""

    id = "mtu-black-hole-router"
    finding = "mtu-black-hole"
    moves = (counter("IpFragFails", 2),)
    may_move = (drop("PKT_TOO_BIG"), drop("NETFILTER_DROP"))

    def prepare(self) -> None:
        beyond = narrow_link(self, WATCHED)
        self.keep(packet_filter(self.watched, "output", ["icmp type destination-unreachable drop"]))
        ip(self.generator, f"route add {beyond.address}/32 via {WATCHED.ipv4[0]}")
        self.keep(lambda: ip(self.generator, f"route delete {beyond.address}/32"))
        upload(self, self.generator, beyond)


def narrow_link(scenario: Scenario, behind: Side) -> Beyond:
    """Return a host behind one of the two sides, over a link of MTU 1 280 that its other end does not know of."""
    beyond = Beyond(scenario.lab, behind)
    scenario.keep(beyond.close)
    ip(beyond.near, f"link set {beyond.near_interface} mtu 1280")
    server = Worker(beyond.call, swallow_tcp, address=beyond.address, port=PORT)
    scenario.keep(server.stop)
    server.ready().go()
    return beyond


def upload(scenario: Scenario, place: Inside, beyond: Beyond, per_sec: float = 10) -> None:
    """Let clients send a small request, then 200 kB, at a rate."""
    client = Worker(place, upload_slowly, address=beyond.address, port=PORT, per_sec=per_sec, size_bytes=200_000)
    scenario.add(client)
