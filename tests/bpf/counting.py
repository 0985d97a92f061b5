"""Collectors under test, read until their program is loaded; and what a reading has gained."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import pytest

from bpftop.collect.collector import Collector, Unavailable
from bpftop.kernel.net.netdev import Netdev
from bpftop.model.sample import Interface, Key, Reading

Rows = dict[Key, int]


class Watching:
    """A collector on interfaces of the current namespace, loaded."""

    def __init__(self, collector: Collector, names: Sequence[str]) -> None:
        self.collector = collector
        with closing(Netdev()) as netdev:
            self.interfaces = [Interface(name, name, netdev.find(name).ifindex) for name in names]
        self.first = loaded(collector, self.interfaces)
        self._before = rows(self.first)

    def gained(self) -> Rows:
        """What every row gained since the last look; rows that stood still are left out. Waits until nothing moves."""
        now, then = self.read(), None
        while now != then:
            time.sleep(0.05)
            now, then = self.read(), now
        found = {key: packets - self._before.get(key, 0) for key, packets in now.items()}
        self._before = now
        return {key: packets for key, packets in found.items() if packets}

    def read(self) -> Rows:
        return rows(self.collector.read(self.interfaces))


@contextmanager
def watching(collector: Collector, *names: str) -> Iterator[Watching]:
    with closing(collector):
        yield Watching(collector, names)


def loaded(collector: Collector, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
    """The first readings. Raises Unavailable where the program is refused."""
    for _ in range(500):
        try:
            return collector.read(interfaces)
        except Unavailable as error:
            if not str(error).endswith(": being loaded"):
                raise
            time.sleep(0.01)
    pytest.fail(f"{collector.name} is still being loaded after 5 s")


def rows(readings: Mapping[str, Reading]) -> Rows:
    """Of all readings; a cell that is missing is a failure."""
    return {
        key: packets
        for reading in readings.values()
        for key, (packets,) in reading.totals.items()
        if packets is not None
    }


def send_datagrams(address: str, port: int, count: int) -> None:
    """From the current namespace; what the other side or the firewall answers is left alone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            try:
                sender.sendto(b"x", (address, port))
            except (ConnectionRefusedError, PermissionError):  # an ICMP answer to the one before; nftables' own word
                continue
