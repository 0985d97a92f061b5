"""Collectors under test: wait until their program is loaded, and compute gains between readings."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from bpftop.collect.collector import Collector, Unavailable
from bpftop.kernel.net.netdev import Netdev
from bpftop.model.sample import Interface, Key, Reading
from tests.waiting import until

Rows = dict[Key, int]


class Watching:
    """A loaded collector on interfaces of the current namespace."""

    def __init__(self, collector: Collector, names: Sequence[str]) -> None:
        self.collector = collector
        with closing(Netdev()) as netdev:
            self.interfaces = [Interface(name, name, netdev.find(name).ifindex) for name in names]
        self.first = loaded(collector, self.interfaces)
        self._before = rows(self.first)

    def gained(self) -> Rows:
        """Return the gain of each changed row since the last call. Wait until no row changes any more."""
        now, then = self.read(), None
        while now != then:
            time.sleep(0.05)
            now, then = self.read(), now
        gains = {key: packets - self._before.get(key, 0) for key, packets in now.items()}
        self._before = now
        return {key: packets for key, packets in gains.items() if packets}

    def read(self) -> Rows:
        return rows(self.collector.read(self.interfaces))


@contextmanager
def watching(collector: Collector, *names: str) -> Iterator[Watching]:
    with closing(collector):
        yield Watching(collector, names)


def loaded(collector: Collector, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
    """Return the first readings. Raises Unavailable if the program is refused."""

    def first() -> list[Mapping[str, Reading]] | None:
        try:
            return [collector.read(interfaces)]  # in a list, because no readings are a result too
        except Unavailable as error:
            if not str(error).endswith(": being loaded"):
                raise
            return None

    return until(first, f"{collector.name} is loaded")[0]


def rows(readings: Mapping[str, Reading]) -> Rows:
    """Return the totals of all readings; a missing cell is a failure."""
    return {
        key: packets
        for reading in readings.values()
        for key, (packets,) in reading.totals.items()
        if packets is not None
    }


def send_datagrams(address: str, port: int, count: int) -> None:
    """Send from the current namespace; ignore answers of the other side or of the firewall."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            try:
                sender.sendto(b"x", (address, port))
            except (
                ConnectionRefusedError,
                PermissionError,
            ):  # by ICMP; by nftables
                continue
