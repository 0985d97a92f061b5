"""Tunnels: IPsec without an association, VXLAN of an unknown network, a protocol that nothing here takes."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

from bpftop.demo import frames
from bpftop.demo.faults import packets
from bpftop.demo.faults.namespace_changes import ip
from bpftop.demo.faults.worker import Worker
from bpftop.demo.sides import GENERATOR, WATCHED
from tests.faults.jobs import send_anyway
from tests.faults.scenario import Cell, Scenario, counter, drop

PORT = 9800
PROTO_ESP = 50
VXLAN_PORT, VNI, UNKNOWN_VNI = 4789, 42, 43


class EspWithoutAssociation(Scenario):
    """A peer that sends ESP after this host has lost its IPsec configuration, and each packet is refused."""

    id = "unknown-protocol"
    moves = (counter("IpInUnknownProtos", 100), drop("IP_NOPROTO", 100))

    def prepare(self) -> None:
        host = socket.inet_aton(WATCHED.ipv4[0])
        encrypted = (struct.pack("!II", 0xC0FFEE, number) + bytes(120) for number in range(1, 65))
        self.send([packets.frame(frames.ipv4(packets.SOURCE, host, PROTO_ESP, esp)) for esp in encrypted], 200)


class PolicyWithoutAssociation(Scenario):
    """A policy that wants all traffic to a peer encrypted, on a host where no key daemon runs."""

    id = "ipsec-drops"
    moves = (counter("XfrmOutNoStates", 10),)
    may_move = (counter("XfrmAcquireError"), counter("IpOutDiscards"), counter("IpOutNoRoutes"))

    def prepare(self) -> None:
        peer = GENERATOR.ipv4[0]
        add_policy(self, f"dir out dst {peer}/32 tmpl dst {peer} proto esp mode transport")
        self.add(Worker(self.watched, send_anyway, address=peer, port=PORT, per_sec=25))


class ClearInsteadOfEncrypted(Scenario):
    """A peer that sends in the clear what a policy here wants encrypted."""

    id = "ipsec-clear"
    finding = "ipsec-drops"
    moves = (counter("XfrmInTmplMismatch", 50),)
    may_move = (
        *(drop("XFRM_POLICY"), counter("UdpInErrors")),  # the policy is looked up for the socket
        Cell("udp_sockets", (4, None, PORT, None, None), "drops"),
    )

    def prepare(self) -> None:
        self.serve_udp(PORT)
        peer = GENERATOR.ipv4[0]
        add_policy(self, f"dir in src {peer}/32 tmpl src {peer} proto esp mode transport level required")
        self.send([packets.udp(5000 + n, PORT, bytes(80)) for n in range(32)], 100)


def add_policy(scenario: Scenario, words: str) -> None:
    """Add an IPsec policy on the watched side, in the words of `ip xfrm policy add`."""
    ip(scenario.watched, f"xfrm policy add {words}")
    scenario.keep(lambda: ip(scenario.watched, "xfrm policy flush"))


class VxlanUnknownNetwork(Scenario):
    """A peer whose VXLAN ID is one more than this host's, after a mistyped change."""

    id = "vxlan-unknown-vni"
    moves = (drop("VXLAN_VNI_NOT_FOUND", 50),)

    def prepare(self) -> None:
        vxlan_device(self, UNKNOWN_VNI)
        self.send(encapsulated(VNI), 100)


def vxlan_device(scenario: Scenario, vni: int) -> None:
    """Add a VXLAN device on the watched side."""
    ip(
        scenario.watched,
        f"link add vx0 type vxlan id {vni} dstport {VXLAN_PORT} local {WATCHED.ipv4[0]} remote {GENERATOR.ipv4[0]}",
        "link set vx0 up",
    )
    scenario.keep(lambda: ip(scenario.watched, "link delete vx0"))


def encapsulated(vni: int) -> Sequence[bytes]:
    """Return frames of a VXLAN network (RFC 7348), each with a broadcast of another source."""
    head = struct.pack("!II", 0x08 << 24, vni << 8)
    inner = [
        frames.ethernet(frames.BROADCAST, bytes((2, 0, 0, 0, 1, number)), frames.ETH_IPV4, bytes(46))
        for number in range(32)
    ]
    return [packets.udp(49152 + number, VXLAN_PORT, head + frame) for number, frame in enumerate(inner)]
