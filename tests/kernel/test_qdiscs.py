"""Messages of queueing disciplines, given as bytes."""

from __future__ import annotations

import struct

from bpftop.kernel.net.netlink import attribute
from bpftop.kernel.net.qdiscs import Qdisc, parse_qdisc

BASIC, QUEUE, PKT64 = 1, 3, 8


def message(handle: int, parent: int, kind: bytes, *counted: bytes) -> bytes:
    head = struct.pack("=BxxxiIII", 0, 7, handle, parent, 2)
    return head + attribute(1, kind + b"\0") + (attribute(7, b"".join(counted)) if counted else b"")


def test_a_root_with_its_counts() -> None:
    basic = attribute(BASIC, struct.pack("=QI", 1 << 40, 12))
    queue = attribute(QUEUE, struct.pack("=5I", 3, 4500, 7, 1, 9))
    assert parse_qdisc(message(0x80010000, 0xFFFFFFFF, b"tbf", basic, queue)) == Qdisc(
        7, "tbf", "8001:", None, 12, 1 << 40, drops=7, overlimits=9, requeues=1, queued_packets=3, backlog_bytes=4500
    )


def test_packets_beyond_32_bits() -> None:
    basic = attribute(BASIC, struct.pack("=QI4x", 1 << 40, 12))  # struct gnet_stats_basic is padded to 16 bytes
    more = attribute(PKT64, struct.pack("=Q", (1 << 32) + 12))
    assert parse_qdisc(message(0, 0xFFFFFFFF, b"mq", basic, more)).sent_packets == (1 << 32) + 12


def test_missing_counters_are_none() -> None:
    qdisc = parse_qdisc(message(0, 0x00000002, b"pfifo_fast"))
    assert (qdisc.handle, qdisc.parent) == ("0:", ":2")
    assert (qdisc.sent_packets, qdisc.drops, qdisc.backlog_bytes) == (None, None, None)
    short = parse_qdisc(message(0, 0x80010002, b"fq", attribute(QUEUE, b"\1\0\0\0"), attribute(BASIC, b"")))
    assert (short.parent, short.drops, short.sent_bytes) == ("8001:2", None, None)


def test_handles_as_tc_writes_them() -> None:
    assert parse_qdisc(message(0xFFFF0000, 0xFFFFFFF1, b"clsact")).handle == "ffff:"
