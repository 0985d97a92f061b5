"""Nothing is left behind after a kill -9, by clsact or by generic XDP, and other programs stay."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.errors import BpftopError
from bpftop.hooks.attach_facts import LinkLayer
from bpftop.hooks.steps import ProgramName
from bpftop.kernel.net import clsact
from bpftop.kernel.net.clsact import Clsact, Filter
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.process_identity import ProcessIdentity
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


def filters(netdev: Netdev, ifindex: int) -> tuple[list[Filter], list[Filter]]:
    """Return the filters of both directions of a device."""
    return clsact.filters(netdev.route, ifindex, "rx"), clsact.filters(netdev.route, ifindex, "tx")


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
    assert not clsact.has_clsact(netdev.route, netdev.find(name).ifindex)


def test_the_next_start_removes_clsact_leftovers(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    ifindex = netdev.find("v0").ifindex
    prog_ids = killed("v0", "clsact")
    assert all(map(is_loaded, prog_ids))
    assert [entry.prog_id for entry in clsact.filters(netdev.route, ifindex, "rx")] == prog_ids[:1]
    with watching("v0") as watch:
        assert watch.hooks == ("xdp native", "tcx")
        assert not clsact.has_clsact(netdev.route, ifindex)
    until(lambda: not any(map(is_loaded, prog_ids)), "the leftovers are unloaded")


def test_clsact_of_others_stays(lab: Lab, netdev: Netdev) -> None:
    """Another filter stays in its qdisc; only the filters of a killed bpftop are removed."""
    lab.veth()
    ifindex = netdev.find("v0").ifindex
    lab.run("tc", "qdisc", "add", "dev", "v0", "clsact")
    lab.run("tc", "filter", "add", "dev", "v0", "ingress", *FOREIGN_FILTER)
    other_filters = clsact.filters(netdev.route, ifindex, "rx")
    with watching("v0", "clsact") as watch:
        lab.send_far("v1", 3)
        assert watch.packets("rx") == 3
        assert len(clsact.filters(netdev.route, ifindex, "rx")) == 2
    assert filters(netdev, ifindex) == (
        other_filters,
        [],
    )
    killed("v0", "clsact")
    assert len(clsact.filters(netdev.route, ifindex, "rx")) == 2
    with watching("v0"):
        assert clsact.filters(netdev.route, ifindex, "rx") == other_filters
    assert clsact.has_clsact(netdev.route, ifindex)


def test_existing_empty_clsact_stays(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    lab.run("tc", "qdisc", "add", "dev", "v0", "clsact")
    with watching("v0", "clsact"):
        pass
    assert clsact.has_clsact(netdev.route, netdev.find("v0").ifindex)


def test_clsact_of_a_living_bpftop_stays(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    process = subprocess.Popen(
        [sys.executable, "-c", WATCH_FOR_EVER, "v0", "tc"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        before = clsact.filters(netdev.route, netdev.find("v0").ifindex, "rx")
        with watching("v0") as watch:
            assert watch.hooks == ("xdp native", "tcx")
            assert clsact.filters(netdev.route, netdev.find("v0").ifindex, "rx") == before
    finally:
        process.kill()
        process.communicate()


ELSEWHERE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-c"]
REMOVAL = "`tc filter del dev v0 ingress pref 47607` and `tc filter del dev v0 egress pref 47607` removes them."
UNKNOWN = (
    "v0 has clsact filters of a bpftop whose process cannot be seen from here: left alone. If that bpftop has ended, "
    + REMOVAL
)


@contextlib.contextmanager
def living(*command: str) -> Iterator[None]:
    """Watch v0 by clsact in another process for the time of the block."""
    process = subprocess.Popen([*command, WATCH_FOR_EVER, "v0", "clsact"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield
    finally:
        process.kill()
        process.communicate()


def test_filters_of_another_pid_namespace_stay(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    ifindex = netdev.find("v0").ifindex
    with living(*ELSEWHERE):
        before = clsact.filters(netdev.route, ifindex, "rx")
        with watching("v0") as watch:
            assert watch.notices == (UNKNOWN,)
        assert clsact.filters(netdev.route, ifindex, "rx") == before
    with watching("v0") as watch:  # that it ended cannot be proved either
        assert watch.notices == (UNKNOWN,)
    assert clsact.filters(netdev.route, ifindex, "rx") == before


START_AND_CLOSE = """
import sys
from tests.bpf.watching import watching
with watching("v0", sys.argv[1]) as watch:
    print(*watch.notices, sep="|")
"""


@pytest.mark.parametrize("hides", [False, True])
def test_filters_of_another_user_stay(lab: Lab, netdev: Netdev, hides: bool) -> None:
    """The capabilities of the systemd unit show no files of processes of root, and with hidepid no process."""
    lab.veth()
    ifindex = netdev.find("v0").ifindex
    unit = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    unit += [f"--{kind}-caps=-all,+bpf,+perfmon,+net_admin" for kind in ("inh", "ambient", "bounding")]
    unit = [word.replace("--bounding-caps", "--bounding-set") for word in unit]
    hide = (
        ["unshare", "--mount", "sh", "-c", 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', "-"] if hides else []
    )
    with living(sys.executable, "-c"):
        before = filters(netdev, ifindex)
        command = [*hide, *unit, sys.executable, "-c", START_AND_CLOSE, "auto"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert filters(netdev, ifindex) == before
        assert done.stdout.strip() == (UNKNOWN if hides else "")


def test_a_dead_process_with_a_pid_in_use_again(lab: Lab, netdev: Netdev, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pid lives, but its process started at another time than the recorded process."""
    lab.veth()
    own = ProcessIdentity.own()
    monkeypatch.setattr(ProcessIdentity, "own", lambda: replace(own, start=own.start - 1))
    with contextlib.closing(PacketCounter("count_tc", "rx")) as counter:
        Clsact(counter.program.fd, netdev.find("v0").ifindex, "rx")
    monkeypatch.undo()
    assert [each.owner for each in clsact.filters(netdev.route, netdev.find("v0").ifindex, "rx")] == [
        replace(own, start=own.start - 1)
    ]
    with watching("v0") as watch:
        assert watch.notices == ()
    assert not clsact.has_clsact(netdev.route, netdev.find("v0").ifindex)


def test_empty_clsact_of_others_outlives_leftovers(lab: Lab, netdev: Netdev) -> None:
    """The killed bpftop found the qdisc, so its owner may still want it."""
    lab.veth()
    lab.run("tc", "qdisc", "add", "dev", "v0", "clsact")
    killed("v0", "clsact")
    with watching("v0"):
        ifindex = netdev.find("v0").ifindex
        assert filters(netdev, ifindex) == ([], [])
    assert clsact.has_clsact(netdev.route, ifindex)


def test_ingress_qdisc_of_others_is_named(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    lab.run("tc", "qdisc", "add", "dev", "v0", "ingress")
    refusal = r"clsact does not attach to v0: somebody's ingress qdisc has the place of clsact \(EBUSY\)"
    with pytest.raises(BpftopError, match=refusal), watching("v0", "clsact"):
        pass
    assert "ingress ffff:" in lab.run("tc", "qdisc", "show", "dev", "v0")
    with watching("v0", "tc") as watch:
        assert watch.hooks == ("tcx", "tcx")


def wants_lro(netdev: Netdev, name: str) -> bool:
    return "rx-lro" in netdev.ethtool.requested_offloads(netdev.find(name).name, ("rx-lro",))


def test_generic_xdp_restores_offloads(lab: Lab, netdev: Netdev) -> None:
    """macvlan can be requested to do LRO; the kernel drops the request at a generic attach."""
    lab.veth()
    lab.ip("link add m0 link v0 type macvlan")
    lab.up("m0")
    netdev.ethtool.request_offloads(netdev.find("m0").name, frozenset({"rx-lro"}))
    with watching("m0", "generic") as watch:
        assert not wants_lro(netdev, "m0")
        assert watch.notices == (
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
    netdev.ethtool.request_offloads(netdev.find("m0").name, frozenset({"rx-lro"}))
    if not wants_lro(netdev, "m0"):
        pytest.fail("the bridge itself forbids LRO; choose another device")
    with watching("b0", "generic") as watch:
        assert not wants_lro(netdev, "m0")
        assert "rx-lro of m0" in watch.notices[0]
        lab.ip("link set m0 nomaster")
    assert wants_lro(netdev, "m0")


def test_closing_twice_and_after_deletion(lab: Lab) -> None:
    lab.veth()
    with watching("v0", "clsact") as watch:
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

    with (
        pytest.raises(BpftopError, match="clsact does not attach to v0"),
        watching("v0", "clsact", make_counter=no_filter),
    ):
        pass
    assert "clsact" not in lab.run("tc", "qdisc", "show", "dev", "v0")
