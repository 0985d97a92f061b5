"""What the queueing disciplines of the watched interfaces sent, dropped and hold (rtnetlink).

Rows are in the kernel's order: the first of an interface is its root, which counts what its children count too. One
that the kernel made by itself has the handle ``0:``; below a root of several queues (mq) such rows are told apart by
their parent, as `tc qdisc` does it: ``parent :2``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.net.qdiscs import Qdisc
from bpftop.model.sample import Interface, Key, Reading, reading_key


class Qdiscs:
    name = "qdiscs"

    def __init__(self, netdev: Netdev) -> None:
        self._netdev = netdev
        self._rows: dict[str, tuple[ReadingBuilder, ReadingBuilder]] = {}

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Families qdiscs and qdisc_backlog of each interface. Raises Unavailable."""
        if not interfaces:
            return {}
        begin_ns = time.monotonic_ns()
        try:
            everything = self._netdev.qdiscs({interface.ifindex for interface in interfaces})
        except OSError as error:
            raise Unavailable(f"queueing disciplines: rtnetlink does not list them: {error.strerror}") from error
        read_ns = time.monotonic_ns()
        found: dict[str, Reading] = {}
        for interface in interfaces:
            own = [qdisc for qdisc in everything if qdisc.ifindex == interface.ifindex]
            found.update(self._readings(interface, own, read_ns, (read_ns - begin_ns) // len(interfaces)))
        return found

    def close(self) -> None:
        """Nothing is held."""

    def _readings(self, interface: Interface, own: list[Qdisc], read_ns: int, cost_ns: int) -> dict[str, Reading]:
        counters: dict[Key, Sequence[int | None]] = {}
        backlogs: dict[Key, Sequence[int | None]] = {}
        for one in own:
            key = (interface.label, one.kind, _name(one))
            counters[key] = (one.sent_packets, one.sent_bytes, one.drops, one.overlimits, one.requeues)
            backlogs[key] = (one.queued_packets, one.backlog_bytes)
        label, epoch = interface.label, interface.ifindex
        sent, waiting = self._rows.setdefault(label, (ReadingBuilder("qdiscs"), ReadingBuilder("qdisc_backlog")))
        return {
            reading_key("qdiscs", label): sent.reading(counters, read_ns, cost_ns, epoch),
            reading_key("qdisc_backlog", label): waiting.reading(backlogs, read_ns, 0, epoch),
        }


def _name(qdisc: Qdisc) -> str:
    """What tells it from the others of its kind on the device."""
    made_by_kernel = qdisc.handle == "0:" and qdisc.parent is not None
    return f"parent {qdisc.parent}" if made_by_kernel else qdisc.handle
