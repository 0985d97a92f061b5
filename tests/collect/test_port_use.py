"""Local ports in use towards one destination, by real connections in namespaces of their own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bpftop.collect.procfs.tree import Tree
from bpftop.collect.sockets import port_use
from bpftop.collect.sockets.port_use import PortUse
from bpftop.model.sample import Key
from tests.bpf.devices import Lab

pytestmark = pytest.mark.bpf

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
OPEN = 45


@pytest.fixture
def collector(lab: Lab) -> Iterator[PortUse]:
    lab.veth()
    with closing(PortUse(Tree())) as collector:
        yield collector


def rows(collector: PortUse) -> dict[Key, list[int | None]]:
    return {key: list(cells) for key, cells in collector.read([])["port_use"].totals.items()}


def connect(stack: ExitStack, listener: socket.socket) -> socket.socket:
    """Open a connection from the namespace of the calling thread, and return the end of the listener."""
    stack.enter_context(socket.create_connection(listener.getsockname()[:2]))
    return stack.enter_context(listener.accept()[0])


def listen(lab: Lab, stack: ExitStack) -> socket.socket:
    with lab.inside(lab.far):
        return stack.enter_context(socket.create_server(("198.18.5.2", 443), backlog=OPEN))


def test_ports_of_open_connections_count(lab: Lab, collector: PortUse) -> None:
    RANGE.write_text("40000 40049")
    with ExitStack() as stack:
        far = listen(lab, stack)
        assert rows(collector) == {}
        for _ in range(OPEN):
            connect(stack, far)
        assert rows(collector) == {(4, "198.18.5.1", "198.18.5.2", 443): [OPEN, 50]}


def test_connections_from_clients_use_no_ports(lab: Lab, collector: PortUse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel does not even send them, and a look that finds nothing is not made again at once."""
    RANGE.write_text("40000 40049")
    monkeypatch.setattr(port_use, "_MOST_COST", 1e-9)
    with ExitStack() as stack:
        for port in (39_999, 40_050):
            server = stack.enter_context(socket.create_server(("198.18.5.1", port), backlog=OPEN))
            with lab.inside(lab.far):
                for _ in range(OPEN):
                    connect(stack, server)
        assert collector.diag.ports_in_use(range(40_000, 40_050)) == {}
        assert rows(collector) == {}
        far = listen(lab, stack)
        for _ in range(OPEN):
            connect(stack, far)
        assert rows(collector) == {}, "the next look is far away"
