"""Queueing disciplines and their counters, by rtnetlink. Formats: include/uapi/linux/rtnetlink.h, gen_stats.h.

Reading needs no capability.
"""

from __future__ import annotations

import struct
from collections.abc import Container

from bpftop.fields import frozen
from bpftop.kernel.net.netlink import NetlinkSocket, attributes

RTM_GETQDISC = 38
TC_H_ROOT = 0xFFFFFFFF
TCA_KIND, TCA_STATS2 = 1, 7
TCA_STATS_BASIC, TCA_STATS_QUEUE, TCA_STATS_PKT64 = 1, 3, 8

TCMSG = struct.Struct("=4xiIII")  # struct tcmsg: ifindex, handle, parent, info
_BASIC = struct.Struct("=QI")  # struct gnet_stats_basic: bytes, packets
_QUEUE = struct.Struct("=5I")  # struct gnet_stats_queue: qlen, backlog, drops, requeues, overlimits


@frozen
class Qdisc:
    """One queueing discipline at one moment. ``handle`` is written as tc does; ``parent`` is None for the root.

    Counters are u32, but ``sent_bytes`` is u64, and so is ``sent_packets`` from Linux 5.5 on. The counts of a root
    include the counts of its children.
    """

    ifindex: int
    kind: str
    handle: str
    parent: str | None
    sent_packets: int | None = None
    sent_bytes: int | None = None
    drops: int | None = None
    overlimits: int | None = None
    requeues: int | None = None
    queued_packets: int | None = None
    backlog_bytes: int | None = None


def qdiscs(route: NetlinkSocket, ifindexes: Container[int]) -> list[Qdisc]:
    """List the queueing disciplines of these devices in the kernel's order: the root of each device first.

    The kernel dumps the queueing disciplines of all devices, without a filter (net/sched/sch_api.c: tc_dump_qdisc).
    Raises OSError.
    """
    answers = route.dump(RTM_GETQDISC, TCMSG.pack(0, 0, 0, 0))
    return [parse_qdisc(answer) for answer in answers if TCMSG.unpack_from(answer)[0] in ifindexes]


def parse_qdisc(message: bytes) -> Qdisc:
    """Parse the body of an RTM_NEWQDISC message."""
    ifindex, handle, parent, _ = TCMSG.unpack_from(message)
    qdisc = attributes(message, TCMSG.size)
    stats = attributes(qdisc.get(TCA_STATS2, b""))
    sent_bytes = packets = None
    if len(stats.get(TCA_STATS_BASIC, b"")) >= _BASIC.size:
        sent_bytes, packets = _BASIC.unpack_from(stats[TCA_STATS_BASIC])
    if len(stats.get(TCA_STATS_PKT64, b"")) == 8:
        (packets,) = struct.unpack("=Q", stats[TCA_STATS_PKT64])
    queue: tuple[int | None, ...] = (None,) * 5
    if len(stats.get(TCA_STATS_QUEUE, b"")) >= _QUEUE.size:
        queue = _QUEUE.unpack_from(stats[TCA_STATS_QUEUE])
    length, backlog, drops, requeues, overlimits = queue
    return Qdisc(
        ifindex=ifindex,
        kind=qdisc.get(TCA_KIND, b"").split(b"\0", 1)[0].decode(errors="replace"),
        handle=_handle(handle),
        parent=None if parent == TC_H_ROOT else _handle(parent),
        sent_packets=packets,
        sent_bytes=sent_bytes,
        drops=drops,
        overlimits=overlimits,
        requeues=requeues,
        queued_packets=length,
        backlog_bytes=backlog,
    )


def _handle(number: int) -> str:
    """Write a handle as tc does: ``8001:``, ``1:10``, or ``:2`` for a class of a root without number (tc/tc_util.c)."""
    major, minor = number >> 16, number & 0xFFFF
    return f"{major:x}:{minor:x}" if major and minor else f"{major:x}:" if not minor else f":{minor:x}"
