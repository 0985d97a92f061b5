"""Destinations of packets in trouble, by a sample of some seconds (bpf_objects/destinations.bpf.c)."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from bpftop.collect.bpf.sampler import Gains, Sampler, Trouble, most_packets, number_of_reason
from bpftop.collect.bpf.tracing import Traced
from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.collect.procfs.counter_files import Snmp, Snmp6
from bpftop.model.sample import Interface, Key, Reading, reading_key

_KEY = struct.Struct("=I16s16s")
KEY_U32S = _KEY.size // 4
"""Size of a key of the map, in numbers of 32 bits."""


class Destinations:
    """A collector of destinations. ``rejected`` tells for "4" and "6" whether a route has just refused packets."""

    name = "destinations"

    def __init__(self, snmp: Snmp, snmp6: Snmp6, rejected: Callable[[str], bool]) -> None:
        no_route, no_route_ipv6 = Gains("IpOutNoRoutes"), Gains("Ip6OutNoRoutes")
        expired = Gains("IpInHdrErrors", "IpForwDatagrams")
        expired_ipv6 = Gains("Ip6InHdrErrors", "Ip6OutForwDatagrams")

        def any_expired(now_ns: int) -> bool:
            gained = expired.per_sec(snmp.words, now_ns), expired_ipv6.per_sec(snmp6.words, now_ns)
            return any(map(all, gained))

        self._kinds: tuple[tuple[Sampler, Callable[[int], bool]], ...] = (
            (Sampler(NO_ROUTE), lambda now_ns: any(no_route.per_sec(snmp.words, now_ns)) or rejected("4")),
            (Sampler(NO_ROUTE_IPV6), lambda now_ns: any(no_route_ipv6.per_sec(snmp6.words, now_ns)) or rejected("6")),
            (Sampler(EXPIRED), any_expired),
        )  # the counters are read just before at each tick
        self._builder = ReadingBuilder(self.name)

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        now_ns = time.monotonic_ns()
        indexes = [interface.ifindex for interface in interfaces]
        packets: dict[Key, int] = {}
        refusals: list[Unavailable] = []
        for sampler, has_moved in self._kinds:
            try:
                packets.update(sampler.packets(has_moved(now_ns), indexes, now_ns))
            except Unavailable as error:
                refusals.append(error)
        if refusals and not packets:
            raise refusals[0]
        read_ns = time.monotonic_ns()
        return {reading_key(self.name): self._builder.reading(most_packets(packets), read_ns, read_ns - now_ns)}

    def close(self) -> None:
        for sampler, _ in self._kinds:
            sampler.close()


def _row(trouble: str, key: tuple[int, ...]) -> Key:
    version, address, process = _KEY.unpack(struct.pack(f"={len(key)}I", *key))
    family, width = (socket.AF_INET, 4) if version == 4 else (socket.AF_INET6, 16)
    name = process.partition(b"\0")[0].decode("utf-8", "replace")
    return trouble, socket.inet_ntop(family, address[:width]), name


def _load(program: str, indexes: Sequence[int]) -> Traced:
    return Traced("destinations", program, KEY_U32S, indexes)


def _load_expired(indexes: Sequence[int]) -> Traced:
    expired = number_of_reason("SKB_DROP_REASON_IP_INHDR", "its header")
    return Traced("destinations", "count_expired", KEY_U32S, indexes, {"expired": expired})


NO_ROUTE = Trouble("destinations", partial(_load, "count_unrouted"), partial(_row, "no route"))
NO_ROUTE_IPV6 = Trouble("destinations", partial(_load, "count_unrouted_ipv6"), partial(_row, "no route"))
EXPIRED = Trouble("destinations", _load_expired, partial(_row, "TTL ends"))
