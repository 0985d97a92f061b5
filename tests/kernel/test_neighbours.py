"""Neighbours that do not answer, in a namespace of its own."""

from __future__ import annotations

import socket

import pytest

from bpftop.kernel.net.neighbours import NeighbourTable
from tests.bpf.devices import Lab
from tests.waiting import until

pytestmark = pytest.mark.bpf


def test_neighbour_without_an_answer_and_the_gateway() -> None:
    with Lab() as lab:
        lab.veth()
        lab.ip("route add default via 198.18.5.77")
        table = NeighbourTable()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", ("203.0.113.9", 9))
        until(
            lambda: [neighbour.address for neighbour in table.unresolved()] == ["198.18.5.77"],
            "the gateway is looked for",
        )
        assert table.default_gateways() == {"198.18.5.77"}
        table.close()
