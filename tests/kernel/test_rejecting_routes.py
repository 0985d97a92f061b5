"""Routes that refuse packets, by rtnetlink, in namespaces of their own."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.net.rejecting_routes import RejectingRouteNews, has_rejecting_route
from tests.bpf.devices import Lab

pytestmark = pytest.mark.bpf


def families(netdev: Netdev) -> list[socket.AddressFamily]:
    return [family for family in (socket.AF_INET, socket.AF_INET6) if has_rejecting_route(netdev.route, family)]


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit"])
def test_routes_of_every_table_are_found(lab: Lab, netdev: Netdev, kind: str) -> None:
    lab.veth()
    lab.ip("route add 203.0.113.0/24 via 198.18.5.2")
    lab.ip("route add throw 198.51.100.0/24 table 77")
    assert families(netdev) == []
    lab.ip(f"route add {kind} 198.51.100.0/24 table 78")
    assert families(netdev) == [socket.AF_INET]
    lab.ip(f"-6 route add {kind} 2001:db8:7::/48 table 78")
    assert families(netdev) == [socket.AF_INET, socket.AF_INET6]


def test_only_news_of_refusing_routes_pass_the_filter(lab: Lab) -> None:
    lab.veth()
    with closing(RejectingRouteNews()) as news:
        lab.ip("route add 203.0.113.0/24 via 198.18.5.2")
        lab.ip("route add throw 198.51.100.0/24 table 77")
        lab.ip("-6 route add 2001:db8:8::/48 dev v0")
        assert list(news._netlink.notifications()) == []
        lab.ip("route replace blackhole 203.0.113.0/24")
        assert news.families() == {socket.AF_INET}
        lab.ip("route delete blackhole 203.0.113.0/24")
        assert news.families() == set()
        lab.ip("-6 route add prohibit 2001:db8:7::/48")
        lab.ip("route add unreachable 203.0.113.0/24")
        assert news.families() == {socket.AF_INET, socket.AF_INET6}
