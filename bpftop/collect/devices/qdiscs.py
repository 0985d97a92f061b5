"""Counters and backlog of the queueing disciplines of the watched interfaces (rtnetlink).

Rows are in the kernel's order: the first row of an interface is its root, whose counts include the children's.
A discipline that the kernel made by itself has the handle ``0:``; below a root of several queues (mq) the parent tells
such rows apart, as in `tc qdisc`: ``parent :2``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.net.qdiscs import Qdisc, qdiscs
from bpftop.model.sample import Interface, Key, Reading, reading_key


class Qdiscs:
    """A collector of qdiscs and qdisc_backlog: a reading of each per interface."""

    name = "qdiscs"

    def __init__(self, netdev: Netdev) -> None:
        self._netdev = netdev
        self._sent, self._waiting = ReadingBuilder("qdiscs"), ReadingBuilder("qdisc_backlog")

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        if not interfaces:
            return {}
        begin_ns = time.monotonic_ns()
        try:
            listed = qdiscs(self._netdev.route, {interface.ifindex for interface in interfaces})
        except OSError as error:
            raise Unavailable(f"queueing disciplines: rtnetlink does not list them: {error.strerror}") from error
        read_ns = time.monotonic_ns()
        by_ifindex: dict[int, list[Qdisc]] = {}
        for qdisc in listed:
            by_ifindex.setdefault(qdisc.ifindex, []).append(qdisc)
        readings: dict[str, Reading] = {}
        for interface in interfaces:
            own = by_ifindex.get(interface.ifindex, [])
            readings.update(self._readings(interface, own, read_ns, (read_ns - begin_ns) // len(interfaces)))
        return readings

    def close(self) -> None:
        """Do nothing: rtnetlink belongs to the session."""

    def _readings(self, interface: Interface, own: list[Qdisc], read_ns: int, cost_ns: int) -> dict[str, Reading]:
        counters: dict[Key, Sequence[int | None]] = {}
        backlogs: dict[Key, Sequence[int | None]] = {}
        for qdisc in own:
            key = (interface.label, qdisc.kind, _row_name(qdisc))
            counters[key] = (qdisc.sent_packets, qdisc.sent_bytes, qdisc.drops, qdisc.overlimits, qdisc.requeues)
            backlogs[key] = (qdisc.queued_packets, qdisc.backlog_bytes)
        label, epoch = interface.label, interface.ifindex
        return {
            reading_key("qdiscs", label): self._sent.reading(counters, read_ns, cost_ns, epoch, label),
            reading_key("qdisc_backlog", label): self._waiting.reading(backlogs, read_ns, 0, epoch, label),
        }


def _row_name(qdisc: Qdisc) -> str:
    """Return the part of the key that is unique among the disciplines of one kind on the device."""
    made_by_kernel = qdisc.handle == "0:" and qdisc.parent is not None
    return f"parent {qdisc.parent}" if made_by_kernel else qdisc.handle
