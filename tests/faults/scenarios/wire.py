"""Faults of the interface: storms of packets, and XDP programs that drop packets."""

from __future__ import annotations

import socket

from bpftop.demo import frames
from bpftop.demo.sides import GENERATOR, WATCHED
from tests.faults import packets
from tests.faults.scenario import Cell, Scenario
from tests.faults.xdp_program import attach

PORT = 9500
XDP_ABORTED = 0
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
