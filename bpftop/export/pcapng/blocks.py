"""The blocks of a pcapng file (draft-ietf-opsawg-pcapng): section, interfaces, packets, statistics."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from bpftop import __version__
from bpftop.model.captured_packet import CaptureCounts, CapturedPacket
from bpftop.model.packet_filter import stages_of
from bpftop.model.packet_headers import ARP_BYTES, ETHERTYPE_ARP, header_places
from bpftop.model.protocols import TCP

_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
_MAGIC, _UNKNOWN_LENGTH = 0x1A2B3C4D, 0xFFFFFFFFFFFFFFFF
_LINK_ETHERNET, _LINK_RAW_IP = 1, 101
_END, _COMMENT = 0, 1
_SECTION_OS, _SECTION_APPLICATION = 3, 4
_INTERFACE_NAME, _INTERFACE_TIME_RESOLUTION = 2, 9
_PACKET_FLAGS = 2
_STATISTICS_RECEIVED, _STATISTICS_DROPPED = 4, 5
_NANOSECONDS = b"\x09"
_INBOUND, _OUTBOUND = 1, 2
NO_INTERFACE = "(no interface)"


class PcapngBlocks:
    """Makes the blocks of one file; ``most_bytes`` is the largest part of a packet that is kept.

    Interfaces are described before their first packet, a second time for packets that begin with their IP header.
    Without ``payload`` what follows the layer 4 header is zero.
    """

    def __init__(self, most_bytes: int, *, payload: bool, kernel: str = "") -> None:
        self._most_bytes, self._payload = most_bytes, payload
        self._interfaces: dict[tuple[str, bool], int] = {}
        self._kernel = kernel

    def begin(self, comment: str) -> bytes:
        """Return the block that a file begins with. ``comment`` says what the capture takes."""
        body = struct.pack("<IHHQ", _MAGIC, 1, 0, _UNKNOWN_LENGTH)
        options = {_COMMENT: comment, _SECTION_OS: self._kernel, _SECTION_APPLICATION: f"bpftop {__version__}"}
        return _block(_SECTION, body, {kind: text.encode() for kind, text in options.items() if text})

    def packet(self, packet: CapturedPacket) -> bytes:
        """Return the block of a packet; before the first packet of an interface, the interface's block too."""
        blocks, interface = self._interface(packet)
        content = packet.content[: self._most_bytes]
        if not self._payload:
            content = without_payload(content, is_ip=packet.is_ip)
        high, low = divmod(packet.wall_ns, 1 << 32)
        body = struct.pack("<IIIII", interface, high, low, len(content), packet.length_bytes) + _padded(content)
        flags = _OUTBOUND if packet.direction == "tx" else _INBOUND
        options = {_COMMENT: comment_of(packet).encode(), _PACKET_FLAGS: struct.pack("<I", flags)}
        return blocks + _block(_PACKET, body, {kind: value for kind, value in options.items() if value})

    def end(self, wall_ns: int, counts: CaptureCounts) -> bytes:
        """Return the statistics of the capture, which belong to all its interfaces, with its first interface."""
        if not self._interfaces:
            return b""
        high, low = divmod(wall_ns, 1 << 32)
        options = {
            _COMMENT: left_out_sentence(counts).encode(),
            _STATISTICS_RECEIVED: struct.pack("<Q", counts.matched),
            _STATISTICS_DROPPED: struct.pack("<Q", counts.left_out),
        }
        return _block(_STATISTICS, struct.pack("<III", 0, high, low), options)

    def _interface(self, packet: CapturedPacket) -> tuple[bytes, int]:
        key = packet.interface, packet.is_ip
        if key in self._interfaces:
            return b"", self._interfaces[key]
        number = self._interfaces[key] = len(self._interfaces)
        link = _LINK_RAW_IP if packet.is_ip else _LINK_ETHERNET
        name = (packet.interface or NO_INTERFACE).encode()
        options = {_INTERFACE_NAME: name, _INTERFACE_TIME_RESOLUTION: _NANOSECONDS}
        # A tag that the kernel keeps beside the packet adds 4 bytes; 0 would be no limit.
        return _block(_INTERFACE, struct.pack("<HHI", link, 0, self._most_bytes), options), number


def comment_of(packet: CapturedPacket) -> str:
    """Return the reason, function, stage and CPU of a drop, and the number of packets in a super-frame."""
    words = []
    if packet.reason is not None:
        where = "" if packet.function is None else f" in {packet.function}"
        stages = stages_of(packet.reason, header_places(packet.content, is_ip=packet.is_ip).l4_proto)
        stage = f", stage {' or '.join(stages)}" if stages else ""
        words.append(f"dropped: {packet.reason}{where}{stage}, CPU {packet.cpu}")
    if packet.segments > 1:
        words.append(f"super-frame of {packet.segments} packets on the wire")
    return "; ".join(words)


def left_out_sentence(counts: CaptureCounts) -> str:
    """Return how many of the packets are not in the file, and why."""
    if not counts.left_out:
        return f"{counts.matched} packets matched, none was left out"
    return (
        f"{counts.matched} packets matched, {counts.left_out} were left out: {counts.over_rate} for the limit of "
        f"packets per second, {counts.ring_full} because they were not read in time"
    )


def cost_sentence(counts: CaptureCounts) -> str:
    """Return what the capture has cost the packets until now."""
    each = f", {counts.spent_ns / counts.matched:.0f} ns for each packet that matched" if counts.matched else ""
    return f"the capture took {counts.spent_ns / 1e6:.3g} ms of CPU time, packets that do not match included{each}"


def _block(kind: int, body: bytes, options: Mapping[int, bytes]) -> bytes:
    packed = b"".join(struct.pack("<HH", kind, len(value)) + _padded(value) for kind, value in options.items())
    content = body + (packed + struct.pack("<HH", _END, 0) if options else b"")
    length = struct.pack("<I", 12 + len(content))
    return struct.pack("<I", kind) + length + content + length


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)


_L4_BYTES = {1: 8, 2: 8, 17: 8, 33: 12, 47: 4, 50: 8, 51: 12, 58: 8, 132: 12, 136: 8}
"""IP protocol -> bytes of its fixed header: ICMP, IGMP, UDP, DCCP, GRE, ESP, AH, ICMPv6, SCTP, UDPLite."""


def without_payload(content: bytes, *, is_ip: bool) -> bytes:
    """Return a packet with zeros behind its layer 4 header; ``is_ip``: the packet begins with its IP header.

    Of a later fragment, of an unknown protocol and of what cannot be parsed, only the headers before that are kept.
    """
    end = min(_headers_end(content, is_ip), len(content))
    return content[:end] + bytes(len(content) - end)


def _headers_end(content: bytes, is_ip: bool) -> int:
    places = header_places(content, is_ip=is_ip)
    if places.ethertype == ETHERTYPE_ARP:
        return places.l3_at + ARP_BYTES
    if places.l4_proto is None or places.is_later:
        return places.l4_at
    if places.l4_proto == TCP:
        at = places.l4_at
        return at + (max(20, 4 * (content[at + 12] >> 4)) if len(content) > at + 12 else 20)
    return places.l4_at + _L4_BYTES.get(places.l4_proto, 0)
