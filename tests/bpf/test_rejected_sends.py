"""Packets of this host that a blackhole, unreachable or prohibit route refuses, by real routes in a namespace."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bpftop.collect.bpf import rejected_sends
from bpftop.collect.bpf.destinations import Destinations
from bpftop.collect.bpf.rejected_sends import RejectedSends
from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.counter_files import Snmp, Snmp6
from bpftop.collect.procfs.tree import Tree
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.net.netlink import NetlinkSocket
from bpftop.kernel.net.rejecting_routes import has_rejecting_route
from tests.bpf.devices import Lab
from tests.waiting import until

pytestmark = pytest.mark.bpf

NETWORK, ADDRESS = "198.51.100.0/24", "198.51.100.7"
NETWORK6, ADDRESS6 = "2001:db8:7::/48", "2001:db8:7::7"
KINDS = ("blackhole", "unreachable", "prohibit")

REFUSALS = "Invalid argument|No route to host|Permission denied|Network is unreachable"

Count = Callable[..., dict[str, int]]


@pytest.fixture
def collector(lab: Lab, netdev: Netdev, monkeypatch: pytest.MonkeyPatch) -> Iterator[RejectedSends]:
    lab.veth()
    monkeypatch.setattr(rejected_sends, "LOOK_EVERY_NS", 0)
    monkeypatch.setattr(rejected_sends, "_MOST_COST", float("inf"))
    with closing(RejectedSends(netdev)) as collector:
        yield collector


@pytest.fixture
def count(collector: RejectedSends) -> Count:
    """Return a function that waits until programs are loaded where routes want them, and returns version -> packets."""

    def count(origin: str = "sent") -> dict[str, int]:
        counts: dict[str, int] = {}

        def is_read() -> bool:
            try:
                reading = collector.read([])["rejected_sends"]
            except Unavailable as error:
                if "being loaded" not in str(error):
                    raise
                return False
            counts.update({str(key[0]): row[0] or 0 for key, row in reading.totals.items() if key[1] == origin})
            return True

        until(is_read, "the programs are loaded")
        return counts

    return count


def send_udp(address: str, source: str = "", connected_before: Callable[[], object] | None = None) -> None:
    """Send a datagram that no route takes: unbound, bound, or connected before there was such a route."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        if source:
            sender.bind((source, 0))
        if connected_before is not None:
            sender.connect((address, 9))
            connected_before()
            with pytest.raises(OSError, match=REFUSALS):
                sender.send(b"x")
        else:
            with pytest.raises(OSError, match=REFUSALS):
                sender.sendto(b"x", (address, 9))


def connect(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as client, pytest.raises(OSError, match=REFUSALS):
        client.connect((address, 9))


@pytest.mark.parametrize("kind", KINDS)
def test_each_refused_packet_is_counted_once(lab: Lab, count: Count, kind: str) -> None:
    assert count() == {"4": 0, "6": 0}
    lab.ip(f"route add {kind} {NETWORK}")
    lab.ip(f"-6 route add {kind} {NETWORK6}")
    assert count() == {"4": 0, "6": 0}
    send_udp(ADDRESS)
    send_udp(ADDRESS, source="198.18.5.1")
    connect(ADDRESS)
    assert count() == {"4": 3, "6": 0}
    send_udp(ADDRESS6)
    connect(ADDRESS6)
    assert count() == {"4": 3, "6": 2}


def test_connected_socket_whose_route_is_replaced(lab: Lab, count: Count) -> None:
    lab.ip("route add blackhole 203.0.113.0/24")
    lab.ip(f"route add {NETWORK} via 198.18.5.2")
    count()
    send_udp(ADDRESS, connected_before=lambda: lab.ip(f"route replace blackhole {NETWORK}"))
    assert count() == {"4": 1, "6": 0}


def test_what_is_counted_or_dropped_elsewhere_does_not_count(lab: Lab, count: Count) -> None:
    """No route at all, a route that is taken, a received packet whose source has such a route, another namespace."""
    lab.ip(f"route add blackhole {NETWORK}")
    lab.ip(f"-6 route add blackhole {NETWORK6}")
    for setting in ("all", "v0"):
        Path(f"/proc/sys/net/ipv4/conf/{setting}/rp_filter").write_text("1")
    count()
    send_udp("203.0.113.9")
    send_udp("2001:db8:9::9")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.sendto(b"x", ("198.18.5.2", 9))
    with lab.inside(lab.far):
        lab.ip(f"address add {ADDRESS}/32 dev lo")
        lab.ip("route add unreachable 192.0.2.0/24")
        send_udp("192.0.2.1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind((ADDRESS, 0))
            stranger.sendto(b"x", ("198.18.5.1", 9))
    filtered = "IPReversePathFilter"
    header, values = (line.split() for line in Path("/proc/thread-self/net/netstat").read_text().splitlines()[:2])
    assert int(values[header.index(filtered)]) == 1, "the look-up of the source was refused"
    assert count() == {"4": 0, "6": 0}


def test_forwarded_packets_that_a_route_refuses(lab: Lab, count: Count) -> None:
    """Blackhole routes of a router, and a prohibit route of IPv4. The router sends nothing itself."""
    lab.ip("-6 address add 2001:db8:5::1/64 dev v0 nodad")
    lab.ip("route add prohibit 192.0.2.0/24")
    lab.ip(f"route add blackhole {NETWORK}")
    lab.ip(f"-6 route add blackhole {NETWORK6}")
    for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        Path("/proc/sys/net", setting).write_text("1")
    assert count("forwarded") == {"4": 0, "6": 0}
    with lab.inside(lab.far):
        lab.ip("-6 address add 2001:db8:5::2/64 dev v1 nodad")
        lab.ip("route add default via 198.18.5.1")
        lab.ip("-6 route add default via 2001:db8:5::1")
        for address in (ADDRESS, "192.0.2.9", "203.0.113.9", ADDRESS6, "2001:db8:9::9"):
            with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", (address, 9))
    until(lambda: count("forwarded") == {"4": 2, "6": 1}, "each refused packet is counted")
    assert count() == {"4": 0, "6": 0}


def test_count_goes_on_after_the_last_such_route_has_gone(lab: Lab, count: Count) -> None:
    lab.ip(f"route add prohibit {NETWORK}")
    count()
    send_udp(ADDRESS)
    assert count()["4"] == 1
    lab.ip(f"route delete prohibit {NETWORK}")
    assert count()["4"] == 1
    lab.ip(f"route add blackhole {NETWORK}")
    assert count()["4"] == 1
    send_udp(ADDRESS)
    assert count()["4"] == 2


def test_nothing_is_loaded_or_looked_for_without_such_a_route(
    lab: Lab, count: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def look(route: NetlinkSocket, family: socket.AddressFamily) -> bool:
        looks.append(family)
        return has_rejecting_route(route, family)

    monkeypatch.setattr(rejected_sends, "has_rejecting_route", look)
    monkeypatch.setattr(rejected_sends, "Late", lambda *_, **__: pytest.fail("a program is loaded"))
    for _ in range(5):
        lab.ip("route replace 203.0.113.0/24 via 198.18.5.2")
        assert count() == {"4": 0, "6": 0}
    assert looks == [socket.AF_INET, socket.AF_INET6]


def test_one_read_begins_to_load_all_that_is_wanted(lab: Lab, collector: RejectedSends) -> None:
    lab.ip(f"route add blackhole {NETWORK}")
    with suppress(Unavailable):
        collector.read([])
    begun = [key for key, counted in collector._counted.items() if counted._late is not None]
    assert begun == [("4", "sent"), ("4", "forwarded")]


def test_new_route_is_known_without_another_look(lab: Lab, count: Count, monkeypatch: pytest.MonkeyPatch) -> None:
    assert count() == {"4": 0, "6": 0}
    monkeypatch.setattr(rejected_sends, "LOOK_EVERY_NS", 10**18)
    lab.ip(f"route add blackhole {NETWORK}")
    count()
    send_udp(ADDRESS)
    assert count() == {"4": 1, "6": 0}


def test_destination_of_refused_packets_is_sampled(lab: Lab, count: Count, collector: RejectedSends) -> None:
    lab.ip(f"route add blackhole {NETWORK}")
    count()
    snmp, snmp6 = Snmp(Tree()), Snmp6(Tree())
    with closing(snmp), closing(snmp6), closing(Destinations(snmp, snmp6, collector.moved)) as destinations:

        def addresses() -> set[object]:
            snmp.read([])
            snmp6.read([])
            count()
            found: set[object] = set()
            with suppress(Unavailable):  # being loaded
                found = {key[1] for key in destinations.read([])["destinations"].keys}
            return found

        assert addresses() == set()

        def is_named() -> bool:
            send_udp(ADDRESS)
            return addresses() == {ADDRESS}

        until(is_named, "the destination is sampled")
