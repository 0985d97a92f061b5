"""Faults of the interface: storms of packets, and XDP programs that drop packets."""

from __future__ import annotations

import socket

from bpftop.demo import frames
from bpftop.demo.faults import packets
from bpftop.demo.sides import GENERATOR, WATCHED
from tests.faults.scenario import Cell, Scenario, counter, drop
from tests.faults.xdp_program import attach

PORT = 9500
XDP_ABORTED, XDP_DROP = 0, 1
NO_ACTION = 7  # XDP has the actions 0 to 4


class PacketStorm(Scenario):
    """A service with 200 packets a second that gets 20 000, and reads all of them."""

    id = "packet-storm"
    compares = True
    moves = (Cell("links", (WATCHED.interface,), "rx_packets", 10_000),)

    def prepare(self) -> None:
        self.serve_udp(PORT)
        usual = self.send([packets.udp(9000 + n, PORT, bytes(120)) for n in range(16)], 200)
        usual.ready().go()
        self.workers.remove(usual)  # flows before the storm and after it
        self.send([packets.udp(10000 + n, PORT, bytes(120)) for n in range(512)], 20_000)


class BroadcastStorm(Scenario):
    """A loop in the network: the same broadcasts, ARP requests among them, again and again."""

    id = "broadcast-storm"
    moves = (Cell("links", (WATCHED.interface,), "rx_packets", 2000),)

    def prepare(self) -> None:
        absent = socket.inet_aton("198.18.0.77")
        request = frames.arp_request(GENERATOR.mac_bytes, packets.SOURCE, absent)
        asked = packets.frame(request, ethertype=frames.ETH_ARP, dst=frames.BROADCAST)
        everyone = socket.inet_aton("198.18.0.255")
        named = packets.udp(137, 137, bytes(50), dst=everyone)
        self.send([asked, frames.BROADCAST + named[6:]], 4000)


class MulticastFlood(Scenario):
    """Streams of a group that nobody here has joined, flooded by a switch as if to all ports."""

    id = "multicast-flood"
    moves = (Cell("links", (WATCHED.interface,), "rx_packets", 2000),)
    may_move = (counter("IpInAddrErrors"), counter("IpExtInNoRoutes"), drop("IP_INVALID_SOURCE"), drop("IP_LOCALNET"))

    def prepare(self) -> None:
        group = bytes((239, 1, 2, 3))
        datagrams = (frames.udp(5000 + n, 5004, bytes(1200)) for n in range(64))
        flood = [frames.ipv4(packets.SOURCE, group, frames.PROTO_UDP, datagram) for datagram in datagrams]
        self.send([packets.frame(packet, dst=bytes.fromhex("01005e010203")) for packet in flood], 3000)


class MembershipFlood(Scenario):
    """A host that joins groups without end: 600 IGMPv2 reports a second."""

    id = "membership-flood"
    finding = "multicast-flood"
    moves = (Cell("protocols", (WATCHED.interface, None, 2), "packets", 300),)

    def prepare(self) -> None:
        reports = []
        for number in range(64):
            group = bytes((239, 2, 0, 1 + number))
            body = b"\x16\0\0\0" + group
            report = body[:2] + frames.internet_checksum(body).to_bytes(2, "big") + group
            packet = frames.ipv4(packets.SOURCE, group, 2, report, ttl=1)
            reports.append(packets.frame(packet, dst=bytes.fromhex("01005e0200") + bytes((1 + number,))))
        self.send(reports, 600)


class Solicitations(Scenario):
    """A host that looks for one IPv6 neighbour after the other: 900 solicitations a second."""

    id = "neighbour-solicitations"
    finding = "broadcast-storm"
    moves = (Cell("links", (WATCHED.interface,), "rx_packets", 450),)

    def prepare(self) -> None:
        source = socket.inet_pton(socket.AF_INET6, GENERATOR.ipv6[0])
        wanted = (source[:14] + number.to_bytes(2, "big") for number in range(4096, 4608))
        self.send([frames.neighbour_solicitation(GENERATOR.mac_bytes, source, target) for target in wanted], 900)


class XdpDrops(Scenario):
    """Somebody's XDP program drops datagrams to one port, and passes the rest."""

    id = "xdp-drops"
    moves = (Cell("nic", (WATCHED.interface, None), "count", 250),)

    def prepare(self) -> None:
        self.keep(self.watched(lambda: attach(WATCHED.interface, PORT, XDP_DROP)))
        self.serve_udp(PORT + 1)
        self.send([packets.udp(11000 + n, PORT + n % 2, bytes(40)) for n in range(32)], 1000)


class XdpExceptions(Scenario):
    """Somebody's XDP program on the watched interface gives packets to one port no action that there is."""

    id = "xdp-exceptions"
    moves = (Cell("xdp_exceptions", (WATCHED.interface, None, None), "packets", 250),)
    may_move = (Cell("nic", (WATCHED.interface, "rx_queue_0_xdp_drops"), "count"),)
    action = XDP_ABORTED

    def prepare(self) -> None:
        self.keep(self.watched(lambda: attach(WATCHED.interface, PORT, self.action)))
        self.send([packets.udp(11000 + n, PORT, bytes(40)) for n in range(32)], 500)


class XdpIllegalAction(XdpExceptions):
    """An XDP program returns an action that does not exist."""

    id = "xdp-illegal-action"
    finding = "xdp-exceptions"
    action = NO_ACTION


class XdpProgramReplaced(XdpExceptions):
    """An XDP program that returns no action is taken off, and the traffic goes on as before."""

    id = "xdp-program-replaced"
    finding = "xdp-exceptions"

    def prepare(self) -> None:
        self.serve_udp(PORT)
        self._detach = self.watched(lambda: attach(WATCHED.interface, PORT, self.action))
        self.keep(self._off)
        self.send([packets.udp(11000 + n, PORT, bytes(40)) for n in range(32)], 500)

    def end(self) -> None:
        self._off()

    def _off(self) -> None:
        detach, self._detach = self._detach, lambda: None
        detach()
