"""ARP by a packet socket: answers, and packets with an address of this host, in namespaces of their own."""

from __future__ import annotations

import socket
import struct

import pytest

from bpftop.demo.frames import BROADCAST, ETH_ARP, ethernet
from bpftop.kernel.net.addresses import own_addresses
from bpftop.kernel.net.arp_tap import MOST_ADDRESSES, ArpTap, Claim
from bpftop.kernel.net.netdev import Netdev
from tests.bpf.devices import Lab
from tests.waiting import until

pytestmark = pytest.mark.bpf

REQUEST, REPLY = 1, 2
MAC = "02:00:00:00:00:07"


def send(lab: Lab, *packets: tuple[int, str, str]) -> None:
    """Send ARP packets from the other namespace: operation, sender, target."""
    mac = bytes.fromhex(MAC.replace(":", ""))
    with lab.inside(lab.far), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("v1", 0))
        for operation, sender, target in packets:
            addresses = socket.inet_aton(sender), socket.inet_aton(target)
            body = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, mac, addresses[0], bytes(6), addresses[1])
            wire.send(ethernet(BROADCAST, mac, ETH_ARP, body))


def claims(tap: ArpTap, count: int) -> list[Claim]:
    found: list[Claim] = []

    def enough() -> bool:
        found.extend(tap.claims())
        return len(found) >= count

    until(enough, f"{count} claims have come")
    return found


def test_answers_and_own_addresses_pass_the_filter(lab: Lab) -> None:
    lab.veth()
    tap = ArpTap()
    tap.watch(["198.18.5.1"])
    send(
        lab,
        (REQUEST, "198.18.5.9", "198.18.5.1"),  # a neighbour that asks
        (REQUEST, "198.18.5.1", "198.18.5.9"),  # another host with the address of this one
        (REQUEST, "0.0.0.0", "198.18.5.1"),  # a probe
        (REPLY, "198.18.5.8", "198.18.5.8"),  # an announcement
        (REPLY, "198.18.5.9", "198.18.5.1"),
    )
    v0 = socket.if_nametoindex("v0")
    assert claims(tap, 3) == [
        Claim(v0, "198.18.5.1", MAC, is_answer=False),
        Claim(v0, "198.18.5.8", MAC, is_answer=False),
        Claim(v0, "198.18.5.9", MAC, is_answer=True),
    ]
    tap.close()


def test_more_claims_than_one_call_takes(lab: Lab) -> None:
    lab.veth()
    tap = ArpTap()
    addresses = [f"198.18.5.{number}" for number in range(10, 80)]
    send(lab, *((REPLY, address, "198.18.5.1") for address in addresses))
    assert [claim.address for claim in claims(tap, len(addresses))] == addresses
    tap.close()


def test_a_filter_of_as_many_addresses_as_it_takes(lab: Lab) -> None:
    lab.veth()
    tap = ArpTap()
    tap.watch([f"198.18.{200 + number // 250}.{number % 250}" for number in range(MOST_ADDRESSES + 50)])
    send(lab, (REQUEST, "198.18.200.199", "198.18.5.1"), (REPLY, "198.18.5.9", "198.18.5.1"))
    assert [claim.address for claim in claims(tap, 2)] == ["198.18.200.199", "198.18.5.9"]
    tap.close()


def test_addresses_of_this_host_with_a_duplicate(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    with lab.inside(lab.far):
        lab.ip("address add fd62::7/64 dev v1 nodad")
    lab.ip("address add fd62::7/64 dev v0")
    until(
        lambda: any(own.is_duplicate and own.address == "fd62::7" for own in own_addresses(netdev.route)),
        "IPv6 finds the duplicate",
    )
    v0 = netdev.find("v0").ifindex
    assert {(own.address, own.is_duplicate) for own in own_addresses(netdev.route) if own.ifindex == v0} >= {
        ("198.18.5.1", False),
        ("fd62::7", True),
    }
