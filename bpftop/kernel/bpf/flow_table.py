"""The table of flows, read whole by batches in C, and what was busiest in it."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.check import check

FLOWS_MAX: int = lib.FLOWS_MAX
GroupBy = Literal["source", "destination", "destination_port"]
_BY: dict[GroupBy, int] = {
    "source": lib.FLOWS_BY_SOURCE,
    "destination": lib.FLOWS_BY_DESTINATION,
    "destination_port": lib.FLOWS_BY_DESTINATION_PORT,
}


@dataclass(frozen=True)
class Sums:
    """Packets and bytes until the last read, and until the one before: 0 there for what that one did not find."""

    packets: int
    bytes: int
    packets_before: int
    bytes_before: int


@dataclass(frozen=True)
class FlowRow:
    """A flow. Addresses are 16 bytes, IPv4 as ::ffff:a.b.c.d; ``first_ns`` is CLOCK_MONOTONIC."""

    saddr: bytes
    daddr: bytes
    sport: int
    dport: int
    l4_proto: int
    sums: Sums
    first_ns: int


@dataclass(frozen=True)
class GroupRow:
    """Flows of one source or destination, or of one destination port; then ``address`` is empty and the others hold."""

    address: bytes
    port: int
    l4_proto: int
    sums: Sums


class FlowTable:
    """Reads the map ``fd``, which stays the caller's. Full, 65 536 flows take 16 MB of memory here.

    To be used by one thread at a time; others run meanwhile. Raises KernelError: ENOMEM.
    """

    def __init__(self, fd: int, cpus: int, max_entries: int) -> None:
        self.max_entries = max_entries
        seed = int.from_bytes(os.urandom(8), "little")
        self._table = lib.bpftop_flow_table_new(fd, cpus, max_entries, seed)
        if self._table == ffi.NULL:
            check(-errno.ENOMEM, "get memory to read flows with")

    def read(self, idle_since_ns: int) -> None:
        """Read all flows, and remove those not seen since ``idle_since_ns`` (CLOCK_MONOTONIC). Raises KernelError."""
        check(lib.bpftop_flow_table_read(self._table, idle_since_ns), "read the table of flows")

    @property
    def entries(self) -> int:
        """Flows that the last read found, without those that it removed."""
        return int(self._table.count)

    @property
    def removed(self) -> int:
        """Flows that the last read removed."""
        return int(self._table.removed)

    def top(self, most: int) -> list[FlowRow]:
        """The ``most`` busiest by packets since the read before, then those by bytes that are not among them."""
        out = ffi.new("struct bpftop_flow[]", 2 * most)
        found = lib.bpftop_flow_table_top(self._table, most, out)
        return [_flow(out[i]) for i in range(found)]

    def groups(self, by: GroupBy, most: int) -> list[GroupRow]:
        """The busiest groups of all flows, as ``top`` chooses them."""
        out = ffi.new("struct bpftop_flow_group[]", 2 * most)
        found = lib.bpftop_flow_table_group(self._table, _BY[by], most, out)
        return list(_groups(out, found, by))

    def close(self) -> None:
        lib.bpftop_flow_table_free(self._table)
        self._table = ffi.NULL


def _flow(flow: Any) -> FlowRow:
    key = flow.key
    return FlowRow(
        saddr=bytes(ffi.buffer(key.saddr)),
        daddr=bytes(ffi.buffer(key.daddr)),
        sport=socket.ntohs(key.sport),
        dport=socket.ntohs(key.dport),
        l4_proto=key.l4_proto,
        sums=_sums(flow.sums),
        first_ns=flow.first_ns,
    )


def _groups(out: Any, found: int, by: GroupBy) -> Iterator[GroupRow]:
    for group in out[0:found]:
        if by == "destination_port":
            yield GroupRow(b"", socket.ntohs(group.words[0]), group.words[1], _sums(group.sums))
        else:
            yield GroupRow(bytes(ffi.buffer(group.words)), 0, 0, _sums(group.sums))


def _sums(sums: Any) -> Sums:
    return Sums(sums.packets, sums.bytes, sums.packets_before, sums.bytes_before)
