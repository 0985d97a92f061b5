"""Neighbours that do not answer, in a namespace of its own."""

from __future__ import annotations

import socket

import pytest

from bpftop.kernel.net.neighbours import unresolved
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.net.routes import default_routes
from tests.bpf.devices import Lab
from tests.waiting import until

pytestmark = pytest.mark.bpf


def test_neighbour_without_an_answer_and_the_gateway(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    lab.ip("route add default via 198.18.5.77")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"", ("203.0.113.9", 9))
    until(
        lambda: [neighbour.address for neighbour in unresolved(netdev.route)] == ["198.18.5.77"],
        "the gateway is looked for",
    )
    assert [found.gateway for found in default_routes(netdev.route, socket.AF_INET)] == ["198.18.5.77"]
