"""A counting program that also counts flows, and its table of flows as readings."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack

from bpftop.collect.bpf.packet_counter import PacketCounter, flows_cost_ns
from bpftop.errors import BpftopError
from bpftop.fields import frozen, replace
from bpftop.kernel.bpf.flow_table import (
    BUCKET_BYTES,
    BUCKETS_MAX,
    CountedBy,
    CountedFlow,
    FlowKnobs,
    FlowTable,
    GroupRow,
    Sums,
)
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.bpf.program import Program
from bpftop.kernel.net.addresses import MAPPED
from bpftop.model.protocols import protocol_name
from bpftop.model.sample import Direction, Key, Reading, reading_key

_TOP, _TOP_MEMBERS = 100, 32  # the top by packets, and the top by bytes
SUMMARY_TOP, SUMMARY_BUCKETS = 10, 64
"""Rows of a summary by packets, and as many by bytes; its buckets: 512 flows on each CPU."""
_TABLE_BYTES = 64 << 20
_GROUPS: tuple[CountedBy, ...] = ("source", "destination", "destination_port")
FULL_SHARE, SLOW_READ_NS = 0.9, 100_000_000
THIN_BY, THINNEST_1_IN = 4, 1024
_epochs = itertools.count(1)


@frozen
class FlowRequest:
    """A request to count flows. ``buckets`` (a power of two) None: as many as fit the number of CPUs.

    A flow without packets for ``idle_ns`` is left out, and begins anew when it comes back. ``inner``: of packets of
    VXLAN, Geneve, GRE and IP in IP the flow inside is counted, by programs at tc. ``summary``: the busiest flows alone,
    from a small table, without groups, ages and processes, read every SUMMARY_S seconds.
    """

    sample_1_in: int = 1
    buckets: int | None = None
    idle_ns: int = 60 * 10**9
    inner: bool = False
    summary: bool = False

    @classmethod
    def for_summary(cls, sample_1_in: int, *, inner: bool) -> FlowRequest:
        """Return a request for the busiest flows alone."""
        return cls(sample_1_in, SUMMARY_BUCKETS, inner=inner, summary=True)


def thinner_request(request: FlowRequest, readings: Mapping[str, Reading]) -> FlowRequest | None:
    """Return a request for fewer packets where a table is nearly full or slow to read; None where all is well.

    Readings of another request than this one, which is being exchanged, are left out. The table of a summary may be
    full: its busiest flows stay.
    """
    for reading in readings.values():
        if reading.family != "flow_table" or request.sample_1_in >= THINNEST_1_IN or request.summary:
            continue
        for entries, most, _, sampled, read_ns, _ in reading.totals.values():
            is_full = (entries or 0) > FULL_SHARE * (most or 0)
            if sampled == request.sample_1_in and (is_full or (read_ns or 0) > SLOW_READ_NS):
                return replace(request, sample_1_in=request.sample_1_in * THIN_BY)
    return None


class FlowCounter:
    """A program that takes the place of ``counter`` on a hook and counts into the same maps.

    It is not attached to anything. Any thread may call ``read`` and ``close``. Raises KernelError.
    """

    def __init__(self, counter: PacketCounter, request: FlowRequest) -> None:
        self.request, self.direction = request, counter.direction
        self.added_ns: float | None = None
        self._timed = False
        cpus = possible_cpus()
        self._counter = counter
        knobs = FlowKnobs(request.buckets or buckets_for(cpus), request.sample_1_in, request.idle_ns, request.inner)
        self._lock = threading.Lock()
        self._closed = False
        with ExitStack() as stack:
            self._object = counter.with_flows(knobs)
            stack.callback(self._object.close)
            self._table = FlowTable(self._object, cpus, knobs)
            stack.callback(self._table.close)
            self._read_ns = self.begun_ns = time.monotonic_ns()
            self._table.read(self.begun_ns, 0)  # sets the program's clock
            self._clock_ns = self.begun_ns
            stack.pop_all()
        self._epoch, self._evicted = next(_epochs), 0

    @property
    def program(self) -> Program:
        return self._object.program

    def read(self, label: str) -> dict[str, Reading]:
        """Return the five families of flows under ``reading_key(family, label, direction)``; none after ``close``.

        Of a summary, only flows and flow_table. Raises KernelError.
        """
        with self._lock:
            if self._closed:
                return {}
            start_ns = time.monotonic_ns()
            # Times of flows are from the read before. The machine may have been up for less than the idle time.
            before_ns, self._read_ns = self._read_ns, start_ns  # also where the read fails half-way
            self._table.read(start_ns, max(0, self._clock_ns - self.request.idle_ns))
            self._clock_ns = start_ns
            read_ns = self._read_ns = (start_ns + time.monotonic_ns()) // 2
            self._evicted += self._table.evicted
            rows = self._table.top(SUMMARY_TOP if self.request.summary else _TOP)
            groups = {} if self.request.summary else {by: self._table.groups(by, _TOP_MEMBERS) for by in _GROUPS}
            entries = self._table.entries
            cost_ns = time.monotonic_ns() - start_ns
        where = (label, self.direction)
        flows = tuple(
            (*where, address(row.saddr), address(row.daddr), row.sport, row.dport, row.l4_proto) for row in rows
        )
        added_ns = None if self.added_ns is None else round(self.added_ns)
        gauges = (entries, self._table.max_entries, self._evicted, self.request.sample_1_in, cost_ns, added_ns)
        when = (read_ns, before_ns)
        readings = [
            self._counted("flows", flows, [row.sums for row in rows], when, cost_ns),
            self._gauge("flow_table", (where,), gauges, read_ns),
        ]
        if not self.request.summary:
            readings += self._details(where, flows, rows, groups, when)
        return {reading_key(reading.family, *where): reading for reading in readings}

    def _details(
        self,
        where: tuple[str, Direction],
        flows: tuple[Key, ...],
        rows: Sequence[CountedFlow],
        groups: Mapping[CountedBy, Sequence[GroupRow]],
        when: tuple[int, int],
    ) -> tuple[Reading, ...]:
        """Return groups of flows, ages of flows, and sources of ports."""
        read_ns = when[0]
        members = tuple(
            (*where, by, address(row.address) if row.address else _port_name(row))
            for by, group_rows in groups.items()
            for row in group_rows
        )
        ports = tuple((*where, _port_name(row)) for row in groups["destination_port"])
        sums = [row.sums for group_rows in groups.values() for row in group_rows]
        return (
            self._counted("flow_groups", members, sums, when, 0),
            self._gauge("flow_ages", flows, [max(0, read_ns - row.first_ns) for row in rows], read_ns),
            self._gauge("flow_sources", ports, [row.sources for row in groups["destination_port"]], read_ns),
        )

    def measure_cost(self) -> None:
        """Measure ``added_ns`` once, on a copy (about 40 ms). It stays None where there is no TEST_RUN."""
        if self._timed:
            return
        self._timed = True
        program, constants = self._counter.source
        try:
            self.added_ns = flows_cost_ns(program, tuple(constants.items()), self.request.sample_1_in)
        except BpftopError:
            self.added_ns = None

    def close(self) -> None:
        """Free the table, and unload the program once no link holds it. Twice is fine."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._table.close()
                self._object.close()

    def _counted(
        self, family: str, keys: tuple[Key, ...], sums: Iterable[Sums], when: tuple[int, int], cost_ns: int
    ) -> Reading:
        """Return a reading with its previous one, which has the same rows as of the read before."""
        scale, now, before = self.request.sample_1_in, array("Q"), array("Q")
        for row in sums:
            now.extend((row.packets * scale, row.bytes * scale))
            before.extend((row.packets_before * scale, row.bytes_before * scale))
        previous = Reading(family, when[1], 0, self._epoch, keys, before)
        return Reading(family, when[0], cost_ns, self._epoch, keys, now, previous=previous)

    def _gauge(self, family: str, keys: tuple[Key, ...], cells: Sequence[int | None], read_ns: int) -> Reading:
        missing = frozenset(i for i, cell in enumerate(cells) if cell is None)
        return Reading(family, read_ns, 0, self._epoch, keys, array("Q", [cell or 0 for cell in cells]), missing)


def _port_name(row: GroupRow) -> str:
    """Return ``TCP 443``, or only the protocol where it has no ports."""
    name = protocol_name(row.l4_proto)
    return f"{name} {row.port}" if row.port else name


def buckets_for(cpus: int) -> int:
    """Return how many buckets a table has: 4 096 (32 768 flows on each CPU), or what fits 64 MiB with many CPUs.

    The kernel allocates the memory of all buckets at once.
    """
    buckets = BUCKETS_MAX
    while buckets > 1 and buckets * BUCKET_BYTES * cpus > _TABLE_BYTES:
        buckets //= 2
    return buckets


def address(raw: bytes) -> str:
    """Return 16 bytes as ``198.18.0.1`` or ``fd00::1`` (RFC 5952)."""
    if raw[:12] == MAPPED:
        return socket.inet_ntop(socket.AF_INET, raw[12:])
    return socket.inet_ntop(socket.AF_INET6, raw)
