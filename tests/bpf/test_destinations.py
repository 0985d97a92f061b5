"""Destinations of packets without a route, and of packets whose TTL ends: sampled while their counters move."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bpftop.collect.bpf import sampler
from bpftop.collect.bpf.destinations import Destinations
from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.counter_files import Snmp, Snmp6
from bpftop.collect.procfs.tree import Tree
from bpftop.model.sample import Key
from tests.bpf.devices import Lab
from tests.waiting import until

pytestmark = pytest.mark.bpf

Read = Callable[[], dict[Key, int]]


@pytest.fixture
def read(lab: Lab) -> Iterator[Read]:
    """Return a function that reads the counters, then the destinations, which are none while a program is loaded."""
    lab.veth()
    snmp, snmp6 = Snmp(Tree()), Snmp6(Tree())
    with closing(snmp), closing(snmp6), closing(Destinations(snmp, snmp6, lambda version: False)) as collector:

        def read() -> dict[Key, int]:
            snmp.read([])
            snmp6.read([])
            try:
                reading = collector.read([])["destinations"]
            except Unavailable as error:
                if "being loaded" not in str(error):
                    raise
                return {}
            return {key: row[0] or 0 for key, row in reading.totals.items()}

        yield read


def send(address: str, ttl: int = 64) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        if family == socket.AF_INET:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        else:
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        sender.sendto(bytes(20), (address, 9))


def send_in_vain(address: str) -> None:
    with pytest.raises(OSError, match="unreachable"):
        send(address)


def test_destination_without_a_route_and_its_process(lab: Lab, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.ip("route add unreachable 198.51.100.0/24")
    assert read() == {}
    name = Path("/proc/thread-self/comm").read_text().strip()

    def both_are_named() -> bool:
        send_in_vain("203.0.113.9")
        with pytest.raises(OSError, match="No route to host"):
            send("198.51.100.7")
        send("198.18.5.2")  # has a route
        return {key[1:] for key in read()} == {("203.0.113.9", name), ("198.51.100.7", name)}

    until(both_are_named, "both destinations are counted")
    monkeypatch.setattr(sampler, "SAMPLE_NS", 0)  # the sample ends
    last = read()
    send_in_vain("203.0.113.10")
    assert read() == last, "a new sample begins only after a minute"
    monkeypatch.setattr(sampler, "KEPT_NS", 0)
    assert read() == {}


def test_ipv6_destinations_without_a_route(lab: Lab, read: Read) -> None:
    """A network without a route, and one with an unreachable route; the host has an address and no default route."""
    lab.ip("-6 route add unreachable 2001:db8:7::/48")
    assert read() == {}
    name = Path("/proc/thread-self/comm").read_text().strip()
    sent = 0

    def both_are_named() -> bool:
        nonlocal sent
        send_in_vain("2001:db8:9::9")
        with pytest.raises(OSError, match="No route to host"):
            send("2001:db8:7::7")
        sent += 1
        return {key[1:] for key in read()} == {("2001:db8:9::9", name), ("2001:db8:7::7", name)}

    until(both_are_named, "both destinations are counted")
    assert all(1 <= packets <= sent for packets in read().values()), "an attempt is looked up twice, and counted once"


def test_destination_of_packets_whose_ttl_ends(lab: Lab, read: Read) -> None:
    lab.ip("route add 203.0.113.0/24 via 198.18.5.2")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    with lab.inside(lab.far):
        lab.ip("route add 203.0.113.0/24 via 198.18.5.1")
    only_the_ended_is_named(lab, read, "203.0.113.9", "203.0.113.8")


def test_ipv6_destination_whose_hop_limit_ends(lab: Lab, read: Read) -> None:
    lab.ip("-6 address add 2001:db8:5::1/64 dev v0 nodad")
    lab.ip("-6 route add 2001:db8:9::/48 via 2001:db8:5::2")
    Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
    with lab.inside(lab.far):
        lab.ip("-6 address add 2001:db8:5::2/64 dev v1 nodad")
        lab.ip("-6 route add 2001:db8:9::/48 via 2001:db8:5::1")
    only_the_ended_is_named(lab, read, "2001:db8:9::9", "2001:db8:9::8")


def only_the_ended_is_named(lab: Lab, read: Read, ended: str, forwarded: str) -> None:
    assert read() == {}

    def is_named() -> bool:
        with lab.inside(lab.far):
            send(ended, ttl=1)
            send(forwarded, ttl=2)
        return read().get(("TTL ends", ended, ""), 0) > 0

    until(is_named, "the destination is counted")
    assert set(read()) == {("TTL ends", ended, "")}
