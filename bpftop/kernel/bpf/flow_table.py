"""The table of flows: read as a whole, in C, to find the busiest flows and groups of flows."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from typing import Any, Literal

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.check import check

FLOWS_MAX: int = lib.FLOWS_MAX
GroupBy = Literal["source", "destination", "destination_port"]
_GROUPINGS: dict[GroupBy, int] = {
    "source": lib.FLOWS_BY_SOURCE,
    "destination": lib.FLOWS_BY_DESTINATION,
    "destination_port": lib.FLOWS_BY_DESTINATION_PORT,
}


@dataclass(frozen=True)
class Sums:
    """Packets and bytes at the last read, and at the read before: 0 for a new flow."""

    packets: int
    bytes: int
    packets_before: int
    bytes_before: int


@dataclass(frozen=True)
class FlowRow:
    """One flow. Addresses are 16 bytes, IPv4 as ::ffff:a.b.c.d; ``first_ns`` is CLOCK_MONOTONIC."""

    saddr: bytes
    daddr: bytes
    sport: int
    dport: int
    l4_proto: int
    sums: Sums
    first_ns: int


@dataclass(frozen=True)
class GroupRow:
    """Sum of the flows of one address, or of one destination port and protocol; then ``address`` is empty."""

    address: bytes
    port: int
    l4_proto: int
    sums: Sums


class FlowTable:
    """Reader of the map ``fd``, which stays the caller's. 65 536 flows take 16 MB of memory in this process.

    One thread at a time may use the table; other threads run during its methods. Raises KernelError: ENOMEM.
    """

    def __init__(self, fd: int, cpus: int, max_entries: int) -> None:
        self.max_entries = max_entries
        seed = int.from_bytes(os.urandom(8), "little")
        self._table = lib.bpftop_flow_table_new(fd, cpus, max_entries, seed)
        if self._table == ffi.NULL:
            check(-errno.ENOMEM, "get memory to read flows with")

    def read(self, idle_since_ns: int) -> None:
        """Read all flows, and remove flows not seen since ``idle_since_ns`` (CLOCK_MONOTONIC). Raises KernelError."""
        check(lib.bpftop_flow_table_read(self._table, idle_since_ns), "read the table of flows")

    @property
    def entries(self) -> int:
        """Number of flows of the last read, without the removed flows."""
        return int(lib.bpftop_flow_table_count(self._table))

    @property
    def removed(self) -> int:
        """Number of idle flows that the last read removed."""
        return int(lib.bpftop_flow_table_removed(self._table))

    def top(self, most: int) -> list[FlowRow]:
        """Return the ``most`` busiest flows since the read before: by packets, then other flows by bytes."""
        out = ffi.new("struct bpftop_flow[]", 2 * most)
        count = lib.bpftop_flow_table_top(self._table, most, out)
        return [_flow(flow) for flow in out[0:count]]

    def groups(self, by: GroupBy, most: int) -> list[GroupRow]:
        """Return the busiest groups of flows, chosen as in ``top``."""
        out = ffi.new("struct bpftop_flow_group[]", 2 * most)
        count = lib.bpftop_flow_table_group(self._table, _GROUPINGS[by], most, out)
        return [_group(group, by) for group in out[0:count]]

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


def _group(group: Any, by: GroupBy) -> GroupRow:
    if by == "destination_port":
        return GroupRow(b"", socket.ntohs(group.words[0]), group.words[1], _sums(group.sums))
    return GroupRow(bytes(ffi.buffer(group.words)), 0, 0, _sums(group.sums))


def _sums(sums: Any) -> Sums:
    return Sums(sums.packets, sums.bytes, sums.packets_before, sums.bytes_before)
