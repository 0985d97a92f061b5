"""Frames to measure programs with: 64 bytes each, with addresses from the ranges for documentation."""

from __future__ import annotations

import struct
from collections.abc import Mapping

FRAME_BYTES = 64
ETHERNET_BYTES = 14

_ETHERNET = "020000000002020000000001"
_IPV4 = "c0000201c0000202"
_IPV6 = "20010db800000000000000000000000120010db8000000000000000000000002"

FRAMES: Mapping[str, bytes] = {
    name: bytes.fromhex(wire).ljust(FRAME_BYTES, b"\0")
    for name, wire in {
        "TCP": f"{_ETHERNET}080045000032000100004006f6c1{_IPV4}9c4001bb0000000100000001501020006dc9",
        "SYN": f"{_ETHERNET}080045000028000100004006f6cb{_IPV4}9c4001bb0000000100000000500220006de2",
        "UDP": f"{_ETHERNET}080045000032000100004011f6b6{_IPV4}9c4001bb001eddb2",
        "DNS": f"{_ETHERNET}080045000032000100004011f6b6{_IPV4}00359c40001edf38",
        "ICMP": f"{_ETHERNET}080045000032000100004001f6c6{_IPV4}0800f7fd00010001",
        "IPv6": f"{_ETHERNET}86dd60000000000a1140{_IPV6}9c4001bb000a066a",
        "ICMPv6": f"{_ETHERNET}86dd60000000000a3a40{_IPV6}8000244400010001",
        "VLAN": f"{_ETHERNET}8100000708004500002e000100004011f6ba{_IPV4}9c4001bb001addba",
        "ARP": "ffffffffffff02000000000108060001080006040001020000000001c0000201000000000000c0000202",
    }.items()
}
"""Name -> frame without FCS, with valid checksums."""

DEFAULT_FRAMES = ("UDP", "TCP", "SYN", "IPv6", "VLAN", "ARP")
"""Frames for the person's own programs without --packet."""

# Protocol number -> number of frames in a burst, and their names in turn. Mostly TCP, as on a server.
_BURST = {6: (18, ("TCP", "TCP", "SYN")), 17: (10, ("UDP", "DNS", "IPv6")), 1: (2, ("ICMP",)), 58: (1, ("ICMPv6",))}
ARP = 256  # bpf_objects/bpftop.h
BURST_PROTOCOLS = (*_BURST, ARP)
"""Keys of a protocol counter that counts a burst."""

REQUEST_AT = 16
NUMBER_AT = REQUEST_AT + 4
"""Offsets of struct bench_request and of its number (bpf_objects/bench.bpf.h)."""


def request_packet(rounds: int, burst: bytes = b"") -> bytes:
    """Return the packet with the number of rounds for a loop of the bench, followed by the frames to count."""
    return bytes(REQUEST_AT) + struct.pack("=II", rounds, 0) + bytes(FRAME_BYTES - REQUEST_AT - 8) + burst


def burst() -> bytes:
    """Return 32 frames in a fixed mixed order (bpf_objects/bench_counters.bpf.h)."""
    import random  # late: a live session, which only needs FRAMES, would import it for nothing

    names = [kinds[turn % len(kinds)] for count, kinds in _BURST.values() for turn in range(count)]
    names.append("ARP")
    random.Random(32).shuffle(names)
    return b"".join(FRAMES[name] for name in names)
