"""The traffic: every kind flows in both directions, without kernel errors, until it is stopped."""

import time

import pytest

from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED
from tests.waiting import until

from .capture import open_capture, watch
from .traces import rx_and_tx_drops, rx_and_tx_packets, snmp

pytestmark = pytest.mark.bpf

BOTH_WAYS = {
    "arp",
    "lldp",
    "one tag",
    "two tags",
    "broadcast",
    "multicast",
    "ipv4 tcp syn",
    "ipv4 tcp syn-ack",
    "ipv4 tcp flow",
    "ipv4 tcp fin",
    "ipv4 tcp rst",
    "ipv4 udp dns",
    "ipv4 udp ntp",
    "ipv4 udp quic",
    "ipv4 udp other",
    "ipv4 udp mdns",
    "ipv4 udp ssdp",
    "ipv4 fragment",
    "ipv4 echo request",
    "ipv4 echo reply",
    "ipv4 igmp",
    "ipv4 esp",
    "ipv4 gre",
    "ipv6 tcp syn",
    "ipv6 tcp syn-ack",
    "ipv6 tcp flow",
    "ipv6 tcp fin",
    "ipv6 udp dns",
    "ipv6 udp quic",
    "ipv6 echo request",
    "ipv6 echo reply",
    "ipv6 solicitation",
    "ipv6 advertisement",
}


def test_every_kind_flows_both_ways() -> None:
    with Lab() as lab, lab.call_in(WATCHED, lambda: open_capture("demo0")) as capture:
        lab.start_traffic()
        seen = watch(capture, 1.0)
        wanted = {(way, kind) for way in ("rx", "tx") for kind in BOTH_WAYS}

        def all_seen() -> bool:
            seen.update(watch(capture, 0.5))
            return wanted <= seen.keys()

        until(all_seen, lambda: f"these kinds are seen: {wanted - seen.keys()}")
    assert seen["tx", "ipv4 icmp 3"] == 0  # nobody talks to a closed UDP port


def test_packets_flow_both_ways() -> None:
    with Lab() as lab:
        rx, tx = lab.call_in(WATCHED, lambda: rx_and_tx_packets("demo0"))
        lab.start_traffic()

        def flows() -> bool:
            rx_now, tx_now = lab.call_in(WATCHED, lambda: rx_and_tx_packets("demo0"))
            return rx_now - rx > 50 and tx_now - tx > 50

        until(flows, "more than 50 packets each way")


def test_kernels_count_no_errors() -> None:
    with Lab() as lab:
        drops = [lab.call_in(side, lambda: rx_and_tx_drops(side.interface)) for side in (WATCHED, GENERATOR)]  # noqa: B023
        lab.start_traffic()
        time.sleep(3.0)
        for side, before in zip((WATCHED, GENERATOR), drops, strict=True):
            udp, tcp = lab.call_in(side, lambda: (snmp("Udp"), snmp("Tcp")))
            assert udp["NoPorts"] == udp["InErrors"] == udp["RcvbufErrors"] == 0
            assert tcp["RetransSegs"] <= 0.05 * tcp["OutSegs"]
            assert lab.call_in(side, lambda: rx_and_tx_drops(side.interface)) == before  # noqa: B023


def test_scale_multiplies_the_rates() -> None:
    def packets_in_a_second() -> int:
        before = lab.call_in(WATCHED, lambda: rx_and_tx_packets("demo0"))
        time.sleep(1.0)
        return sum(lab.call_in(WATCHED, lambda: rx_and_tx_packets("demo0"))) - sum(before)

    with Lab() as lab:
        lab.start_traffic(scale=0.25)
        low = min(packets_in_a_second() for _ in range(3))  # a busy machine delays packets and then sends them at once
        lab.start_traffic(scale=1.5)
        until(lambda: packets_in_a_second() > 2.5 * low > 0, f"2.5 times {low} packets in a second")


def test_stop_traffic_stops_it() -> None:
    with Lab(quiet=True) as lab:
        lab.start_traffic()
        time.sleep(0.3)
        lab.stop_traffic()
        until(lambda: is_silent(lab), "no traffic flows")
        lab.start_traffic()
        until(lambda: not is_silent(lab), "traffic flows")


def is_silent(lab: Lab) -> bool:
    before = lab.call_in(WATCHED, lambda: rx_and_tx_packets("demo0"))
    time.sleep(0.5)
    return lab.call_in(WATCHED, lambda: rx_and_tx_packets("demo0")) == before


def test_traffic_survives_a_link_down() -> None:
    with Lab() as lab:
        lab.start_traffic()
        time.sleep(0.3)
        lab.run_in(WATCHED, ["ip", "link", "set", "demo0", "down"])
        time.sleep(0.5)
        lab.run_in(WATCHED, ["ip", "link", "set", "demo0", "up"])
        until(lambda: not is_silent(lab), "traffic flows")
        lab.check()
