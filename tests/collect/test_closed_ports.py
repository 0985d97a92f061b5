"""Ports of services that ended, from lists that are some seconds apart."""

from __future__ import annotations

import pytest

from bpftop.collect.procfs.tree import Tree
from bpftop.collect.sockets.closed_ports import ClosedPorts
from bpftop.collect.sockets.listen_sockets import ListenSockets
from bpftop.collect.sockets.udp_sockets import UdpSockets
from bpftop.model.sample import Key
from bpftop.model.units import NS_PER_SEC

from .recorded import read


class Lists:
    """The lists of UDP sockets and of listeners, and the ports that closed between them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now_s = 0
        self._udp, self._listeners = UdpSockets(Tree()), ListenSockets(Tree())
        self._closed_ports = ClosedPorts(self._udp, self._listeners)
        clock = "bpftop.collect.sockets.closed_ports.time.monotonic_ns"
        monkeypatch.setattr(clock, lambda: self._now_s * NS_PER_SEC)

    def list(self, at_s: int, udp: set[int], tcp: set[int]) -> None:
        for sockets, ports in ((self._udp, udp), (self._listeners, tcp)):
            sockets.diag.ports, sockets.listed_ns = ports, at_s * NS_PER_SEC

    def closed(self, now_s: int) -> dict[Key, int | None]:
        """Return protocol and port -> milliseconds since the port was last seen open."""
        self._now_s = now_s
        totals = read(self._closed_ports)["closed_ports"].totals
        return {key: since_ms for key, (since_ms,) in totals.items()}


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> Lists:
    return Lists(monkeypatch)


def test_a_service_that_ended_is_closed(lists: Lists) -> None:
    for at_s in (1, 4, 7):
        lists.list(at_s, {53, 123}, {80})
        assert lists.closed(at_s) == {}
    assert lists.closed(9) == {}
    lists.list(10, {123}, set())
    assert lists.closed(10) == {("UDP", 53): 3000, ("TCP", 80): 3000}
    assert lists.closed(66) == {("UDP", 53): 59_000, ("TCP", 80): 59_000}
    assert lists.closed(67) == {}


def test_a_client_between_two_lists_is_no_service(lists: Lists) -> None:
    """It was open for four seconds; the list without it comes six seconds after the first one with it."""
    lists.list(1, {40_000}, set())
    assert lists.closed(1) == {}
    lists.list(4, {40_000}, set())
    assert lists.closed(5) == {}
    lists.list(7, set(), set())
    assert lists.closed(7) == {}


def test_a_service_that_is_back_is_not_closed(lists: Lists) -> None:
    for at_s in (1, 4, 7):
        lists.list(at_s, {53}, set())
        assert lists.closed(at_s) == {}
    lists.list(8, set(), set())
    assert lists.closed(8) == {("UDP", 53): 1000}
    lists.list(11, {53}, set())
    assert lists.closed(11) == {}
