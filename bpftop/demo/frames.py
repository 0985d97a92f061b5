"""Builders of raw frames that sockets cannot send: tags, ARP, neighbour discovery, LLDP, echo requests.

Addresses are bytes in network order (6, 4 or 16). Frames are L2 bytes without FCS.
"""

import struct

ETH_IPV4 = 0x0800
ETH_ARP = 0x0806
ETH_IPV6 = 0x86DD
ETH_LLDP = 0x88CC
TPID_VLAN = 0x8100
TPID_SERVICE = 0x88A8

PROTO_ICMP = 1
PROTO_UDP = 17
PROTO_GRE = 47
PROTO_ESP = 50
PROTO_ICMPV6 = 58

BROADCAST = b"\xff" * 6
LLDP_MULTICAST = b"\x01\x80\xc2\x00\x00\x0e"


def ethernet(dst: bytes, src: bytes, ethertype: int, payload: bytes, tags: tuple[tuple[int, int], ...] = ()) -> bytes:
    """Return a frame. `tags` are (TPID, TCI) pairs, outermost first (IEEE 802.1Q, 802.1ad)."""
    inner = b"".join(struct.pack("!HH", tpid, tci) for tpid, tci in tags)
    return dst + src + inner + struct.pack("!H", ethertype) + payload


def internet_checksum(octets: bytes) -> int:
    """Return the internet checksum (RFC 1071)."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(src: bytes, dst: bytes, protocol: int, payload: bytes, ttl: int = 64, tos: int = 0) -> bytes:
    """Return a packet without options, "don't fragment" set (RFC 791)."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, tos, 20 + len(payload), 0, 0x4000, ttl, protocol, 0, src, dst)
    return head[:10] + struct.pack("!H", internet_checksum(head)) + head[12:] + payload


def ipv6(src: bytes, dst: bytes, next_header: int, payload: bytes, hop_limit: int = 64) -> bytes:
    """Return a packet without extension headers (RFC 8200)."""
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), next_header, hop_limit, src, dst) + payload


def udp(sport: int, dport: int, payload: bytes) -> bytes:
    """Return a datagram with checksum 0 (none): allowed in IPv4, not in IPv6 (RFC 768, RFC 8200 section 8.1)."""
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def echo_request(identifier: int, sequence: int, payload: bytes) -> bytes:
    """Return an ICMP message of type 8 (RFC 792)."""
    body = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence) + payload
    return body[:2] + struct.pack("!H", internet_checksum(body)) + body[4:]


def icmpv6(src: bytes, dst: bytes, icmp_type: int, body: bytes) -> bytes:
    """Return a message with its checksum over the pseudo-header (RFC 4443 section 2.3), then `body`."""
    message = struct.pack("!BBH", icmp_type, 0, 0) + body
    pseudo = src + dst + struct.pack("!II", len(message), PROTO_ICMPV6)
    return message[:2] + struct.pack("!H", internet_checksum(pseudo + message)) + message[4:]


def arp_request(mac: bytes, sender: bytes, target: bytes) -> bytes:
    """Return the payload of "who has `target`, tell `sender`" (RFC 826)."""
    return struct.pack("!HHBBH6s4s6s4s", 1, ETH_IPV4, 6, 4, 1, mac, sender, b"\0" * 6, target)


def neighbour_solicitation(mac: bytes, src: bytes, target: bytes) -> bytes:
    """Return a frame "who has `target`?" to its solicited-node group (RFC 4861 section 4.3)."""
    group = bytes.fromhex("ff0200000000000000000001ff") + target[13:]
    body = b"\0" * 4 + target + b"\x01\x01" + mac
    packet = ipv6(src, group, PROTO_ICMPV6, icmpv6(src, group, 135, body), hop_limit=255)
    return ethernet(b"\x33\x33" + group[12:], mac, ETH_IPV6, packet)


def lldp(mac: bytes, port: str, system: str) -> bytes:
    """Return a frame with chassis, port, time to live 120 s, system name, end (IEEE 802.1AB)."""

    def tlv(kind: int, value: bytes) -> bytes:
        return struct.pack("!H", kind << 9 | len(value)) + value

    unit = tlv(1, b"\x04" + mac) + tlv(2, b"\x05" + port.encode()) + tlv(3, struct.pack("!H", 120))
    unit += tlv(5, system.encode()) + tlv(0, b"")
    return ethernet(LLDP_MULTICAST, mac, ETH_LLDP, unit)
