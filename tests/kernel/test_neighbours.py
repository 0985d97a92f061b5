"""Neighbours that do not answer, and addresses that move, in a namespace of its own."""

from __future__ import annotations

import socket

import pytest

from bpftop.kernel.net.neighbours import NeighbourNews, Sighting, unresolved
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


def test_moves_of_a_neighbour_and_of_a_mac_address_are_told(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    lab.ip("link add br0 type bridge")
    lab.ip("link add p0 master br0 type veth peer name p1")
    news = NeighbourNews()
    lab.ip("neigh replace 198.18.5.9 lladdr 02:00:00:00:00:01 dev v0")
    lab.ip("neigh replace 198.18.5.9 lladdr 02:00:00:00:00:02 dev v0")
    lab.run("bridge", "fdb", "replace", "02:00:00:00:00:03", "dev", "p0", "master")
    v0, br0, p0 = (netdev.find(name).ifindex for name in ("v0", "br0", "p0"))
    wanted = [
        Sighting(v0, "198.18.5.9", "02:00:00:00:00:01", 0),
        Sighting(v0, "198.18.5.9", "02:00:00:00:00:02", 0),
        Sighting(br0, "02:00:00:00:00:03", "", p0),
    ]
    assert [seen for seen in news.sightings() if seen in wanted] == wanted
    assert list(news.sightings()) == []
    news.close()
