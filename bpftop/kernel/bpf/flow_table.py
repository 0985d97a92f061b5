"""The table of flows: read as a whole, in C, to find the busiest flows and groups of flows."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Any, Literal

from bpftop.fields import field, frozen
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.return_code import check

CountedBy = Literal["source", "destination", "destination_port"]
_GROUPINGS: dict[CountedBy, int] = {
    "source": lib.FLOWS_BY_SOURCE,
    "destination": lib.FLOWS_BY_DESTINATION,
    "destination_port": lib.FLOWS_BY_DESTINATION_PORT,
}


BUCKET_BYTES: int = ffi.sizeof("struct flow_bucket")
FLOW_WAYS: int = lib.FLOW_WAYS
BUCKETS_MAX: int = lib.FLOW_BUCKETS_MAX


@frozen
class FlowKnobs:
    """Constants of a program that counts flows. ``secrets`` belong to the hash.

    ``inner``: of tunnelled packets the flow inside is counted, where the program is at tc.
    """

    buckets: int
    sample_1_in: int = 1
    idle_ns: int = 60 * 10**9
    inner: bool = False
    secrets: tuple[int, ...] = field(default_factory=lambda: struct.unpack("=10Q", os.urandom(80)))

    @property
    def constants(self) -> dict[str, int]:
        """The ``const volatile`` variables of bpf_objects/flows.bpf.h and thin.bpf.h."""
        return {
            "flow_buckets": self.buckets,
            "flow_idle_ns": self.idle_ns,
            "flow_inner": int(self.inner),
            **({"flow_sample_below": (1 << 32) // self.sample_1_in} if self.sample_1_in > 1 else {}),
            **{f"flow_secret_{number}": value for number, value in enumerate(self.secrets)},
        }


@frozen
class Sums:
    """Packets and bytes at the last read, and at the read before: 0 for a new flow."""

    packets: int
    bytes: int
    packets_before: int
    bytes_before: int


@frozen
class CountedFlow:
    """One flow. Addresses are 16 bytes, IPv4 as ::ffff:a.b.c.d; ``first_ns`` is CLOCK_MONOTONIC."""

    saddr: bytes
    daddr: bytes
    sport: int
    dport: int
    l4_proto: int
    sums: Sums
    first_ns: int


@frozen
class GroupRow:
    """Sum of the flows of one address, or of one destination port and protocol; then ``address`` is empty.

    ``sources``: number of source addresses of the flows to a destination port; 0 for an address.
    """

    address: bytes
    port: int
    l4_proto: int
    sums: Sums
    sources: int = 0


class FlowTable:
    """Reader of the map of flows of a program. 65 536 flows take 16 MB of memory in this process.

    The object that loaded the program keeps the maps. One thread at a time may use the table; other threads run during
    its methods. Raises KernelError: ENOMEM.
    """

    def __init__(self, program: BpfObject, cpus: int, knobs: FlowKnobs) -> None:
        self.max_entries = knobs.buckets * lib.FLOW_WAYS * cpus
        seed = int.from_bytes(os.urandom(8), "little")
        secrets = ffi.new("uint64_t[]", list(knobs.secrets))
        self._table = lib.bpftop_flow_table_new(
            program.map_fd("flows"), program.map_fd(".bss"), cpus, knobs.buckets, secrets, seed
        )
        if self._table == ffi.NULL:
            check(-errno.ENOMEM, "get memory to read flows with")

    def read(self, now_ns: int, idle_since_ns: int) -> None:
        """Read the flows seen since ``idle_since_ns``, and set the program's clock to ``now_ns`` (CLOCK_MONOTONIC).

        Raises KernelError.
        """
        check(lib.bpftop_flow_table_read(self._table, now_ns, idle_since_ns), "read the table of flows")

    @property
    def entries(self) -> int:
        """Number of flows of the last read."""
        return int(lib.bpftop_flow_table_count(self._table))

    @property
    def evicted(self) -> int:
        """Number of flows that gave way to others between the last two reads, on any CPU."""
        return int(lib.bpftop_flow_table_evicted(self._table))

    def top(self, most: int) -> list[CountedFlow]:
        """Return the ``most`` busiest flows since the read before: by packets, then other flows by bytes."""
        out = ffi.new("struct bpftop_flow[]", 2 * most)
        count = lib.bpftop_flow_table_top(self._table, most, out)
        return [_flow(flow) for flow in out[0:count]]

    def groups(self, by: CountedBy, most: int) -> list[GroupRow]:
        """Return the busiest groups of flows, chosen as in ``top``."""
        out = ffi.new("struct bpftop_flow_group[]", 2 * most)
        count = lib.bpftop_flow_table_group(self._table, _GROUPINGS[by], most, out)
        return [_group(group, by) for group in out[0:count]]

    def close(self) -> None:
        lib.bpftop_flow_table_free(self._table)
        self._table = ffi.NULL


def _flow(flow: Any) -> CountedFlow:
    key = flow.key
    return CountedFlow(
        saddr=bytes(ffi.buffer(key.saddr)),
        daddr=bytes(ffi.buffer(key.daddr)),
        sport=socket.ntohs(key.sport),
        dport=socket.ntohs(key.dport),
        l4_proto=key.l4_proto,
        sums=_sums(flow.sums),
        first_ns=flow.first_ns,
    )


def _group(group: Any, by: CountedBy) -> GroupRow:
    if by == "destination_port":
        return GroupRow(b"", socket.ntohs(group.words[0]), group.words[1], _sums(group.sums), group.sources)
    return GroupRow(bytes(ffi.buffer(group.words)), 0, 0, _sums(group.sums))


def _sums(sums: Any) -> Sums:
    return Sums(sums.packets, sums.bytes, sums.packets_before, sums.bytes_before)
