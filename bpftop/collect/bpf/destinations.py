"""Destinations of packets in trouble, by a sample of some seconds (bpf_objects/destinations.bpf.c).

A program at every look-up of a route would cost each packet of a router some ns. So the programs are loaded only while
a counter moves, for ten seconds at most, and then not for a minute.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping, Sequence

from bpftop.collect.bpf.tracing import Late, Traced
from bpftop.collect.collector import CounterRows, ReadingBuilder, Unavailable
from bpftop.collect.procfs.counter_files import Snmp
from bpftop.errors import BpftopError
from bpftop.fields import frozen
from bpftop.kernel.bpf.kernel_btf import drop_reasons
from bpftop.kernel.check import KernelError
from bpftop.model.sample import Interface, Key, Reading, reading_key

_NS = 10**9
SAMPLE_NS, PAUSE_NS, KEPT_NS = 10 * _NS, 60 * _NS, 15 * _NS
MOST_ROWS = 32
_KEY = struct.Struct("=I16s16s")
_EXPIRED = "SKB_DROP_REASON_IP_INHDR"


@frozen
class Trouble:
    """A kind of packets: its name, the program that counts them, and the counters that move with them."""

    name: str
    program: str
    counters: tuple[str, ...]


NO_ROUTE = Trouble("no route", "count_unrouted", ("IpOutNoRoutes",))
EXPIRED = Trouble("TTL ends", "count_expired", ("IpInHdrErrors", "IpForwDatagrams"))


class _Sampler:
    """The sample of one kind of packets: begun when all its counters moved, ended after ten seconds."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        self._counts: tuple[str | None, ...] | None = None
        self._late: Late[Traced] | None = None
        self._begun_ns = self._moved_ns = -PAUSE_NS
        self._packets: dict[Key, int] = {}

    def packets(self, words: Mapping[str, str], indexes: Sequence[int], now_ns: int) -> dict[Key, int]:
        """Return kind, address, process -> packets of the last sample. Raises Unavailable where it cannot be taken."""
        counts = tuple(words.get(counter) for counter in self.trouble.counters)
        if self._counts is not None and all(a != b for a, b in zip(counts, self._counts, strict=True)):
            self._moved_ns = now_ns
        self._counts = counts
        if self._late is None and self._moved_ns == now_ns and now_ns - self._begun_ns >= PAUSE_NS:
            self._late, self._begun_ns, self._packets = Late("destinations"), now_ns, {}
        if self._late is not None:
            try:
                rows = self._late.get(lambda: load(self.trouble, indexes)).rows()
            except KernelError as error:
                raise Unavailable(f"destinations: {error}") from error
            finally:
                if now_ns - self._begun_ns >= SAMPLE_NS:
                    self.close()
            for key, cpus in rows.items():
                self._packets[self._row(key)] = sum(cpus)
        if now_ns - self._moved_ns >= KEPT_NS:
            self._packets = {}
        return self._packets

    def close(self) -> None:
        if self._late is not None:
            self._late.close()
            self._late = None

    def _row(self, key: tuple[int, ...]) -> Key:
        version, address, process = _KEY.unpack(struct.pack(f"={len(key)}I", *key))
        family, width = (socket.AF_INET, 4) if version == 4 else (socket.AF_INET6, 16)
        name = process.partition(b"\0")[0].decode("utf-8", "replace")
        return self.trouble.name, socket.inet_ntop(family, address[:width]), name


class Destinations:
    """A collector of destinations."""

    name = "destinations"

    def __init__(self, snmp: Snmp) -> None:
        self._snmp = snmp  # read just before at each tick
        self._samplers = (_Sampler(NO_ROUTE), _Sampler(EXPIRED))
        self._builder = ReadingBuilder(self.name)

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        now_ns = time.monotonic_ns()
        indexes = [interface.ifindex for interface in interfaces]
        packets: dict[Key, int] = {}
        refusals: list[Unavailable] = []
        for sampler in self._samplers:
            try:
                packets.update(sampler.packets(self._snmp.words, indexes, now_ns))
            except Unavailable as error:
                refusals.append(error)
        if refusals and not packets:
            raise refusals[0]
        most = sorted(packets.items(), key=lambda row: -row[1])[:MOST_ROWS]
        rows: CounterRows = {key: [count] for key, count in most}
        read_ns = time.monotonic_ns()
        return {reading_key(self.name): self._builder.reading(rows, read_ns, read_ns - now_ns)}

    def close(self) -> None:
        for sampler in self._samplers:
            sampler.close()


def load(trouble: Trouble, indexes: Sequence[int]) -> Traced:
    """Load and attach the program of one kind of packets. Raises KernelError, BpftopError."""
    constants = {}
    if trouble is EXPIRED:
        numbers = {name: number for number, name in drop_reasons().names.items()}
        if _EXPIRED not in numbers:
            raise BpftopError("this kernel does not say that it drops a packet for its header")
        constants = {"expired": numbers[_EXPIRED]}
    return Traced("destinations", trouble.program, _KEY.size // 4, indexes, constants)
