"""Packets that a blackhole, unreachable or prohibit route refuses (bpf_objects/destinations.bpf.c).

The kernel counts a packet in OutNoRoutes where no route is found, and nowhere where a route is found that refuses it.
The tracepoints of route look-ups see both, and the tracepoint of drops sees the route of a received packet. They would
cost every look-up some ns for ever, so a program is attached only as long as the namespace has such a route: rtnetlink
tells of a new one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from socket import AF_INET, AF_INET6, AddressFamily

from bpftop.collect.bpf.destinations import KEY_U32S
from bpftop.collect.bpf.tracing import Late, Traced
from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.net.rejecting_routes import RejectingRouteNews, has_rejecting_route
from bpftop.kernel.return_code import KernelError
from bpftop.model.sample import Interface, Key, Reading, reading_key
from bpftop.model.units import NS_PER_SEC

SUBJECT = "packets that a route refuses"

LOOK_EVERY_NS = 10 * NS_PER_SEC
"""Time between two looks whether such routes are still there; longer where a look at many routes takes long."""
_MOST_COST = 1 / 500
"""The part of the time that looks may take."""
_NEVER_NS = 2**63

SENT, FORWARDED = "sent", "forwarded"
"""The origin of packets: this host, or another host that sends by way of this host."""


class RejectedSends:
    """A collector of rejected_sends: a row per IP version and origin, zero as long as no route refuses anything."""

    name = "rejected_sends"

    def __init__(self, netdev: Netdev, load_after_s: float = 0.0) -> None:
        self._netdev = netdev
        self._counted: dict[Key, _Counted] = {
            ("4", SENT): _Counted(AF_INET, "count_rejected", load_after_s),
            ("6", SENT): _Counted(AF_INET6, "count_rejected_ipv6", load_after_s),
            ("4", FORWARDED): _Counted(AF_INET, "count_rejected_forwards", load_after_s),
            ("6", FORWARDED): _Counted(AF_INET6, "count_rejected_forwards_ipv6", load_after_s),
        }
        self._builder = ReadingBuilder(self.name)
        self._news: RejectingRouteNews | None = None
        self._look_due_ns = 0
        self._moved: frozenset[Key] = frozenset()

    def moved(self, version: str) -> bool:
        """Return True if packets of this host were refused between the last two reads; ``version`` is "4" or "6"."""
        return (version, SENT) in self._moved

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        begin_ns = time.monotonic_ns()
        indexes = [interface.ifindex for interface in interfaces]
        try:
            self._look_for_routes(begin_ns)
            before = {key: counted.packets for key, counted in self._counted.items()}
            self._read_all(indexes)
        except OSError as error:
            raise Unavailable(f"{SUBJECT}: cannot list the routes by rtnetlink: {error.strerror}") from error
        except KernelError as error:
            raise Unavailable(f"{SUBJECT}: {error}") from error
        self._moved = frozenset(key for key, counted in self._counted.items() if counted.packets > before[key])
        read_ns = time.monotonic_ns()
        rows = {key: [counted.packets] for key, counted in self._counted.items()}
        return {reading_key(self.name): self._builder.reading(rows, read_ns, read_ns - begin_ns)}

    def _read_all(self, indexes: Sequence[int]) -> None:
        """Read all programs; those that are not loaded yet are loaded one after another without a tick between them."""
        missing: list[Unavailable] = []
        for counted in self._counted.values():
            try:
                counted.read(indexes)
            except Unavailable as error:
                missing.append(error)
        if missing:
            raise missing[0]

    def close(self) -> None:
        if self._news is not None:
            self._news.close()
        for counted in self._counted.values():
            counted.close()

    def _look_for_routes(self, now_ns: int) -> None:
        """Find out which families have such routes: by one look, then by notifications as long as there is none."""
        if self._news is None:
            self._news = RejectingRouteNews()
        for family in self._news.families():
            for counted in self._counted.values():
                counted.wanted = counted.wanted or counted.family == family
            if self._look_due_ns == _NEVER_NS:
                self._look_due_ns = now_ns + LOOK_EVERY_NS
        if now_ns < self._look_due_ns:
            return
        found = {family: has_rejecting_route(self._netdev.route, family) for family in (AF_INET, AF_INET6)}
        for counted in self._counted.values():
            counted.wanted = found[counted.family]
        end_ns = time.monotonic_ns()
        pause_ns = max(LOOK_EVERY_NS, int((end_ns - now_ns) / _MOST_COST))
        self._look_due_ns = end_ns + pause_ns if any(found.values()) else _NEVER_NS


class _Counted:
    """The count of one program: goes on where it was when the program is loaded again.

    ``wanted``: there is a route that refuses packets.
    """

    def __init__(self, family: AddressFamily, program: str, load_after_s: float) -> None:
        self.family, self.wanted, self.packets = family, False, 0
        self._program, self._load_after_s = program, load_after_s
        self._late: Late[Traced] | None = None
        self._packets_before = 0

    def read(self, indexes: Sequence[int]) -> None:
        """Update ``packets``. Raises Unavailable, also while the program is being loaded, and KernelError."""
        if not self.wanted:
            self.close()
            return
        if self._late is None:
            self._late = Late(SUBJECT, load_after_s=self._load_after_s)
        rows = self._late.get(lambda: Traced("destinations", self._program, KEY_U32S, indexes)).rows()
        self.packets = self._packets_before + sum(map(sum, rows.values()))

    def close(self) -> None:
        if self._late is not None:
            self._late.close()
            self._late, self._packets_before = None, self.packets
