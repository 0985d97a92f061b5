"""The doctor: the meaning of refusals, verdicts from facts, and the questions asked of this kernel."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from bpftop.config.settings_file import Loaded
from bpftop.doctor import bpf, device, system
from bpftop.doctor.answers import Answer, NotTried, Question, Verdict, answer, no, not_applicable, unknown, yes
from bpftop.doctor.examination import Examination
from bpftop.errors import ENOTSUPP, BpftopError
from bpftop.hooks.attach_facts import AttachFacts, AttachRequest, Load, Occupant
from bpftop.kernel.bpf.probe import NoPlace
from bpftop.kernel.net.netdev import IFF_RUNNING, IFF_UP, Device
from bpftop.kernel.privileges import Privileges
from bpftop.kernel.return_code import KernelError
from tests.bpf.devices import IFF_TUN, Lab
from tests.kernel.test_privileges import holding

CONFIG = Path("/nonexistent/config.yaml")
ALL = Privileges((1 << 41) - 1)
NONE = Privileges(0)
HOW = "run it with sudo" if os.geteuid() else "give it to this container or service"


def verdict_of(raised: Exception, privileges: Privileges) -> Verdict:
    def ask() -> Verdict:
        raise raised

    return answer(Question("TCX", ask, ("CAP_BPF", "CAP_NET_ADMIN"), "needs Linux 6.6"), privileges)


# Three answers


@pytest.mark.parametrize(
    ("number", "privileges", "verdict"),
    [
        (errno.EINVAL, ALL, no("EINVAL (Invalid argument)", "needs Linux 6.6")),
        (errno.EINVAL, NONE, no("EINVAL (Invalid argument)", "needs Linux 6.6")),
        (ENOTSUPP, ALL, no("ENOTSUPP (Operation not supported by this kernel)", "needs Linux 6.6")),
        (
            errno.EPERM,
            NONE,
            unknown("EPERM (Operation not permitted)", f"takes CAP_BPF and CAP_NET_ADMIN: {HOW}"),
        ),
        (errno.EACCES, holding("CAP_BPF"), unknown("EACCES (Permission denied)", f"takes CAP_NET_ADMIN: {HOW}")),
        (errno.EACCES, ALL, no("EACCES (Permission denied)", "needs Linux 6.6")),
        (
            errno.EPERM,
            ALL,
            no(
                "EPERM (Operation not permitted) although no capability is missing",
                "look for a seccomp profile, a user namespace or kernel lockdown, and run it on the host",
            ),
        ),
        (errno.ENOMEM, ALL, unknown("ENOMEM (Cannot allocate memory)", "run the doctor again")),
        (errno.EMFILE, NONE, unknown("EMFILE (Too many open files)", "raise the limit of open files (ulimit -n)")),
    ],
)
def test_the_meaning_of_a_refusal(number: int, privileges: Privileges, verdict: Verdict) -> None:
    assert verdict_of(KernelError("cannot", number), privileges) == verdict
    assert verdict_of(OSError(number, "cannot"), privileges) == verdict


def test_a_probe_that_was_not_tried_is_unknown() -> None:
    assert verdict_of(NotTried("it does not load"), ALL) == unknown("not tried: it does not load")
    no_veth = NoPlace("no private veth pair: EOPNOTSUPP (Operation not supported)", errno.EOPNOTSUPP)
    assert verdict_of(no_veth, ALL) == unknown("not tried: no private veth pair: EOPNOTSUPP (Operation not supported)")
    not_allowed = NoPlace("no private veth pair: EPERM (Operation not permitted)", errno.EPERM)
    assert verdict_of(not_allowed, NONE).remedy == f"takes CAP_SYS_ADMIN and CAP_NET_ADMIN: {HOW}"


def test_an_installation_without_its_objects_is_a_no() -> None:
    assert verdict_of(BpftopError("the BPF object is missing; reinstall"), ALL) == no(
        "the BPF object is missing; reinstall"
    )


def test_the_verifiers_last_words() -> None:
    log = "-- BEGIN PROG LOAD LOG --\n0: (b7) r0 = 1\ninvalid access\n-- END PROG LOAD LOG --"
    verdict = verdict_of(KernelError("cannot", errno.EACCES, log), ALL)
    assert verdict.answer == "no"
    assert verdict.evidence.endswith("the verifier's last words: 0: (b7) r0 = 1 | invalid access")


# /proc and /sys


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return an empty file system."""
    return tmp_path


def write(root: Path, path: str, content: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)


def test_capabilities_by_name() -> None:
    verdicts = {q.name: answer(q, NONE) for q in system.privilege_questions(holding("CAP_BPF"))}
    assert verdicts["CAP_BPF"] == yes("held")
    use = "loading the counters (the verifier's checks of packet pointers) and tracepoints"
    assert verdicts["CAP_PERFMON"] == no(f"missing; needed for {use}", HOW)
    unreadable = [answer(question, NONE) for question in system.privilege_questions(Privileges(None))]
    assert {verdict.answer for verdict in unreadable} == {"unknown"}


def test_kernel_btf(root: Path) -> None:
    (question,) = (q for q in bpf.questions(root) if q.name == "kernel BTF")
    remedy = "counting works without it; drop reasons and XDP errors need a kernel with CONFIG_DEBUG_INFO_BTF"
    assert answer(question, ALL) == no("ENOENT (No such file or directory)", remedy)
    write(root, "sys/kernel/btf/vmlinux", b"\x7fELF")
    assert answer(question, ALL).evidence == "/sys/kernel/btf/vmlinux does not begin like BTF"
    write(root, "sys/kernel/btf/vmlinux", b"\x9f\xeb" + bytes(2_400_000))
    assert answer(question, ALL) == yes("2.4 MB at /sys/kernel/btf/vmlinux")


def test_the_setting_of_the_jit(root: Path) -> None:
    assert bpf._jit_setting(root).answer == "unknown"
    assert "ENOENT" in bpf._jit_setting(root).evidence
    for setting, expected in (("0", "no"), ("1", "yes"), ("2", "yes")):
        write(root, "proc/sys/net/core/bpf_jit_enable", f"{setting}\n".encode())
        assert bpf._jit_setting(root).answer == expected


def test_open_files() -> None:
    assert system.open_files(2000, 2048) == yes("the limit of 2048 leaves room for the programs of 97 interfaces")
    assert system.open_files(68, 80) == yes("the limit of 80 leaves room for the programs of 1 interface")
    assert system.open_files(52, 64) == no(
        "the limit of 64 leaves no room for the programs of an interface",
        "raise the limit of open files to 80 or more (ulimit -n)",
    )


def test_locked_memory() -> None:
    unlimited = resource.RLIM_INFINITY
    assert system.locked_memory((6, 1), 65536, NONE) == yes("the limit of 64 KiB does not matter since Linux 5.11")
    assert system.locked_memory((5, 10), unlimited, NONE) == yes("limit unlimited")
    assert system.locked_memory((5, 10), 65536, holding("CAP_SYS_RESOURCE")).answer == "yes"
    assert system.locked_memory((5, 10), 65536, NONE) == no(
        "limit 64 KiB", "may be too small before Linux 5.11: run `ulimit -l unlimited` first"
    )


# The terminal


@pytest.mark.parametrize(
    ("size", "environment", "expected", "evidence"),
    [
        ((80, 24), {"TERM": "xterm-256color"}, "yes", "80 x 24, 256 colours, TERM=xterm-256color"),
        ((80, 24), {"TERM": "xterm", "COLORTERM": "truecolor"}, "yes", "80 x 24, 16 M colours, TERM=xterm"),
        ((80, 24), {"TERM": "linux"}, "yes", "80 x 24, 16 colours, TERM=linux"),
        ((80, 24), {"TERM": "xterm", "NO_COLOR": "1"}, "yes", "80 x 24, no colours (NO_COLOR), TERM=xterm"),
        ((40, 24), {"TERM": "xterm"}, "no", "40 x 24, 16 colours, TERM=xterm"),
        ((80, 24), {"TERM": "dumb"}, "no", "80 x 24, 16 colours, TERM=dumb"),
        ((80, 24), {}, "no", "80 x 24, 16 colours, TERM=(not set)"),
        (None, {"TERM": "xterm"}, "n/a", "no standard stream is a terminal"),
    ],
)
def test_terminal(size: tuple[int, int] | None, environment: dict[str, str], expected: str, evidence: str) -> None:
    verdict = system.terminal(os.terminal_size(size) if size else None, True, environment)
    assert (verdict.answer, verdict.evidence) == (expected, evidence)
    assert bool(verdict.remedy) == (expected != "yes")


def test_a_redirected_stream_is_mentioned() -> None:
    verdict = system.terminal(os.terminal_size((80, 24)), False, {"TERM": "xterm"})
    assert verdict.evidence.endswith("a standard stream is redirected now")


def test_the_smallest_screen_is_that_of_the_screen() -> None:
    from bpftop.tui.app import MIN_HEIGHT, MIN_WIDTH

    assert (system.SCREEN_COLUMNS, system.SCREEN_LINES) == (MIN_WIDTH, MIN_HEIGHT)


# One interface, from facts


def test_link() -> None:
    up = IFF_UP | IFF_RUNNING
    assert device.link(Device(7, "v0", 1, up, 1500, kind="veth")) == yes("up, ifindex 7, veth")
    assert device.link(Device(7, "v0", 1, 0, 1500)) == no(
        "down, ifindex 7", "no packet arrives: run `ip link set v0 up`"
    )
    assert device.link(Device(7, "v0", 1, IFF_UP, 1500)).evidence == "no carrier, ifindex 7"


def test_frames() -> None:
    assert device.frames(AttachFacts("v0")) == yes("begin with the Ethernet header (link type 1)")
    assert device.frames(AttachFacts("wg0", link_type=65534)) == yes("begin with the IP header (link type 65534)")
    assert device.frames(AttachFacts("can0", link_type=280)).answer == "no"


def test_driver() -> None:
    seen = device.native(AttachFacts("e0", driver="ixgbe", native=True))
    assert seen == yes("ixgbe reports native XDP; when attached, it drops the link for seconds, now and at exit")
    assert device.native(AttachFacts("lo", native=False)) == not_applicable(
        "a driver without a name has no native XDP", "received frames are counted by TCX instead"
    )
    assert device.native(AttachFacts("e0", driver="e1000e")).answer == "unknown"
    assert device.native(AttachFacts("e0", driver="virtio_net", native=False)) == not_applicable(
        "native XDP: virtio_net refuses it while the host fixes its offloads",
        "received frames are counted by TCX instead",
    )


def test_mtu() -> None:
    limit = 3506
    assert device.mtu(AttachFacts("e0", mtu=limit)).answer == "yes"
    assert device.mtu(AttachFacts("e0", mtu=limit + 1)).answer == "unknown"
    assert "the MTU of its peer decides" in device.mtu(AttachFacts("v0", driver="veth")).evidence


def test_offloads() -> None:
    assert device.offloads(AttachFacts("e0")).answer == "yes"
    seen = device.offloads(AttachFacts("e0", offloads=(("e0", "rx-gro-hw"), ("e1", "rx-lro"))))
    assert seen.evidence == "generic XDP would switch off rx-gro-hw of e0 and rx-lro of e1"


QUIET = AttachFacts("v0", driver="veth", kind="veth", native=True, load=Load(0, 0))
ON_VETH = (
    "until bpftop ends: its peer has no TSO; its peer may send by no more queues than this end receives by; other XDP "
    "programs are refused (EBUSY)"
)
TAKEN = AttachFacts("v0", driver="veth", kind="veth", native=True, occupants=(Occupant(7, "native", "theirs"),))


def test_planned() -> None:
    assert device.planned(QUIET, AttachRequest(), ALL, {}) == yes(
        "receives: native XDP, or else TCX; sends: TCX", ON_VETH
    )
    assert device.planned(AttachFacts("lo", native=False), AttachRequest(), ALL, {}) == yes(
        "receives: TCX; sends: TCX", "watching changes nothing on this device"
    )
    ixgbe = device.planned(AttachFacts("e0", driver="ixgbe", native=True), AttachRequest(), ALL, {})
    assert ixgbe.evidence == "receives: TCX; sends: TCX"
    assert "--xdp agrees to that" in ixgbe.remedy


def test_planned_leaves_out_hooks_that_do_not_work() -> None:
    no_tcx: dict[str, Answer] = {"TCX": "no", "native XDP": "yes"}
    native = "receives: native XDP; sends: rtnetlink totals"
    assert device.planned(QUIET, AttachRequest(), ALL, no_tcx) == yes(native, ON_VETH)
    frags_alone = device.planned(QUIET, AttachRequest(), ALL, {"XDP counter": "no", "TCX": "no"})
    assert frags_alone == yes(native, ON_VETH)
    plain_alone = device.planned(QUIET, AttachRequest(), ALL, {"XDP frags counter": "no", "TCX": "no"})
    assert plain_alone == yes(native, ON_VETH.replace(": ", ": its peer's MTU is at most 3506; ", 1))
    nothing = device.planned(AttachFacts("lo", native=False), AttachRequest(), ALL, {"TCX": "no"})
    assert nothing == no("only rtnetlink totals: TCX does not work here", "the line about the hook says why")
    untold = device.planned(QUIET, AttachRequest(), ALL, {"TCX": "unknown"})
    assert untold == yes("receives: native XDP, or else TCX; sends: TCX", ON_VETH)


def test_planned_without_the_capabilities() -> None:
    verdict = device.planned(QUIET, AttachRequest(), holding("CAP_BPF", "CAP_NET_ADMIN"), {})
    assert verdict == no("only rtnetlink totals", f"takes CAP_PERFMON: {HOW}")


def test_planned_for_a_requested_mode() -> None:
    assert device.planned(QUIET, AttachRequest("none"), ALL, {}) == no(
        "Only rtnetlink totals of v0, as asked for (--attach none)."
    )
    refused = device.planned(TAKEN, AttachRequest("native", may_disturb_device=True), ALL, {})
    assert refused.answer == "no"
    assert 'program 7 "theirs"' in refused.evidence
    assert "outlive" in device.planned(QUIET, AttachRequest("clsact"), ALL, {}).remedy
    assert device.planned(QUIET, AttachRequest("tc"), ALL, {}).remedy == "watching changes nothing on this device"
    assert "outlive" in device.planned(QUIET, AttachRequest("tc"), ALL, {"TCX": "no"}).remedy


# This kernel


def bpf_files() -> list[str]:
    files = (
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{fd}")
    )
    return [file for file in files if "bpf" in file]


def examine(interface: str | None = None) -> dict[str, Verdict]:
    examination = Examination(interface, AttachRequest(), config=CONFIG, loaded=Loaded(), environment={"TERM": "xterm"})
    try:
        return {result.name: result.verdict for result in examination.results()}
    finally:
        examination.close()


@pytest.mark.bpf
def test_every_probe_runs_and_no_change_stays(lab: Lab) -> None:
    lab.veth()
    before = lab.run("ip", "-d", "link"), lab.run("tc", "qdisc"), os.readlink("/proc/thread-self/ns/net"), bpf_files()
    seen = examine("v0")
    assert seen["bpf(2)"].answer == seen["XDP counter"].answer == seen["tc counter"].answer == "yes"
    for hook in ("XDP links", "native XDP", "TCX", "clsact"):
        assert seen[hook].answer in ("yes", "no")
        if seen[hook].answer == "yes":
            assert seen[hook].evidence.endswith("ms, counted the frame that was sent")
    assert seen["XDP links"].answer == seen["native XDP"].answer == "yes"
    assert seen["default route"] == not_applicable(
        "there is no default route", "name an interface, or run `bpftop demo`"
    )
    assert seen["v0 link"].evidence.startswith("up, ifindex ")
    assert seen["v0 XDP programs"] == yes("no program: the hook is free")
    assert seen["v0 attach auto"].evidence.startswith("receives: native XDP")
    after = lab.run("ip", "-d", "link"), lab.run("tc", "qdisc"), os.readlink("/proc/thread-self/ns/net"), bpf_files()
    assert after == before


@pytest.mark.bpf
def test_another_owners_program_is_named(lab: Lab) -> None:
    lab.veth()
    process, prog_id = lab.foreign_xdp("v0")
    seen = examine("v0")["v0 XDP programs"]
    assert seen.answer == "no"
    assert f'program {prog_id} "someone_else" (native mode, held by ' in seen.evidence
    assert f"(pid {process.pid})" in seen.evidence


@pytest.mark.bpf
def test_a_tun_begins_with_ip_and_has_no_native_xdp(lab: Lab) -> None:
    lab.tunnel_device("tun0", IFF_TUN)
    lab.ip("link set tun0 down")
    seen = examine("tun0")
    assert seen["tun0 link"].remedy == "no packet arrives: run `ip link set tun0 up`"
    assert seen["tun0 frames"] == yes("begin with the IP header (link type 65534)")
    assert seen["tun0 driver"].evidence == "tun has no native XDP"
    assert seen["tun0 speed"].answer == "n/a"
    assert "tun0 MTU" not in seen


@pytest.mark.bpf
def test_no_such_interface(lab: Lab) -> None:
    lab.veth()
    with pytest.raises(BpftopError, match=r'^No interface named "v9" in this network namespace; there are: v0, lo\.$'):
        examine("v9")
