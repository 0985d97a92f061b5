"""The traffic of each side of the lab: kinds, rates and sizes.

Mean rates add up to about 5 000 packets per second, both directions together, at scale 1.
"""

import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import cycle, product
from random import Random
from typing import Literal, NamedTuple

from bpftop.demo import frames
from bpftop.demo.datagrams import DatagramServer, PacketSender
from bpftop.demo.event_loop import Pace, PacketSource, Reactor
from bpftop.demo.raw_mix import VOICE_PORT, raw_frames
from bpftop.demo.sides import GENERATOR, WATCHED, Side, other
from bpftop.demo.streams import (
    MSS_BYTES,
    ClosedPortConnects,
    Connect,
    DownloadClients,
    DownloadServer,
    TcpSockets,
    Upload,
    WebClient,
    WebServer,
)

BULK_PORT = 8443  # uploads
FETCH_PORT = 443  # downloads
WEB_PORT = 80
CLOSED_PORT = 8081
MDNS_PORT = 5353
SSDP_PORT = 1900
MDNS_GROUP = "224.0.0.251"
SSDP_GROUP = "239.255.255.250"
TURNS = 64  # prepared packets per source; they repeat after that


class UdpService(NamedTuple):
    """A UDP service: `client` sends `per_sec` requests to `dport`; each is answered by `replies` datagrams."""

    client: Side
    version: Literal[4, 6]
    dport: int
    per_sec: float
    request_bytes: tuple[int, int]
    reply_bytes: tuple[int, int]
    replies: int = 1


UDP_SERVICES = (
    UdpService(WATCHED, 4, 53, 90, (28, 70), (60, 480)),
    UdpService(WATCHED, 6, 53, 30, (28, 70), (90, 480)),
    UdpService(GENERATOR, 4, 53, 25, (28, 70), (60, 480)),
    UdpService(WATCHED, 4, 123, 4, (48, 48), (48, 48)),
    UdpService(GENERATOR, 4, 161, 6, (60, 90), (90, 900)),
    UdpService(GENERATOR, 4, 443, 24, (40, 90), (1200, 1350), 12),  # QUIC-like: acknowledgements out, full packets back
    UdpService(WATCHED, 4, 443, 20, (40, 90), (1200, 1350), 12),
    UdpService(WATCHED, 6, 443, 10, (40, 90), (1200, 1350), 12),
    UdpService(GENERATOR, 4, 2049, 4, (120, 180), (4096, 8192)),  # larger than the MTU: fragments
    UdpService(WATCHED, 4, 2049, 3, (120, 180), (4096, 4096)),
    UdpService(GENERATOR, 4, 514, 20, (90, 700), (0, 0), 0),  # log lines without replies
)
# Bulk TCP from the generator's hosts: IP version, full segments per second.
UPLOADS = ((4, 620.0), (4, 260.0), (4, 130.0), (6, 320.0))
DOWNLOAD_SEGMENTS_PER_SEC = 620.0
FETCH_VERSIONS = (4, 4, 6)
FLOW_LIFE_SEGMENTS = 12_000
REOPEN_PER_SEC = 20.0
VISITS_PER_SEC = {GENERATOR.name: 22.0, WATCHED.name: 9.0}
CLOSED_PORT_CONNECTS_PER_SEC = {GENERATOR.name: 2.5, WATCHED.name: 0.5}


class TrafficMix:
    """All clients, servers and senders of one side.

    `scale` multiplies all rates. The order and sizes of packets are the same in every run, but not their timing. Raises
    OSError when a socket cannot be made (AF_PACKET needs CAP_NET_RAW).
    """

    def __init__(self, side: Side, reactor: Reactor, *, ipv6: bool, scale: float) -> None:
        self._side = side
        self._peer = other(side)
        self._reactor = reactor
        self._versions: tuple[int, ...] = (4, 6) if ipv6 else (4,)
        self._scale = scale
        self._rng = Random(side.name)
        self._payload = memoryview(self._rng.randbytes(1 << 16))
        self.paced: list[tuple[Pace, PacketSource]] = []
        self._passive: list[DatagramServer | TcpSockets] = []
        self._add_servers()
        self._add_udp_clients()
        self._add_streams()
        self._add_frames()
        self._add_tunnels()
        self._add_multicast()

    def close(self) -> None:
        """Close all sockets."""
        for _, source in self.paced:
            source.close()
        for server in self._passive:
            server.close()

    def _pace(self, per_sec: float, source: PacketSource) -> None:
        self.paced.append((Pace(per_sec * self._scale, self._rng), source))

    def _slices(self, sizes: tuple[int, int]) -> list[memoryview]:
        return [self._payload[: self._rng.randint(*sizes)] for _ in range(TURNS)]

    def _hosts(self, side: Side, version: int) -> tuple[str, ...]:
        return side.ipv6 if version == 6 else side.ipv4

    def _socket(self, version: int, kind: int, host: str = "", port: int = 0, protocol: int = 0) -> socket.socket:
        family = socket.AF_INET6 if version == 6 else socket.AF_INET
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if version == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if host or port:
            sock.bind((host, port))
        return sock

    def _listeners(self, port: int) -> tuple[socket.socket, ...]:
        listeners = tuple(self._socket(version, socket.SOCK_STREAM, port=port) for version in self._versions)
        for listener in listeners:
            listener.listen(128)
        return listeners

    def _connects(self, version: int, port: int) -> list[Connect]:
        """Return a connect function per pair of addresses. A socket that cannot connect fails at its first use."""

        def connect_from(host: str, peer: str) -> socket.socket:
            sock = self._socket(version, socket.SOCK_STREAM)
            with suppress(OSError):  # in progress; or the veth pair is down, and its IPv6 addresses with it
                sock.bind((host, 0))
                sock.connect((peer, port))
            return sock

        pairs = product(self._hosts(self._side, version), self._hosts(self._peer, version))
        return [partial(connect_from, host, peer) for host, peer in pairs]

    def _connects_mixed(self, port: int) -> Iterator[Connect]:
        choices = [connect for version in self._versions for connect in self._connects(version, port)]
        return cycle(self._rng.sample(choices, len(choices)))

    def _add_servers(self) -> None:
        for service in UDP_SERVICES:
            if service.client is not self._side and service.version in self._versions:
                # A socket per host: a reply must come from the requested address.
                hosts = self._hosts(self._side, service.version)
                socks = [self._socket(service.version, socket.SOCK_DGRAM, host, service.dport) for host in hosts]
                payloads = self._slices(service.reply_bytes)
                self._passive.append(DatagramServer(self._reactor, socks, payloads, service.replies))
        pages = cycle(self._slices((300, 14_000)))
        self._passive.append(WebServer(self._reactor, self._listeners(WEB_PORT), pages))
        self._passive.append(DatagramServer(self._reactor, [self._socket(4, socket.SOCK_DGRAM, port=VOICE_PORT)]))

    def _add_udp_clients(self) -> None:
        for service in UDP_SERVICES:
            if service.client is not self._side or service.version not in self._versions:
                continue
            flows = []
            hosts, peers = self._hosts(self._side, service.version), self._hosts(self._peer, service.version)
            for host, peer in product(hosts, peers):
                sock = self._socket(service.version, socket.SOCK_DGRAM, host)
                sock.connect((peer, service.dport))
                flows.append(sock)
            turns = list(zip(cycle(flows), self._slices(service.request_bytes), strict=False))
            self._pace(service.per_sec, PacketSender(self._reactor, turns))

    def _add_streams(self) -> None:
        if self._side is WATCHED:
            self._passive.append(TcpSockets(self._reactor, self._listeners(BULK_PORT)))
            downloads = DownloadServer(self._reactor, self._listeners(FETCH_PORT), self._payload, FLOW_LIFE_SEGMENTS)
            self._pace(DOWNLOAD_SEGMENTS_PER_SEC, downloads)
        else:
            for turn, (version, per_sec) in enumerate(UPLOADS):
                if version in self._versions:
                    connects = self._connects(version, BULK_PORT)
                    connect = connects[turn % len(connects)]
                    self._pace(per_sec, Upload(connect, self._payload, MSS_BYTES[version], FLOW_LIFE_SEGMENTS))
            versions = [version for version in FETCH_VERSIONS if version in self._versions]
            fetches = tuple(self._connects(version, FETCH_PORT)[-1] for version in versions)
            self._pace(REOPEN_PER_SEC, DownloadClients(self._reactor, fetches))
        visits = WebClient(self._reactor, self._connects_mixed(WEB_PORT), bytes(self._payload[:180]))
        self._pace(VISITS_PER_SEC[self._side.name], visits)
        self._pace(CLOSED_PORT_CONNECTS_PER_SEC[self._side.name], ClosedPortConnects(self._connects_mixed(CLOSED_PORT)))

    def _add_frames(self) -> None:
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # protocol 0: sends, receives nothing
        wire.setblocking(False)
        wire.bind((self._side.interface, 0))
        neighbours = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(frames.ETH_LLDP))
        neighbours.setblocking(False)  # without a listener for LLDP the kernel counts each as rx_dropped
        self._passive.append(DatagramServer(self._reactor, [neighbours]))
        for per_sec, kind in raw_frames(self._side, self._peer, 6 in self._versions, self._payload):
            self._pace(per_sec, PacketSender(self._reactor, [(wire, frame) for frame in kind]))

    def _add_tunnels(self) -> None:
        """Send ESP and GRE by raw sockets. The raw socket of the other side keeps its kernel from answering."""
        for protocol, per_sec, sizes in ((frames.PROTO_ESP, 25.0, (96, 1300)), (frames.PROTO_GRE, 8.0, (60, 500))):
            sock = self._socket(4, socket.SOCK_RAW, self._side.ipv4[0], protocol=protocol)
            sock.connect((self._peer.ipv4[0], 0))
            self._pace(per_sec, PacketSender(self._reactor, [(sock, view) for view in self._slices(sizes)]))

    def _add_multicast(self) -> None:
        """Send mDNS and SSDP. Both sides join the groups, so that the kernels send IGMP reports."""
        address = socket.inet_aton(self._side.ipv4[0])
        for group, port, per_sec, sizes in (
            (MDNS_GROUP, MDNS_PORT, 4.0, (40, 300)),
            (SSDP_GROUP, SSDP_PORT, 1.0, (100, 320)),
        ):
            member = self._socket(4, socket.SOCK_DGRAM, group, port)
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + address)
            self._passive.append(DatagramServer(self._reactor, [member]))
            sock = self._socket(4, socket.SOCK_DGRAM, self._side.ipv4[0], port)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, address)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
            sock.connect((group, port))
            self._pace(per_sec, PacketSender(self._reactor, [(sock, view) for view in self._slices(sizes)]))
