"""The traffic that one side sends as raw frames."""

import socket
import struct
from collections.abc import Sequence

from bpftop.demo import frames
from bpftop.demo.sides import Side

VOICE_PORT = 5004
# Without VLAN devices only priority tags (VLAN 0) reach the IP stack. VLAN 20 stands for other hosts on a trunk port:
# its frames end in the ARP code. A service tag other than VLAN 0 would count as rx_dropped.
PRIORITY_TAG = (frames.TPID_VLAN, 5 << 13)
VLAN_TAG = (frames.TPID_VLAN, 20)
SERVICE_TAG = (frames.TPID_SERVICE, 3 << 13)
ABSENT_IPV4 = "198.18.0.77"
ECHO_PAYLOAD_BYTES = (56, 56, 56, 1400)

Paced = tuple[float, Sequence[bytes]]


def raw_frames(side: Side, peer: Side, ipv6: bool, payload: memoryview) -> list[Paced]:
    """Return (mean rate per second, frames to send in turn) for each kind of frame."""
    kinds: list[Paced] = [
        (50.0, _voice(side, peer, payload)),
        (6.0, _echo_requests(side, peer, payload)),
        (1.5, _arp_requests(side, peer)),
        (3.0, _tagged_arp(side)),
        (0.2, [frames.lldp(side.mac_bytes, side.interface, f"bpftop-{side.name}")]),
    ]
    if ipv6:
        kinds += [
            (4.0, _echo_requests_ipv6(side, peer, payload)),
            (1.0, [_solicitation(side, target) for target in peer.ipv6]),
        ]
    return kinds


def _voice(side: Side, peer: Side, payload: memoryview) -> list[bytes]:
    """Return frames like RTP: 20 ms of G.711 in 172 bytes of UDP payload, expedited, priority-tagged."""
    src, dst = socket.inet_aton(side.ipv4[0]), socket.inet_aton(peer.ipv4[0])
    calls = []
    for sequence in range(8):
        rtp = struct.pack("!BBHII", 0x80, 0, sequence, sequence * 160, 0x62706600) + bytes(payload[:160])
        packet = frames.ipv4(src, dst, frames.PROTO_UDP, frames.udp(16384 + sequence % 4, VOICE_PORT, rtp), tos=0xB8)
        calls.append(frames.ethernet(peer.mac_bytes, side.mac_bytes, frames.ETH_IPV4, packet, (PRIORITY_TAG,)))
    return calls


def _echo_requests(side: Side, peer: Side, payload: memoryview) -> list[bytes]:
    requests = []
    for sequence, size in enumerate(ECHO_PAYLOAD_BYTES * 4):
        src = socket.inet_aton(side.ipv4[sequence % len(side.ipv4)])
        dst = socket.inet_aton(peer.ipv4[sequence % len(peer.ipv4)])
        echo = frames.echo_request(0x6270, sequence, bytes(payload[:size]))
        packet = frames.ipv4(src, dst, frames.PROTO_ICMP, echo)
        requests.append(frames.ethernet(peer.mac_bytes, side.mac_bytes, frames.ETH_IPV4, packet))
    return requests


def _echo_requests_ipv6(side: Side, peer: Side, payload: memoryview) -> list[bytes]:
    src, dst = _ipv6(side.ipv6[0]), _ipv6(peer.ipv6[0])
    requests = []
    for sequence, size in enumerate(ECHO_PAYLOAD_BYTES):
        body = struct.pack("!HH", 0x6270, sequence) + bytes(payload[:size])
        packet = frames.ipv6(src, dst, frames.PROTO_ICMPV6, frames.icmpv6(src, dst, 128, body))
        requests.append(frames.ethernet(peer.mac_bytes, side.mac_bytes, frames.ETH_IPV6, packet))
    return requests


def _arp_requests(side: Side, peer: Side) -> list[bytes]:
    """Return requests for the peer's addresses, which its kernel answers, and for an address that nobody has."""
    targets = (*peer.ipv4, ABSENT_IPV4)
    return [_arp(side, target) for target in targets]


def _tagged_arp(side: Side) -> list[bytes]:
    """Return broadcasts in VLAN 20, every fourth inside a service tag (QinQ)."""
    return [_arp(side, ABSENT_IPV4, (VLAN_TAG,))] * 3 + [_arp(side, ABSENT_IPV4, (SERVICE_TAG, VLAN_TAG))]


def _arp(side: Side, target: str, tags: tuple[tuple[int, int], ...] = ()) -> bytes:
    request = frames.arp_request(side.mac_bytes, socket.inet_aton(side.ipv4[0]), socket.inet_aton(target))
    return frames.ethernet(frames.BROADCAST, side.mac_bytes, frames.ETH_ARP, request, tags)


def _solicitation(side: Side, target: str) -> bytes:
    return frames.neighbour_solicitation(side.mac_bytes, _ipv6(side.ipv6[0]), _ipv6(target))


def _ipv6(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, address)
