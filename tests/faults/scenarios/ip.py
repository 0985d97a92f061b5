"""The IP layer and the packet filter."""

from __future__ import annotations

import struct

from bpftop.demo import frames
from bpftop.demo.faults import ip as offered
from bpftop.demo.faults import packets
from bpftop.demo.faults.namespace_changes import sysctl
from tests.faults.scenario import Scenario, counter, drop

PORT = 9100


def fragment(identifier: int, offset: int, more: bool, payload: bytes, *, src: bytes = packets.SOURCE) -> bytes:
    """Return a frame with one fragment of a UDP datagram (RFC 791); ``offset`` in bytes, a multiple of 8."""
    flags = (0x2000 if more else 0) | offset // 8
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), identifier, flags, 64, frames.PROTO_UDP, 0, src, packets.HOST
    )
    return packets.frame(head[:10] + struct.pack("!H", frames.internet_checksum(head)) + head[12:] + payload)


class ReversePathFilter(offered.ReversePathFilter, Scenario):
    moves = (counter("TcpExtIPReversePathFilter", 100), drop("IP_RPFILTER", 100))


class ChecksumErrors(offered.ChecksumErrors, Scenario):
    moves = (
        counter("TcpInCsumErrors", 50),
        counter("TcpInErrs", 50),
        counter("UdpInCsumErrors", 50),
        counter("UdpInErrors", 50),
        drop("TCP_CSUM", 50),
        drop("UDP_CSUM", 50),
    )


class FirewallDrops(offered.FirewallDrops, Scenario):
    moves = (drop("NETFILTER_DROP", 250),)


class IcmpFlood(offered.IcmpFlood, Scenario):
    moves = (counter("IcmpInMsgs", 5000),)


class FragmentFlood(Scenario):
    """First fragments whose rest never comes: the memory for reassembly fills, and they time out after 2 s."""

    id = "fragment-flood"
    moves = (counter("IpReasmFails", 500),)
    may_move = (counter("IpReasmTimeout"), drop("FRAG_REASM_TIMEOUT"))

    def prepare(self) -> None:
        sysctl(self.watched, "ipv4/ipfrag_time", 2)
        self.keep(lambda: sysctl(self.watched, "ipv4/ipfrag_time", 30))
        self.route_strangers()
        datagram = frames.udp(5000, PORT, bytes(2000))
        firsts = [fragment(n, 0, True, datagram[:800], src=packets.stranger(n)) for n in range(8192)]
        self.send(firsts, 4000)


class LostFragments(Scenario):
    """Datagrams of 8 kB that lose their last fragment on the way; their rest waits the usual 30 s."""

    id = "lost-fragments"
    finding = "fragment-flood"
    moves = (counter("IpReasmReqds", 1000),)
    may_move = (counter("IpReasmFails"), counter("IpReasmTimeout"), drop("FRAG_REASM_TIMEOUT"))

    def prepare(self) -> None:
        datagram = frames.udp(5001, PORT, bytes(8000))
        parts = []
        for number in range(2048):
            for at in range(0, 7400, 1480):
                parts.append(fragment(number, at, True, datagram[at : at + 1480], src=packets.stranger(number)))
        self.send(parts, 4000)


class MalformedPackets(Scenario):
    """Headers that contradict themselves: length, version, checksum; and packets that end too early."""

    id = "malformed-packets"
    moves = (
        counter("IpInHdrErrors", 90),
        counter("IpExtInCsumErrors", 30),
        counter("IpExtInTruncatedPkts", 30),
        drop("IP_INHDR", 60),
        drop("IP_CSUM", 30),
        drop("PKT_TOO_SMALL", 30),
    )

    def prepare(self) -> None:
        whole = packets.udp(8000, PORT, bytes(40))
        head, packet = whole[:14], whole[14:]
        bad_length = b"\x43" + packet[1:]  # a header of 12 bytes
        bad_version = b"\x55" + packet[1:]
        bad_checksum = packet[:10] + bytes(2) + packet[12:]
        truncated = packet[:30]  # says 68
        self.send([head + bad for bad in (bad_length, bad_version, bad_checksum, truncated)], 240)
