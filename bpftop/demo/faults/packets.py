"""Frames from the lab's generator to its watched side; their checksums are right unless a fault wants bad ones."""

from __future__ import annotations

import socket
import struct

from bpftop.demo import frames
from bpftop.demo.sides import GENERATOR, WATCHED

PROTO_TCP = 6
FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
HOST = socket.inet_aton(WATCHED.ipv4[0])
SOURCE = socket.inet_aton(GENERATOR.ipv4[0])
STRANGERS = "198.19.0.0/16"


def frame(packet: bytes, *, ethertype: int = frames.ETH_IPV4, dst: bytes = WATCHED.mac_bytes) -> bytes:
    """Put a packet into an Ethernet frame from the generator."""
    return frames.ethernet(dst, GENERATOR.mac_bytes, ethertype, packet)


def stranger(number: int) -> bytes:
    """Return one of the 65 536 addresses of STRANGERS, the other half of the benchmark network (RFC 2544)."""
    return bytes((198, 19, number >> 8 & 0xFF, number & 0xFF))


def _sealed(src: bytes, dst: bytes, protocol: int, segment: bytes, at: int, spoil: int) -> bytes:
    """Write the checksum of the segment and its pseudo-header at ``at``. ``spoil`` is added to the checksum."""
    pseudo = src + dst + struct.pack("!BBH", 0, protocol, len(segment))
    checksum = (frames.internet_checksum(pseudo + segment) + spoil) & 0xFFFF
    return segment[:at] + struct.pack("!H", checksum) + segment[at + 2 :]


def tcp(
    sport: int,
    dport: int,
    flags: int,
    *,
    src: bytes = SOURCE,
    dst: bytes = HOST,
    seq: int = 1,
    ack: int = 0,
    payload: bytes = b"",
    spoil: int = 0,
) -> bytes:
    """Return a frame with a TCP segment without options (RFC 9293)."""
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 65535, 0, 0) + payload
    return frame(frames.ipv4(src, dst, PROTO_TCP, _sealed(src, dst, PROTO_TCP, segment, 16, spoil)))


def udp(
    sport: int, dport: int, payload: bytes, *, src: bytes = SOURCE, dst: bytes = HOST, spoil: int | None = None
) -> bytes:
    """Return a frame with a UDP datagram. Its checksum is 0 ("none"); with ``spoil``, the right one plus ``spoil``."""
    datagram = frames.udp(sport, dport, payload)
    if spoil is not None:
        datagram = _sealed(src, dst, frames.PROTO_UDP, datagram, 6, spoil)
    return frame(frames.ipv4(src, dst, frames.PROTO_UDP, datagram))


def udp_connections(dport: int, count: int) -> list[bytes]:
    """Return frames of 60 bytes, each with a datagram from another source: 65 536 strangers, then their next port."""
    whole = udp(1, dport, bytes(18), src=stranger(0))
    template = whole[:24] + bytes(2) + whole[26:]
    words = struct.unpack("!10H", template[14:34])
    base = sum(words)
    result = []
    for number in range(count):
        low, sport = number & 0xFFFF, 1024 + (number >> 16)
        total = base + low
        total = (total & 0xFFFF) + (total >> 16)
        total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        tail = struct.pack("!HHHH", total, words[6], low, words[8])
        result.append(template[:24] + tail + template[32:34] + struct.pack("!H", sport) + template[36:])
    return result


def echo_request(sequence: int, payload: bytes, *, src: bytes = SOURCE) -> bytes:
    """Return a frame with a ping."""
    return frame(frames.ipv4(src, HOST, frames.PROTO_ICMP, frames.echo_request(0x6270, sequence, payload)))
