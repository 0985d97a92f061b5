"""Capture of frames at the watched interface, and names of their kinds, independent of the frame builders."""

import socket
import struct
import time
from collections import Counter

SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_AUXDATA = 263, 8
TP_STATUS_VLAN_VALID = 1 << 4
ETH_P_ALL = 3
PACKET_OUTGOING = 4

NAMED_ETHERTYPES = {0x0806: "arp", 0x88CC: "lldp"}
NAMED_PORTS = {53: "dns", 123: "ntp", 161: "snmp", 443: "quic", 514: "syslog", 1900: "ssdp", 5353: "mdns"}
NAMED_FLAGS = {0x02: "syn", 0x12: "syn-ack", 0x11: "fin", 0x01: "fin", 0x04: "rst", 0x14: "rst"}
NAMED_PROTOCOLS = {2: "igmp", 47: "gre", 50: "esp"}
NAMED_ICMP = {0: "echo reply", 8: "echo request"}
NAMED_ICMPV6 = {128: "echo request", 129: "echo reply", 135: "solicitation", 136: "advertisement", 143: "mld"}


def open_capture(interface: str) -> socket.socket:
    """Return a socket that receives every frame of `interface` in the calling thread's namespace."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.bind((interface, ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    sock.settimeout(0.2)
    return sock


def watch(sock: socket.socket, seconds: float) -> Counter[tuple[str, str]]:
    """Count frames by ("rx" or "tx", kind) for some seconds. A tagged frame counts as its tags, too."""
    seen: Counter[tuple[str, str]] = Counter()
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        try:
            frame, ancillary, _, address = sock.recvmsg(70_000, 128)
        except TimeoutError:
            continue
        direction = "tx" if address[2] == PACKET_OUTGOING else "rx"
        tags = sum(1 for level, kind, payload in ancillary if (level, kind) == (SOL_PACKET, PACKET_AUXDATA)
                   and struct.unpack_from("=I", payload)[0] & TP_STATUS_VLAN_VALID)  # fmt: skip
        seen.update((direction, kind) for kind in kinds_of(frame, tags))
    return seen


def kinds_of(frame: bytes, tags: int) -> list[str]:
    """Return the kinds of a frame; the kernel took `tags` out of it."""
    offset = 12
    while frame[offset : offset + 2] in (b"\x81\x00", b"\x88\xa8"):
        offset, tags = offset + 4, tags + 1
    ethertype = int.from_bytes(frame[offset : offset + 2], "big")
    kinds = {0: [], 1: ["one tag"], 2: ["two tags"]}[tags]
    kinds += ["broadcast"] if frame[:6] == b"\xff" * 6 else ["multicast"] if frame[0] & 1 else []
    packet = frame[offset + 2 :]
    if ethertype == 0x0800:
        return [*kinds, f"ipv4 {_ipv4(packet)}"]
    if ethertype == 0x86DD:
        return [*kinds, f"ipv6 {_ipv6(packet)}"]
    return [*kinds, NAMED_ETHERTYPES.get(ethertype, hex(ethertype))]


def _ipv4(packet: bytes) -> str:
    if int.from_bytes(packet[6:8], "big") & 0x3FFF:
        return "fragment"
    return _transport(packet[9], packet[(packet[0] & 15) * 4 :], NAMED_ICMP)


def _ipv6(packet: bytes) -> str:
    protocol, payload = packet[6], packet[40:]
    if protocol == 0:
        protocol, payload = payload[0], payload[(payload[1] + 1) * 8 :]
    return _transport(protocol, payload, NAMED_ICMPV6)


def _transport(protocol: int, payload: bytes, icmp: dict[int, str]) -> str:
    if protocol == 6:
        return f"tcp {NAMED_FLAGS.get(payload[13] & 0x17, 'flow')}"
    if protocol == 17:
        ports = struct.unpack_from("!HH", payload)
        return "udp " + next((NAMED_PORTS[port] for port in ports if port in NAMED_PORTS), "other")
    if protocol in (1, 58):
        return icmp.get(payload[0], f"icmp {payload[0]}")
    return NAMED_PROTOCOLS.get(protocol, f"protocol {protocol}")
