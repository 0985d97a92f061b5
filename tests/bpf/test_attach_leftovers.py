"""Nothing is left behind after a kill -9, by clsact or by generic XDP, and other programs stay."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bpftop.collect.bpf.traffic import PacketCounter
from bpftop.errors import BpftopError
from bpftop.hooks.facts import LinkLayer
from bpftop.hooks.steps import ProgramName
from bpftop.kernel.net.netdev import Netdev
from bpftop.model.sample import Direction
from tests.bpf.devices import ROOT, Lab
from tests.bpf.watching import is_loaded, watching
from tests.waiting import until

pytestmark = pytest.mark.bpf

WATCH_FOR_EVER = """
import sys, time
from tests.bpf.watching import watching
with watching(sys.argv[1], sys.argv[2], may_disturb_device=True) as watch:
    print(*watch.prog_ids(), flush=True)
    while True:
        watch.step()
        time.sleep(0.05)
"""
FOREIGN_FILTER = ["bpf", "da", "obj", "bpftop/objects/noop.bpf.o", "sec", "tc"]


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def netdev(lab: Lab) -> Iterator[Netdev]:
    netdev = Netdev()
    yield netdev
    netdev.close()


def killed(name: str, attach: str) -> list[int]:
    """Watch in another process and kill it by SIGKILL. Return the ids of its programs."""
    process = subprocess.Popen(
        [sys.executable, "-c", WATCH_FOR_EVER, name, attach], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    prog_ids = [int(word) for word in process.stdout.readline().split()]
    assert len(prog_ids) == 2
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return prog_ids


@pytest.mark.parametrize(("name", "attach"), [("v0", "auto"), ("lo", "auto"), ("v0", "native"), ("lo", "generic")])
def test_a_kill_leaves_nothing(lab: Lab, netdev: Netdev, name: str, attach: str) -> None:
    lab.veth()
    prog_ids = killed(name, attach)
    until(lambda: not any(map(is_loaded, prog_ids)), "the programs are unloaded")
    assert netdev.find(name).xdp == {}
    assert not netdev.has_clsact(netdev.find(name).ifindex)


def test_the_next_start_removes_clsact_leftovers(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    ifindex = netdev.find("v0").ifindex
    prog_ids = killed("v0", "tc")
    assert all(map(is_loaded, prog_ids))
    assert [entry.prog_id for entry in netdev.filters(ifindex, "rx")] == prog_ids[:1]
    with watching("v0") as watch:
        assert watch.hooks == ("xdp native", "tcx")
        assert not netdev.has_clsact(ifindex)
    until(lambda: not any(map(is_loaded, prog_ids)), "the leftovers are unloaded")


def test_clsact_of_others_stays(lab: Lab, netdev: Netdev) -> None:
    """Another filter stays in its qdisc; only the filters of a killed bpftop are removed."""
    lab.veth()
    ifindex = netdev.find("v0").ifindex
    lab.run("tc", "qdisc", "add", "dev", "v0", "clsact")
    lab.run("tc", "filter", "add", "dev", "v0", "ingress", *FOREIGN_FILTER)
    other_filters = netdev.filters(ifindex, "rx")
    with watching("v0", "tc") as watch:
        lab.send_far("v1", 3)
        assert watch.packets("rx") == 3
        assert len(netdev.filters(ifindex, "rx")) == 2
    assert (netdev.filters(ifindex, "rx"), netdev.filters(ifindex, "tx")) == (other_filters, [])
    killed("v0", "tc")
    assert len(netdev.filters(ifindex, "rx")) == 2
    with watching("v0"):
        assert netdev.filters(ifindex, "rx") == other_filters
    assert netdev.has_clsact(ifindex)


def test_existing_empty_clsact_stays(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    lab.run("tc", "qdisc", "add", "dev", "v0", "clsact")
    with watching("v0", "tc"):
        pass
    assert netdev.has_clsact(netdev.find("v0").ifindex)


def test_clsact_of_a_living_bpftop_stays(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    process = subprocess.Popen(
        [sys.executable, "-c", WATCH_FOR_EVER, "v0", "tc"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        before = netdev.filters(netdev.find("v0").ifindex, "rx")
        with watching("v0") as watch:
            assert watch.hooks == ("xdp native", "tcx")
            assert netdev.filters(netdev.find("v0").ifindex, "rx") == before
    finally:
        process.kill()
        process.communicate()


def wants_lro(netdev: Netdev, name: str) -> bool:
    return "rx-lro" in netdev.requested_offloads(netdev.find(name), ("rx-lro",))


def test_generic_xdp_restores_offloads(lab: Lab, netdev: Netdev) -> None:
    """macvlan can be requested to do LRO; the kernel drops the request at a generic attach."""
    lab.veth()
    lab.ip("link add m0 link v0 type macvlan")
    lab.up("m0")
    netdev.request_offloads(netdev.find("m0"), frozenset({"rx-lro"}))
    with watching("m0", "generic") as watch:
        assert not wants_lro(netdev, "m0")
        assert watch.now.notices == (
            "Generic XDP on m0 switches rx-lro of m0 off until bpftop exits; after a kill -9 it takes "
            "`ethtool -K m0 rx-lro on`.",
        )
    assert wants_lro(netdev, "m0")
    killed("m0", "generic")
    assert not wants_lro(netdev, "m0")
    # Status 1, because LRO is requested but not active: the lower device has no LRO.
    subprocess.run(["ethtool", "-K", "m0", "rx-lro", "on"], capture_output=True)
    assert wants_lro(netdev, "m0")


def test_generic_xdp_restores_lower_devices(lab: Lab, netdev: Netdev) -> None:
    """The ports of a bridge lose their offloads too; the port of this test is a macvlan."""
    lab.veth()
    lab.ip("link add m0 link v0 type macvlan")
    lab.ip("link add b0 type bridge")
    lab.ip("link set m0 master b0")
    netdev.request_offloads(netdev.find("m0"), frozenset({"rx-lro"}))
    if not wants_lro(netdev, "m0"):
        pytest.fail("the bridge itself forbids LRO; choose another device")
    with watching("b0", "generic") as watch:
        assert not wants_lro(netdev, "m0")
        assert "rx-lro of m0" in watch.now.notices[0]
        lab.ip("link set m0 nomaster")
    assert wants_lro(netdev, "m0")


def test_closing_twice_and_after_deletion(lab: Lab) -> None:
    lab.veth()
    with watching("v0", "tc") as watch:
        lab.ip("link del v0")
        watch.attachment.close()
        watch.attachment.close()
    lab.veth()
    with watching("v0", "generic") as watch:
        watch.attachment.close()


def test_refused_filter_leaves_no_clsact(lab: Lab) -> None:
    lab.veth()

    def no_filter(_: ProgramName, direction: Direction, layer: LinkLayer) -> PacketCounter:
        return PacketCounter("count_xdp", direction, layer)

    with pytest.raises(BpftopError, match="clsact does not attach to v0"), watching("v0", "tc", make_counter=no_filter):
        pass
    assert "clsact" not in lab.run("tc", "qdisc", "show", "dev", "v0")
