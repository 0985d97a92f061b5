"""Drops and backlog of queueing disciplines of devices in a namespace."""

from __future__ import annotations

import errno
import os

import pytest

from bpftop.collect.collector import Unavailable
from bpftop.collect.devices.qdiscs import Qdiscs
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.net.qdiscs import Qdisc
from bpftop.model.sample import Interface
from tests.bpf.devices import Lab
from tests.collect.moments import signal

pytestmark = pytest.mark.bpf


def interface(netdev: Netdev, name: str) -> Interface:
    return Interface(name, name, netdev.find(name).ifindex)


def tc(lab: Lab, arguments: str) -> None:
    lab.run("tc", *arguments.split())


def test_drops_of_a_full_queue(lab: Lab, netdev: Netdev) -> None:
    """A token bucket with room for two frames drops the rest of a burst, and exactly the drops are counted."""
    lab.veth()
    v0 = interface(netdev, "v0")
    tc(lab, "qdisc add dev v0 root handle 5: tbf rate 8kbit burst 2000 limit 2000")
    lab.wait_until_up("v0")
    collector = Qdiscs(netdev)
    before = collector.read([v0])
    refused = 0
    for _ in range(50):
        try:
            lab.send("v0", size=1000)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            refused += 1
    after = collector.read([v0])
    key = ("v0", "tbf", "5:")
    now, waiting = signal(before, after, "qdiscs", "v0"), signal(before, after, "qdisc_backlog", "v0")
    drops, sent = now.gained(key, "drops"), now.gained(key, "packets")
    left = waiting.value(key, "queued_packets")
    assert drops is not None
    assert sent is not None
    assert left is not None
    assert refused >= 40
    assert refused <= drops <= refused + 5  # the kernel sends something by itself
    assert 50 <= drops + sent + left <= 55
    assert left >= 1
    assert (waiting.value(key, "backlog_bytes") or 0) >= left * 60


def test_queues_made_by_the_kernel_have_distinct_names(lab: Lab, netdev: Netdev) -> None:
    lab.ip("link add v0 numtxqueues 2 numrxqueues 2 type veth peer name v1")
    lab.ip("link set v0 up")
    lab.up("v1")
    tc(lab, "qdisc add dev v0 root handle 9: mq")
    v0, v1 = interface(netdev, "v0"), interface(netdev, "v1")
    readings = Qdiscs(netdev).read([v0, v1])
    assert set(readings) == {"qdiscs/v0", "qdisc_backlog/v0", "qdiscs/v1", "qdisc_backlog/v1"}
    keys = readings["qdiscs/v0"].keys
    assert keys[0] == ("v0", "mq", "9:")  # the root first
    assert [key[2] for key in keys[1:]] == ["parent 9:2", "parent 9:1"] or [key[2] for key in keys[1:]] == [
        "parent 9:1",
        "parent 9:2",
    ]
    assert [key[0] for key in readings["qdiscs/v1"].keys] == ["v1"]


def test_a_replaced_device_has_no_rate(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    collector = Qdiscs(netdev)
    before = collector.read([interface(netdev, "v0")])
    lab.ip("link delete v0")
    lab.veth()
    after = collector.read([interface(netdev, "v0")])
    now = signal(before, after, "qdiscs", "v0")
    assert now.keys
    assert now.gained(now.keys[0], "packets") is None


def test_a_device_that_is_gone_has_no_rows(lab: Lab, netdev: Netdev) -> None:
    readings = Qdiscs(netdev).read([Interface("v9", "v9", 9999)])
    assert readings["qdiscs/v9"].keys == ()
    assert Qdiscs(netdev).read([]) == {}


def test_a_refusal_is_a_sentence(netdev: Netdev, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> list[Qdisc]:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("bpftop.collect.devices.qdiscs.qdiscs", refuse)
    with pytest.raises(Unavailable, match="rtnetlink does not list them: Operation not permitted"):
        Qdiscs(netdev).read([Interface("lo", "lo", 1)])
