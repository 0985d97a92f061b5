"""A veth pair, and frames that go over it: each CPU sends its share, and nothing else is ever on the wire."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.qemu.guest.bpftop import OTHER_ETHERTYPE, ip, run

NEAR, FAR = "v0", "v1"
MACS = b"\2\0\0\0\0\2", b"\2\0\0\0\0\1"


@dataclass(frozen=True)
class Kind:
    """A frame, the protocol that it is to be counted as, and how many of it are sent on each CPU."""

    frame: bytes
    protocol: int
    times: tuple[int, int]


def _ethernet(ethertype: int, payload: bytes, size: int) -> bytes:
    return (b"".join(MACS) + struct.pack("!H", ethertype) + payload).ljust(size, b"\0")


def _ipv4(protocol: int, transport: bytes, size: int) -> bytes:
    head = struct.pack("!BBHIBBH4s4s", 0x45, 0, size - 14, 0, 64, protocol, 0, b"\xc6\x12\0\1", b"\xc6\x12\0\2")
    return head + transport


def _ipv6(next_header: int, payload: bytes) -> bytes:
    address = b"\x20\1\2" + bytes(12)
    return struct.pack("!IHBB", 6 << 28, len(payload), next_header, 64) + address + b"\1" + address + b"\2" + payload


_UDP = struct.pack("!HHHH", 5000, 5001, 8, 0)
_SYN = struct.pack("!HHIIBBHHH", 5000, 80, 1, 0, 0x50, 0x02, 1024, 0, 0)
_CHAIN = bytes((43, 0)) + bytes(6) + bytes((60, 0)) + bytes(6) + bytes((17, 0)) + bytes(6)

KINDS = (
    Kind(_ethernet(0x88B5, b"", 60), OTHER_ETHERTYPE, (30, 12)),
    Kind(_ethernet(0x0800, _ipv4(17, _UDP, 200), 200), 17, (101, 50)),
    Kind(_ethernet(0x0800, _ipv4(6, _SYN, 60), 60), 6, (7, 300)),
    # Hop-by-hop, routing and destination options: the loop over an IPv6 chain is what older verifiers refuse first.
    Kind(_ethernet(0x86DD, _ipv6(0, _CHAIN + _UDP), 100), 17, (5, 9)),
    # A tag in the frame itself.
    Kind(_ethernet(0x8100, b"\0\7\x08\0" + _ipv4(1, b"\x08\0", 70), 74), 1, (3, 4)),
)


def expected(kinds: tuple[Kind, ...] = KINDS) -> dict[tuple[int], tuple[int, int]]:
    """Protocol -> packets and bytes, as ``Moment.counted`` has them."""
    totals: dict[tuple[int], tuple[int, int]] = {}
    for kind in kinds:
        packets, size = totals.get((kind.protocol,), (0, 0))
        times = sum(kind.times)
        totals[kind.protocol,] = packets + times, size + times * len(kind.frame)
    return totals


@contextlib.contextmanager
def veth(mtu: int = 1500) -> Iterator[None]:
    """Yield a veth pair, up, with no address and no IPv6: the kernel itself sends nothing over it."""
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
    ip(f"link add {NEAR} address 02:00:00:00:00:02 mtu {mtu} type veth peer name {FAR} mtu {mtu}")
    try:
        for name in (NEAR, FAR):
            ip(f"link set {name} up")
        end_s = time.monotonic() + 10
        while not all(Path(f"/sys/class/net/{name}/operstate").read_text() == "up\n" for name in (NEAR, FAR)):
            assert time.monotonic() < end_s, "the pair does not come up"
            time.sleep(0.01)
        yield
    finally:
        ip(f"link delete {NEAR}")


def nothing_left() -> None:
    """Neither XDP nor clsact is on the near end (any more). AssertionError where something is, for 5 s."""
    end_s = time.monotonic() + 5
    while "xdp" in (shown := ip(f"-d link show {NEAR}")):
        assert time.monotonic() < end_s, shown
        time.sleep(0.05)
    left = run("tc", "qdisc", "show", "dev", NEAR)
    assert "clsact" not in left, left


def send(name: str, kinds: tuple[Kind, ...] = KINDS) -> None:
    """Send all kinds out of a device, on CPU 0 and then on CPU 1."""
    allowed = os.sched_getaffinity(0)
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
            sender.bind((name, 0))
            for cpu in (0, 1):
                os.sched_setaffinity(0, {cpu})
                for kind in kinds:
                    for _ in range(kind.times[cpu]):
                        sender.send(kind.frame)
    finally:
        os.sched_setaffinity(0, allowed)
