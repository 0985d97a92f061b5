"""Addresses that move from place to place: an IP address between MAC addresses, a MAC address between bridge ports.

A single move is healthy: a virtual machine migrates, a standby host takes over. So a row is a gauge of the moves
between the same two places within the last ten seconds.
"""

from __future__ import annotations

import errno
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence

from bpftop.collect.collector import CounterRows, ReadingBuilder, Unavailable
from bpftop.kernel.net.addresses import OwnAddress, own_addresses
from bpftop.kernel.net.arp_tap import ArpTap, Claim
from bpftop.kernel.net.neighbours import NeighbourNews
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.privileges import missing_remedy
from bpftop.model.sample import Interface, Key, Reading, reading_key
from bpftop.model.units import NS_PER_SEC

HERE = "this host"
MOST_ADDRESSES, MOST_ROWS, MOST_MOVES = 16_384, 256, 64
_KEPT_NS = 10 * NS_PER_SEC
_ADDRESSES_EVERY_NS = 3 * NS_PER_SEC


class Moves:
    """The place of each address, and the times of its moves between two places."""

    def __init__(self) -> None:
        self._places: dict[Key, str] = {}
        self._times: dict[Key, deque[int]] = {}

    def see(self, kind: str, device: str, address: str, place: str, now_ns: int) -> None:
        """Note that an address is at a place now."""
        key = kind, device, address
        before = self._places.get(key, place)
        if len(self._places) >= MOST_ADDRESSES:  # somebody sends from any number of addresses
            self._places.clear()
        self._places[key] = place
        if before != place:
            self.move(key, before, place, now_ns)

    def move(self, key: Key, place: str, other: str, now_ns: int, times: int = 1) -> None:
        """Count moves between two places."""
        row = (*key, *sorted((place, other)))
        if row in self._times or len(self._times) < MOST_ROWS:
            self._times.setdefault(row, deque(maxlen=MOST_MOVES)).extend([now_ns] * times)

    def rows(self, now_ns: int) -> CounterRows:
        """Return kind, device, address and the two places -> the moves of the last ten seconds."""
        for times in self._times.values():
            while times and times[0] <= now_ns - _KEPT_NS:
                times.popleft()
        self._times = {row: times for row, times in self._times.items() if times}
        return {row: [len(times)] for row, times in self._times.items()}


class MovesCollector(ABC):
    """A collector of one family of moves."""

    name: str
    subject: str

    def __init__(self, netdev: Netdev) -> None:
        self.netdev, self.moves = netdev, Moves()
        self._builder = ReadingBuilder(self.name)
        self._device_names: dict[int, str] = {}

    @abstractmethod
    def look(self, now_ns: int) -> None:
        """Count the moves since the last reading. Raises OSError."""

    @abstractmethod
    def close(self) -> None: ...

    def device_name(self, ifindex: int) -> str:
        """Return the name of a device; one that is not watched is looked up once for each reading."""
        if ifindex not in self._device_names:
            device = self.netdev.device(ifindex)
            self._device_names[ifindex] = f"ifindex {ifindex}" if device is None else device.name
        return self._device_names[ifindex]

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        begin_ns = time.monotonic_ns()
        self._device_names = {interface.ifindex: interface.label for interface in interfaces}
        try:
            self.look(begin_ns)
        except OSError as error:
            remedy = f"; it {missing_remedy(('CAP_NET_RAW',))}" if error.errno == errno.EPERM else ""
            raise Unavailable(f"{self.subject}: {error.strerror}{remedy}") from error
        read_ns = time.monotonic_ns()
        reading = self._builder.reading(self.moves.rows(read_ns), read_ns, read_ns - begin_ns)
        return {reading_key(self.name): reading}


class AddressMoves(MovesCollector):
    """A collector of address_moves: what the kernel's tables of neighbours and of bridges have seen."""

    name = "address_moves"
    subject = "moves of addresses cannot be followed by rtnetlink"

    _news: NeighbourNews | None = None

    def look(self, now_ns: int) -> None:
        if self._news is None:
            self._news = NeighbourNews()
        for seen in self._news.sightings():
            device = self.device_name(seen.ifindex)
            if seen.port:
                self.moves.see("bridge", device, seen.address, seen.place or self.device_name(seen.port), now_ns)
            else:
                self.moves.see("neighbour", device, seen.address, seen.place, now_ns)

    def close(self) -> None:
        if self._news is not None:
            self._news.close()


class AddressClaims(MovesCollector):
    """A collector of address_claims: two hosts that answer for one address, and another host with an own address."""

    name = "address_claims"
    subject = "ARP cannot be watched by a packet socket"

    _tap: ArpTap | None = None

    def __init__(self, netdev: Netdev) -> None:
        super().__init__(netdev)
        self._own: list[OwnAddress] = []
        self._own_due_ns = 0

    def look(self, now_ns: int) -> None:
        if self._tap is None:
            self._tap = ArpTap()
        claims = list(self._tap.claims())
        if now_ns >= self._own_due_ns or any(claim.address in self._own_ipv4() for claim in claims):
            # A standby host takes an address over just after this host has given it up.
            self._own, self._own_due_ns = own_addresses(self.netdev.route), now_ns + _ADDRESSES_EVERY_NS
            self._tap.watch(self._own_ipv4())
        own = self._own_ipv4()
        self._look_at_neighbours([claim for claim in claims if claim.address not in own], now_ns)
        self._look_at_own([claim for claim in claims if claim.address in own], now_ns)

    def close(self) -> None:
        if self._tap is not None:
            self._tap.close()

    def _own_ipv4(self) -> set[str]:
        return {own.address for own in self._own if ":" not in own.address and not own.address.startswith("127.")}

    def _look_at_neighbours(self, claims: Sequence[Claim], now_ns: int) -> None:
        """Count two hosts that answer within one reading as a move away and back: no failover is that fast."""
        answered: dict[Key, str] = {}
        for claim in claims:
            key = "neighbour", self.device_name(claim.ifindex), claim.address
            self.moves.see(*key, claim.link_address, now_ns)
            if claim.is_answer and answered.setdefault(key, claim.link_address) != claim.link_address:
                self.moves.move(key, answered[key], claim.link_address, now_ns)

    def _look_at_own(self, claims: Sequence[Claim], now_ns: int) -> None:
        """Count each claim as a move away and back, because the address is here all the time."""
        # Another interface of this host may have sent it.
        own_macs = {device.address.hex(":") for device in self.netdev.devices()} if claims else set()
        for claim in claims:
            if claim.link_address not in own_macs:
                self.moves.move(
                    ("own", self.device_name(claim.ifindex), claim.address), HERE, claim.link_address, now_ns, 2
                )
        for own in self._own:
            if own.is_duplicate:
                self.moves.move(("own", self.device_name(own.ifindex), own.address), HERE, "another host", now_ns, 2)
