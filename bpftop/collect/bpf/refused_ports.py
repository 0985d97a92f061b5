"""Ports that are asked though nobody listens there, by a sample of some seconds (bpf_objects/refused.bpf.c)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bpftop.collect.bpf.sampler import Gains, Sampler, Trouble, most_packets, number_of_reason
from bpftop.collect.bpf.tracing import Traced
from bpftop.collect.collector import ReadingBuilder
from bpftop.collect.procfs.counter_files import Snmp, Snmp6
from bpftop.model.sample import Interface, Key, Reading, reading_key

MANY_PER_SEC = 10
"""Refused requests per second from which a sample is taken: strays at an open port of the Internet stay below."""

_KINDS = ("UDP", "TCP", "TCP odd flags", "TCP other")
"""Names of the kinds of bpf_objects/refused.bpf.c, by their numbers."""


class RefusedCounts(Traced):
    """The attached counting program."""

    def __init__(self, indexes: Sequence[int]) -> None:
        no_socket = number_of_reason("SKB_DROP_REASON_NO_SOCKET", "want of a socket")
        super().__init__("refused", "count_refused", 2, indexes, {"no_socket": no_socket})

    def rows(self) -> Mapping[tuple[int, ...], Sequence[int]]:
        """Return the counts by kind and port: of the ports asked first, where a scan fills the table."""
        return self._counts.read()


class RefusedPorts:
    """A collector of refused_ports."""

    name = "refused_ports"

    def __init__(self, snmp: Snmp, snmp6: Snmp6) -> None:
        self._files = ((Gains("UdpNoPorts", "TcpOutRsts"), snmp), (Gains("Udp6NoPorts"), snmp6))
        self._sampler = Sampler(Trouble("refused ports", RefusedCounts, _row))
        self._builder = ReadingBuilder(self.name)

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        now_ns = time.monotonic_ns()
        refused = sum(sum(gains.per_sec(file.words, now_ns)) for gains, file in self._files)
        indexes = [interface.ifindex for interface in interfaces]
        packets = self._sampler.packets(refused >= MANY_PER_SEC, indexes, now_ns)
        read_ns = time.monotonic_ns()
        return {reading_key(self.name): self._builder.reading(most_packets(packets), read_ns, read_ns - now_ns)}

    def close(self) -> None:
        self._sampler.close()


def _row(key: tuple[int, ...]) -> Key:
    return _KINDS[key[0]], key[1]
