"""Attaching to real devices of each type that this kernel has, and the messages on failure."""

from __future__ import annotations

import os
import struct
import subprocess
import sys

import pytest

from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.errors import BpftopError
from bpftop.hooks.attach_facts import AttachMode, LinkLayer
from bpftop.hooks.steps import ProgramName
from bpftop.kernel.bpf import bpf_link
from bpftop.kernel.net import clsact
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.return_code import KernelError
from bpftop.model.sample import Direction
from tests.bpf.devices import IFF_TAP, IFF_TUN, ROOT, Lab
from tests.bpf.watching import is_loaded, watching
from tests.waiting import until

pytestmark = pytest.mark.bpf

DEVICES = ("lo", "v0", "tap0", "tun0", "i0", "b0", "m0", "x0")
WITHOUT_NATIVE = {
    "lo": "its driver",
    "tun0": "its driver (tun)",
    "i0": "its driver (ifb)",
    "b0": "its driver (bridge)",
    "m0": "its driver (macvlan)",
    "x0": "its driver (vxlan)",
}


class Zoo:
    """One device of each type, all up, each with a function that makes it receive a frame."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        lab.veth()
        lab.veth("p0", "p1")
        lab.vxlan()
        self.tap = lab.tunnel_device("tap0", IFF_TAP)
        self.tun = lab.tunnel_device("tun0", IFF_TUN)
        for arguments in ("b0 type bridge", "i0 type ifb", "m0 link v0 type macvlan"):
            lab.ip(f"link add {arguments}")
            lab.up(arguments.split()[0])
        lab.ip("link set p0 master b0")
        lab.up("b0")

    def receive(self, name: str, frames: int) -> None:
        if name == "tap0":
            for _ in range(frames):
                os.write(self.tap, b"\xff" * 6 + b"\x02" + bytes(5) + b"\x88\xb5" + bytes(86))
        elif name == "tun0":
            addresses = bytes((198, 18, 9, 2, 198, 18, 9, 1))
            for _ in range(frames):
                os.write(self.tun, struct.pack("!BBHHHBBH", 0x45, 0, 28, 0, 0, 64, 253, 0) + addresses + bytes(8))
        elif name == "lo":
            self.lab.send("lo", frames)
        else:
            self.lab.send_far({"v0": "v1", "m0": "v1", "b0": "p1", "x0": "x1"}[name], frames)


@pytest.fixture
def zoo(lab: Lab) -> Zoo:
    return Zoo(lab)


@pytest.mark.parametrize("name", DEVICES)
def test_auto_mode_per_device(zoo: Zoo, name: str) -> None:
    """Auto mode takes native XDP on a quiet veth, TCX elsewhere, and offers native XDP on a tap."""
    with watching(name, terminal=True) as watch:
        assert watch.hooks == (("xdp native" if name == "v0" else "tcx"), "tcx")
        assert watch.notices == ()
        super_frames = "native XDP (this driver hands over super-frames, each counted as one packet)"
        assert watch.now.offer == (super_frames if name == "tap0" else None)
        assert (watch.now.label, watch.now.state) == (name, "up")
        assert watch.now.speed_bits_per_sec is None
        programs = watch.prog_ids()
        assert len(programs) == 2
    until(lambda: not any(map(is_loaded, programs)), "the programs are unloaded")


# The experimental IP protocol 253 on tun (RFC 3692), the experimental ethertype on the others.
@pytest.mark.parametrize(("name", "protocol"), [(n, 253 if n == "tun0" else 260) for n in DEVICES if n != "i0"])
@pytest.mark.parametrize("attach", ["auto", "generic", "tcx", "clsact", "tc"])
def test_received_frames_are_counted_once(zoo: Zoo, name: str, protocol: int, attach: AttachMode) -> None:
    with watching(name, attach) as watch:
        zoo.receive(name, 5)
        until(lambda: (watch.packets("rx", protocol) or 0) >= 5, "five frames are counted")
        watch.step()
        assert watch.packets("rx", protocol) == 5
        assert watch.packets("tx", protocol) == (5 if name == "lo" else 0)
        assert watch.attachment.links is not None
        assert watch.attachment.links.totals[(name,)][0] is not None


def test_sent_frames_are_counted_without_receiving(zoo: Zoo) -> None:
    """ifb returns frames to the device that they came from, so it never receives."""
    for name in ("i0", "v0", "tap0"):
        with watching(name) as watch:
            zoo.lab.send(name, 3)
            assert (watch.packets("rx"), watch.packets("tx")) == (0, 3)


@pytest.mark.parametrize("name", sorted(WITHOUT_NATIVE))
def test_forced_native_on_a_device_without_it(zoo: Zoo, name: str) -> None:
    with pytest.raises(BpftopError) as caught, watching(name, "native", may_disturb_device=True):
        pass
    assert str(caught.value) == (
        f"Native XDP does not attach to {name}: {WITHOUT_NATIVE[name]} has no native XDP (EOPNOTSUPP); "
        "use --attach auto or --attach generic."
    )


@pytest.mark.parametrize("name", ["v0", "tap0"])
def test_forced_native(zoo: Zoo, name: str) -> None:
    with watching(name, "native", may_disturb_device=True) as watch:
        assert watch.hooks == ("xdp native", "tcx")
        assert watch.notices == ()
        zoo.receive(name, 5)
        assert watch.packets("rx") == 5


@pytest.mark.parametrize("name", DEVICES)
def test_generic_tc_and_none_leave_nothing(zoo: Zoo, name: str) -> None:
    netdev = Netdev()
    with watching(name, "generic") as watch:
        assert watch.hooks == ("xdp generic", "tcx")
        assert watch.notices == (f"Generic XDP on {name} switches no offload off; nothing of it outlives bpftop.",)
    with watching(name, "clsact") as watch:
        assert watch.hooks == ("clsact", "clsact")
        assert watch.notices == (
            f"clsact filters on {name} outlive a kill -9; the next start of bpftop on it removes them.",
        )
    with watching(name, "none") as watch:
        assert watch.hooks == ("rtnetlink", "rtnetlink")
        assert watch.notices == (f"Only rtnetlink totals of {name}, as asked for (--attach none).",)
        assert (watch.now.counting_since_ns, dict(watch.attachment.counters)) == (None, {})
        assert watch.attachment.links is not None
    device = netdev.find(name)
    assert device.xdp == {}
    assert not clsact.has_clsact(netdev.route, device.ifindex)
    netdev.close()


def test_no_such_interface(lab: Lab) -> None:
    lab.veth()
    with (
        pytest.raises(BpftopError, match=r'^No interface named "v00" in this network namespace; there are: v0, lo\.$'),
        watching("v00"),
    ):
        pass


def test_alternative_name(lab: Lab) -> None:
    lab.veth()
    lab.ip("link property add dev v0 altname a-name-longer-than-fifteen")
    with watching("a-name-longer-than-fifteen") as watch:
        assert (watch.now.label, watch.now.name) == ("a-name-longer-than-fifteen", "v0")
        assert watch.notices == ()


def test_large_mtu_uses_the_frags_program(lab: Lab) -> None:
    """The plain program gets ERANGE, because the peer's frames do not fit into a page."""
    lab.veth(mtu=9000)
    with watching("v0") as watch:
        assert watch.hooks == ("xdp native", "tcx")
        assert watch.attachment.counters["rx"].program.name == "count_xdp_frags"
        assert watch.notices == ()
        lab.send_far("v1", 7, size=9014)
        assert watch.packets("rx") == 7
        assert watch.attachment.counters["rx"].read("v0", 1)["protocols/v0/rx"].totals[("v0", "rx", 260)] == (
            7,
            7 * 9014,
        )


def without_fragments(program: ProgramName, direction: Direction, layer: LinkLayer) -> PacketCounter:
    """Linux 5.10 refuses to load programs of the section xdp.frags."""
    if program == "count_xdp_frags":
        raise KernelError("cannot load the BPF program count_xdp_frags: EINVAL (Invalid argument)", 22)
    return PacketCounter(program, direction, layer)


def test_large_mtu_without_fragments(lab: Lab) -> None:
    lab.veth(mtu=9000)
    with watching("v0", make_counter=without_fragments) as watch:
        assert watch.hooks == ("tcx", "tcx")
        assert watch.notices == (
            "Native XDP does not attach to v0: the peer's MTU is too large for it (ERANGE); counting by TCX.",
        )
    with pytest.raises(BpftopError) as caught, watching("v0", "native", make_counter=without_fragments):
        pass
    assert str(caught.value) == (
        "Native XDP does not attach to v0: the peer's MTU is too large for it (ERANGE); "
        "set it to 3506 or less, or use --attach auto."
    )


@pytest.mark.parametrize("by", ["link", "netlink"])
@pytest.mark.parametrize("mode", ["native", "generic"])
def test_an_existing_program_is_named_and_survives(lab: Lab, mode: str, by: str) -> None:
    lab.veth()
    process, prog_id = lab.foreign_xdp("v0", mode, by)
    if by == "netlink":
        process.communicate()
    holder = f"python3 (pid {process.pid})" if by == "link" else "no process that can be seen"
    if by == "link":
        with open(f"/proc/{process.pid}/comm") as comm:
            holder = f"{comm.read().strip()} (pid {process.pid})"
    whom = f'program {prog_id} "someone_else" ({mode} mode, held by {holder})'
    with watching("v0", terminal=True) as watch:
        assert watch.hooks == ("tcx", "tcx")
        assert watch.notices == (f"XDP on v0 is taken by {whom}: left alone, counting by TCX what it passes on.",)
        assert watch.now.offer is None
        lab.send_far("v1", 4)
        assert watch.packets("rx") == 4
    forced: tuple[tuple[AttachMode, str], ...] = (("native", "Native"), ("generic", "Generic"))
    for attach, step in forced:
        with pytest.raises(BpftopError) as caught, watching("v0", attach, may_disturb_device=True):
            pass
        assert str(caught.value) == (
            f"{step} XDP does not attach to v0: taken by {whom} (EBUSY); "
            "use --attach auto, which counts beside it by TCX."
        )
    netdev = Netdev()
    assert netdev.find("v0").xdp == {mode: prog_id}
    assert is_loaded(prog_id)
    netdev.close()


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_program_attached_between_facts_and_attach(lab: Lab, mode: str) -> None:
    """Another program attaches after the facts were gathered."""
    lab.veth()
    prog_ids: list[int] = []

    def slow_counter(program: ProgramName, direction: Direction, layer: LinkLayer) -> PacketCounter:
        if program == "count_xdp_frags" and not prog_ids:
            prog_ids.append(lab.foreign_xdp("v0", mode)[1])
        return PacketCounter(program, direction, layer)

    with watching("v0", make_counter=slow_counter) as watch:
        assert watch.hooks == ("tcx", "tcx")
        (notice,) = watch.notices
        assert notice.startswith(f'XDP on v0 is taken by program {prog_ids[0]} "someone_else" ({mode} mode, ')
        assert notice.endswith("): left alone, counting by TCX what it passes on.")


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_the_notice_of_another_program_comes_and_goes(lab: Lab, mode: str) -> None:
    lab.veth()
    process, prog_id = lab.foreign_xdp("v0", mode)
    with watching("v0", terminal=True) as watch:
        (notice,) = watch.notices
        assert f"taken by program {prog_id} " in notice
        process.communicate()
        until(lambda: watch.step().notices == (), "the notice is gone with the program")
        assert watch.hooks == ("tcx", "tcx")
        assert watch.now.offer == "native XDP, exact (this driver switches the peer's TSO off while attached)"
        later_process, later = lab.foreign_xdp("v0", mode)
        watch.step()
        (notice,) = watch.notices
        assert f"taken by program {later} " in notice
        assert watch.now.offer is None
        later_process.communicate()
        until(lambda: watch.step().notices == (), "the second notice is gone too")
        watch.attachment.accept_offer()
        watch.step()
        assert watch.hooks == ("xdp native", "tcx")


def test_the_notice_of_native_xdp_on_a_veth(lab: Lab) -> None:
    """Its claims hold: TSO, channels and other XDP programs; the frags program leaves the MTU alone."""
    lab.veth()
    with watching("v0") as watch:
        assert watch.now.notices == (
            "Native XDP on v0, until bpftop ends: its peer has no TSO; its peer may send by no more queues than this "
            "end receives by; other XDP programs are refused (EBUSY).",
        )
        with lab.inside(lab.far):
            lab.ip("link set v1 mtu 9000")
            assert "tcp-segmentation-offload: off" in lab.run("ethtool", "-k", "v1")
            refused = subprocess.run(["ethtool", "-L", "v1", "tx", "2"], capture_output=True, text=True)
        assert refused.returncode != 0
        assert watch.step().hooks["rx"].mode == "native"
    with lab.inside(lab.far):
        assert "tcp-segmentation-offload: on" in lab.run("ethtool", "-k", "v1")


def test_a_plain_program_steps_back_for_the_mtu(lab: Lab) -> None:
    """Without fragments (before Linux 5.18) native XDP would hold the peer's MTU down."""
    lab.veth()
    with watching("v0", make_counter=without_fragments) as watch:
        assert watch.hooks == ("xdp native", "tcx")
        assert watch.now.notices[0].startswith("Native XDP on v0, until bpftop ends: its peer's MTU is at most 3506; ")
        epoch = watch.attachment.epoch
        with lab.inside(lab.far):
            assert subprocess.run(["ip", "link", "set", "v1", "mtu", "9000"], capture_output=True).returncode != 0
        lab.ip("link set v0 mtu 9000")
        watch.step()
        assert (watch.hooks, watch.attachment.epoch) == (("tcx", "tcx"), epoch + 1)
        assert watch.now.notices == (
            "v0 has MTU 9000, but native XDP without fragments limits the peer's MTU to 3506; "
            "bpftop now counts by TCX.",
        )
        with lab.inside(lab.far):
            lab.ip("link set v1 mtu 9000")


def test_two_bpftops_on_one_device(lab: Lab) -> None:
    lab.veth()
    with watching("v0") as first, watching("v0") as second:
        assert (first.hooks, second.hooks) == (("xdp native", "tcx"), ("tcx", "tcx"))
        lab.send_far("v1", 4)
        assert (first.packets("rx"), second.packets("rx")) == (4, 4)


def refuse_tcx(*_: object) -> None:
    raise KernelError("cannot attach by TCX: EINVAL (Invalid argument)", 22)


def test_without_tcx(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels before 6.6 return EINVAL for an unknown attach type."""
    lab.veth()
    monkeypatch.setattr(bpf_link.Link, "tcx", refuse_tcx)
    no_tcx = (
        "TCX does not attach to {}: this kernel is built without TCX (EINVAL); only rtnetlink totals "
        "(--attach clsact counts too)."
    )
    with watching("v0") as watch:
        assert watch.hooks == ("xdp native", "rtnetlink")
        assert watch.notices == (f"TX: {no_tcx.format('v0')}",)
    with watching("lo") as watch:
        assert watch.hooks == ("rtnetlink", "rtnetlink")
        assert watch.notices == (no_tcx.format("lo"),)
    with watching("lo", "tc") as watch:
        assert watch.hooks == ("clsact", "clsact")


WITHOUT_CAPABILITIES = """
import sys
from tests.bpf.watching import watching
with watching(sys.argv[1], sys.argv[2]) as watch:
    print(*watch.hooks, *watch.notices, sep="|")
"""


def test_without_capabilities(lab: Lab) -> None:
    lab.veth()

    def unprivileged(name: str, attach: str) -> subprocess.CompletedProcess[str]:
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", WITHOUT_CAPABILITIES]
        return subprocess.run([*command, name, attach], cwd=ROOT, capture_output=True, text=True)

    missing = "not permitted (EPERM), CAP_BPF and CAP_PERFMON and CAP_NET_ADMIN missing"
    assert unprivileged("v0", "auto").stdout == (
        f"rtnetlink|rtnetlink|Native XDP does not attach to v0: {missing}; only rtnetlink totals (run it with sudo).\n"
    )
    assert unprivileged("lo", "auto").stdout == (
        f"rtnetlink|rtnetlink|TCX does not attach to lo: {missing}; only rtnetlink totals (run it with sudo).\n"
    )
    refused = unprivileged("lo", "generic")
    assert f"Generic XDP does not attach to lo: {missing}; run it with sudo." in refused.stderr
    assert unprivileged("lo", "none").returncode == 0


def test_without_perfmon_alone(lab: Lab) -> None:
    """The verifier returns EACCES if CAP_PERFMON is missing."""
    command = ["setpriv", "--bounding-set=-perfmon,-sys_admin", "--inh-caps=-all", sys.executable, "-c"]
    done = subprocess.run([*command, WITHOUT_CAPABILITIES, "lo", "auto"], cwd=ROOT, capture_output=True, text=True)
    missing = "not permitted (EACCES), CAP_PERFMON missing; only rtnetlink totals (run it with sudo)."
    assert done.stdout == f"rtnetlink|rtnetlink|TCX does not attach to lo: {missing}\n"


def test_one_line_explains_a_missing_hook(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message does not claim that TCX counts."""
    lab.tunnel_device("tap0", IFF_TAP)
    monkeypatch.setattr(bpf_link.Link, "tcx", refuse_tcx)
    with watching("tap0") as watch:
        assert watch.hooks == ("rtnetlink", "rtnetlink")
        (notice,) = watch.notices
        assert notice.startswith("TCX does not attach to tap0: ")


def test_program_refused_by_the_verifier(lab: Lab) -> None:
    def rejected(program: ProgramName, direction: Direction, layer: LinkLayer) -> PacketCounter:
        if program != "count_tc":
            raise KernelError(f"cannot load the BPF program {program}: EACCES (Permission denied); invalid access", 13)
        return PacketCounter(program, direction, layer)

    lab.veth()
    with watching("v0", make_counter=rejected) as watch:
        assert watch.hooks == ("tcx", "tcx")
        assert watch.notices == (
            "bpftop's program for v0: cannot load the BPF program count_xdp_frags: EACCES (Permission denied); "
            "invalid access; counting by TCX.",
        )
    sentence = r"invalid access; please report it with the output of `bpftop doctor --all`\.$"
    with pytest.raises(BpftopError, match=sentence), watching("v0", "native", make_counter=rejected):
        pass


def test_failed_attach_leaves_nothing(lab: Lab) -> None:
    """RX is attached, then TX raises an unexpected error."""
    lab.veth()

    def broken(program: ProgramName, direction: Direction, layer: LinkLayer) -> PacketCounter:
        if direction == "tx":
            raise RuntimeError("out of the blue")
        return PacketCounter(program, direction, layer)

    with pytest.raises(RuntimeError, match="out of the blue"), watching("v0", make_counter=broken):
        pass
    netdev = Netdev()
    assert netdev.find("v0").xdp == {}
    netdev.close()
