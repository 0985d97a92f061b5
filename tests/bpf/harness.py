"""Run frames by BPF_PROG_TEST_RUN, and read the counts from the maps."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from itertools import compress, count
from operator import ne
from types import TracebackType

from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.hooks.steps import ProgramName
from bpftop.model.sample import Reading
from tests.bpf.reference import Cell, Counts, Direction, Link, Skb

XDP_PASS, TCX_NEXT = 2, 0xFFFFFFFF

# Family -> the first word of the reference's cells
CELL_NAMES = {
    "protocols": "protocol",
    "joint": "joint",
    "tcp_flags": "tcp_flags",
    "udp_ports": "udp_port",
    "icmp_types": "",  # the key itself begins with icmp or icmpv6
    "fragments": "fragment",
    "vlans": "vlan",
}

NO_ROWS = Reading("protocols", 0, 0, 1, (), array("Q"))


def as_counts(readings: dict[str, Reading]) -> Counts:
    """Convert readings of one counter to the form of the reference parser."""
    counts: Counts = {}
    for reading in readings.values():
        name = CELL_NAMES[reading.family]
        for key, (packets, size) in reading.totals.items():
            assert packets is not None
            assert size is not None
            cell: Cell = (name, *key[2:]) if name else key[2:]
            counts[cell] = (packets, size)
    return counts


def context(skb: Skb) -> bytes:
    """Return a ``struct __sk_buff`` with the fields that BPF_PROG_TEST_RUN lets a caller set (linux/bpf.h)."""
    fields = bytearray(192)
    struct.pack_into("=II", fields, 160, skb.wire_len or 0, skb.gso_segs)
    struct.pack_into("=I", fields, 176, skb.gso_size)
    return bytes(fields)


def changed_rows(before: Reading, after: Reading) -> list[int]:
    """Return the numbers of the rows whose values differ. Both readings have the same keys."""
    stride = after.stride
    return list(dict.fromkeys(at // stride for at in compress(count(), map(ne, before.values, after.values))))


def some_rows(reading: Reading, rows: Sequence[int]) -> Reading:
    """Return the reading with these rows alone: of the 300 rows of a program, a frame changes about three."""
    keys = tuple([reading.keys[row] for row in rows])
    stride, values = reading.stride, array("Q")
    for row in rows:
        values += reading.values[row * stride : (row + 1) * stride]
    return Reading(reading.family, reading.read_ns, reading.cost_ns, reading.epoch, keys, values)


class Bench:
    """One counting program; ``run`` returns the changes by a frame."""

    def __init__(self, program: ProgramName, direction: Direction = "rx", link: Link = "ethernet") -> None:
        self.counter = PacketCounter(program, direction, link)
        self.passes = TCX_NEXT if program == "count_tc" else XDP_PASS
        self._last: dict[str, Reading] = {}

    def run(self, frame: bytes, skb: Skb | None = None) -> Counts:
        """Run a frame. Return the cells that it changed, and by how much."""
        outcome = self.counter.program.test_run(frame, context=context(skb) if skb else b"")
        assert outcome.retval == self.passes
        return self.take()

    def take(self) -> Counts:
        """Return the changes since the last call."""
        changed: Counts = {}
        for name, reading in self.counter.read("test0", 1).items():
            last = self._last.get(name, NO_ROWS)
            if last.keys == reading.keys:
                if last.values == reading.values:
                    continue
                rows = changed_rows(last, reading)
                last, now = some_rows(last, rows), some_rows(reading, rows)
            else:
                now = reading
            self._last[name] = reading
            before = as_counts({name: last})
            for cell, (packets, size) in as_counts({name: now}).items():
                packets_before, size_before = before.get(cell, (0, 0))
                if (packets, size) != (packets_before, size_before):
                    changed[cell] = packets - packets_before, size - size_before
        return changed

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.counter.close()
