"""A BPF ring buffer: records that a program sends to user space, such as captured packets."""

from __future__ import annotations

import select
from collections.abc import Iterator

from bpftop.fields import frozen
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.return_code import check

_BLOCK_BYTES = 1 << 18
_LENGTH_BYTES = 8

ANY_PROTOCOL: int = lib.CAPTURE_ANY_PROTOCOL
A_ADDRESS: int = lib.CAPTURE_A_ADDRESS
A_PORT: int = lib.CAPTURE_A_PORT
B_ADDRESS: int = lib.CAPTURE_B_ADDRESS
B_PORT: int = lib.CAPTURE_B_PORT
PACKET_BYTES_MAX: int = lib.CAPTURE_MOST_BYTES
_HEADER_BYTES: int = ffi.sizeof("struct captured_packet")
_COUNT_WORDS: int = ffi.sizeof("struct capture_counts") // 8


class RecordRing:
    """Reader of the ring buffer ``fd``, which belongs to its object. One thread at a time. Raises KernelError."""

    def __init__(self, fd: int, most_bytes: int) -> None:
        self._ring = lib.bpftop_record_ring_new(fd, most_bytes)
        if self._ring == ffi.NULL:
            check(-ffi.errno, "read the ring buffer of a BPF program")
        self._block = ffi.new("char[]", max(_BLOCK_BYTES, 2 * most_bytes))
        self._poller = select.poll()
        self._poller.register(lib.bpftop_record_ring_fd(self._ring), select.POLLIN)

    def wait(self, timeout_ms: int) -> None:
        """Wait up to ``timeout_ms`` for records. A signal whose handler raises ends the wait, and no record is lost."""
        self._poller.poll(timeout_ms)

    def read(self) -> Iterator[memoryview]:
        """Yield the records that have come. A record is valid until the next read. Raises KernelError."""
        used = lib.bpftop_record_ring_read(self._ring, self._block, len(self._block))
        check(used, "read the ring buffer of a BPF program")
        block, at = memoryview(ffi.buffer(self._block)), 0
        while at < used:
            length = int.from_bytes(block[at : at + _LENGTH_BYTES], "little")
            at += _LENGTH_BYTES
            yield block[at : at + length]
            at += (length + 7) & ~7

    def close(self) -> None:
        lib.bpftop_record_ring_free(self._ring)
        self._ring = ffi.NULL


@frozen
class PacketRecord:
    """A packet as the program sent it (bpf_objects/capture.h). ``time_ns`` is CLOCK_MONOTONIC."""

    time_ns: int
    location: int
    ifindex: int
    reason: int
    cpu: int
    length: int
    segments: int
    vlan_tci: int
    vlan_type: int
    is_tx: bool
    is_ip: bool
    content: bytes


class PacketRecords:
    """The packets and the counts of capturing programs that share the maps of ``program``. Raises KernelError."""

    def __init__(self, program: BpfObject) -> None:
        self._ring = RecordRing(program.map_fd("ring"), _HEADER_BYTES + PACKET_BYTES_MAX)
        self._counts_fd = program.map_fd("capture_counts")

    def wait(self, timeout_ms: int) -> None:
        """Wait up to ``timeout_ms`` for packets."""
        self._ring.wait(timeout_ms)

    def read(self) -> list[PacketRecord]:
        """Return the packets that have come. Raises KernelError."""
        return [_packet_record(record) for record in self._ring.read()]

    def counts(self) -> tuple[int, ...]:
        """Return the words of struct capture_counts, all CPUs together. Raises KernelError."""
        cpus = possible_cpus()
        values = ffi.new("uint64_t[]", cpus * _COUNT_WORDS)
        check(lib.bpf_map_lookup_elem(self._counts_fd, ffi.new("uint32_t *"), values), "read the counts of a capture")
        return tuple(sum(values[cpu * _COUNT_WORDS + word] for cpu in range(cpus)) for word in range(_COUNT_WORDS))

    def close(self) -> None:
        self._ring.close()


def _packet_record(record: memoryview) -> PacketRecord:
    header = ffi.from_buffer("struct captured_packet *", record[:_HEADER_BYTES])
    return PacketRecord(
        header.time_ns, header.location, header.ifindex, header.reason, header.cpu, header.length, header.segments,
        header.vlan_tci, header.vlan_type, header.direction == lib.CAPTURE_TX, bool(header.is_ip),
        bytes(record[_HEADER_BYTES : _HEADER_BYTES + header.captured]),
    )  # fmt: skip
