"""Plans as tables: facts and requests give steps; errnos give sentences. Without a kernel."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from bpftop.errors import ENOTSUPP
from bpftop.hooks import effects, messages
from bpftop.hooks.attach_facts import LINK_LAYERS, AttachFacts, AttachRequest, Load, LoadLimits, Occupant
from bpftop.hooks.plan import plan
from bpftop.hooks.steps import CLSACT, GENERIC, NATIVE, NATIVE_FRAGS, TCX, AttachStep, remaining

LADDER = (NATIVE, NATIVE_FRAGS, TCX)
FORCED = (NATIVE, NATIVE_FRAGS)
VETH_LADDER = (NATIVE_FRAGS, NATIVE, TCX)  # a plain program limits the MTU of the peer
VETH_FORCED = (NATIVE_FRAGS, NATIVE)

VETH = AttachFacts("v0", kind="veth", driver="veth", native=True, load=Load(1e6, 100))
VIRTIO = AttachFacts("eth0", driver="virtio_net", native=True)
TAP = AttachFacts("tap0", kind="tun", driver="tun", native=True)
TUN = AttachFacts("tun0", 65534, kind="tun", driver="tun", native=False)
LO = AttachFacts("lo", 772, native=False, mtu=65536)
IXGBE = AttachFacts("eth1", driver="ixgbe", native=True)
MLX5 = AttachFacts("eth2", driver="mlx5_core", native=True)
NEW_NIC = AttachFacts("eth3", driver="shiny", native=True)
OLD_NIC = AttachFacts("eth4", driver="e1000e", native=False)
BRIDGE = AttachFacts("b0", kind="bridge", driver="bridge", native=False)
QUIET_BOND = AttachFacts("bond0", kind="bond", driver="bonding", native=True, legs=("veth", "virtio_net"))
NIC_BOND = AttachFacts("bond1", kind="bond", driver="bonding", native=True, legs=("veth", "ixgbe"))
EMPTY_BOND = AttachFacts("bond2", kind="bond", driver="bonding", native=False)
WIFI_MONITOR = AttachFacts("mon0", 803)

AUTO, AUTO_SCREEN = AttachRequest(), AttachRequest(terminal=True)
NATIVE_REQUEST, NATIVE_SCREEN = AttachRequest("native"), AttachRequest("native", terminal=True)
NATIVE_CONSENT = AttachRequest("native", may_disturb_device=True)
OFFER_ACCEPTED = AttachRequest(terminal=True, accepted=True)
OTHER = Occupant(42, "native", "xdp_filter", "agent (pid 812)")


@pytest.mark.parametrize(
    ("facts", "attach_request", "rx", "forced", "retreats", "offered"),
    [
        (VETH, AUTO, VETH_LADDER, False, True, False),
        (VETH, AUTO_SCREEN, VETH_LADDER, False, True, False),
        (VETH, NATIVE_REQUEST, VETH_FORCED, True, True, False),
        (VETH, NATIVE_CONSENT, VETH_FORCED, True, False, False),
        (VIRTIO, AUTO, LADDER, False, True, False),  # its load is not known
        (QUIET_BOND, AUTO, VETH_LADDER, False, True, False),
        (TAP, AUTO, (TCX,), False, False, False),
        (TAP, AUTO_SCREEN, (TCX,), False, False, True),
        (TAP, NATIVE_CONSENT, FORCED, True, False, False),
        (IXGBE, AUTO, (TCX,), False, False, False),
        (IXGBE, AUTO_SCREEN, (TCX,), False, False, True),
        (IXGBE, NATIVE_REQUEST, (TCX,), False, False, False),
        (IXGBE, NATIVE_SCREEN, (TCX,), False, False, True),
        (IXGBE, NATIVE_CONSENT, FORCED, True, False, False),
        (IXGBE, OFFER_ACCEPTED, LADDER, False, False, False),
        (MLX5, AUTO_SCREEN, (TCX,), False, False, True),
        (NEW_NIC, AUTO_SCREEN, (TCX,), False, False, True),
        (NIC_BOND, AUTO_SCREEN, (TCX,), False, False, True),
        (EMPTY_BOND, AUTO_SCREEN, (TCX,), False, False, False),
        (OLD_NIC, AUTO_SCREEN, (TCX,), False, False, False),
        (LO, AUTO_SCREEN, (TCX,), False, False, False),
        (LO, NATIVE_CONSENT, FORCED, True, False, False),  # the kernel will say
        (TUN, AUTO_SCREEN, (TCX,), False, False, False),
        (BRIDGE, AUTO, (TCX,), False, False, False),
        (replace(VETH, occupants=(OTHER,)), AUTO_SCREEN, (TCX,), False, False, False),
        (replace(VETH, occupants=(OTHER,)), OFFER_ACCEPTED, (TCX,), False, False, False),
        (VETH, AttachRequest("generic"), (GENERIC,), True, False, False),
        (LO, AttachRequest("generic"), (GENERIC,), True, False, False),
        (LO, AttachRequest("clsact"), (CLSACT,), True, False, False),
        (VETH, AttachRequest("tcx"), (TCX,), True, False, False),
        (VETH, AttachRequest("tc"), (TCX, CLSACT), True, False, False),
    ],
)
def test_plan_steps(
    facts: AttachFacts,
    attach_request: AttachRequest,
    rx: tuple[AttachStep, ...],
    forced: bool,
    retreats: bool,
    offered: bool,
) -> None:
    planned = plan(facts, attach_request)
    assert (planned.rx, planned.forced, planned.retreats) == (rx, forced, retreats)
    assert (planned.offer is not None) == offered
    assert planned.tx == (rx if attach_request.attach in ("tcx", "clsact", "tc") else (TCX,))
    assert planned.refusal is None


@pytest.mark.parametrize(
    ("facts", "attach_request", "refusal"),
    [
        (LO, NATIVE_REQUEST, "Native XDP does not attach to lo: its driver has no native XDP (EOPNOTSUPP); "
                         "use --attach auto or --attach generic."),
        (TUN, NATIVE_REQUEST, "Native XDP does not attach to tun0: its driver (tun) has no native XDP (EOPNOTSUPP); "
                           "use --attach auto or --attach generic."),
        (replace(VETH, occupants=(OTHER,)), NATIVE_CONSENT,
         'Native XDP does not attach to v0: taken by program 42 "xdp_filter" (native mode, held by agent (pid 812)) '
         "(EBUSY); use --attach auto, which counts beside it by TCX."),
        (replace(LO, occupants=(Occupant(7, "generic"),)), AttachRequest("generic"),
         "Generic XDP does not attach to lo: taken by program 7 (generic mode, held by no process that can be seen) "
         "(EBUSY); use --attach auto, which counts beside it by TCX."),
        (WIFI_MONITOR, NATIVE_CONSENT, "mon0 has link type 803 (ARPHRD), whose frames bpftop cannot read; "
                                   "use --attach none for its totals."),
        (WIFI_MONITOR, AttachRequest("tc"), "mon0 has link type 803 (ARPHRD), whose frames bpftop cannot read; "
                                   "use --attach none for its totals."),
    ],
)  # fmt: skip
def test_plan_refusals(facts: AttachFacts, attach_request: AttachRequest, refusal: str) -> None:
    planned = plan(facts, attach_request)
    assert planned.refusal == refusal
    assert (planned.rx, planned.tx) == ((), ())


@pytest.mark.parametrize(
    ("facts", "attach_request", "notices"),
    [
        (VETH, AUTO, ()),
        (LO, AUTO_SCREEN, ()),
        (IXGBE, AUTO_SCREEN, ()),
        (IXGBE, AUTO, ("eth1 is counted by TCX: at native XDP its driver drops the link for seconds, now and at exit; "
                       "--xdp agrees to that.",)),
        (replace(VETH, occupants=(OTHER,)), AUTO, ()),  # the attachment says so, for as long as it holds
        (WIFI_MONITOR, AUTO, ("mon0 has link type 803 (ARPHRD), whose frames bpftop cannot read: only rtnetlink "
                              "totals.",)),
        (VETH, AttachRequest("none"), ("Only rtnetlink totals of v0, as asked for (--attach none).",)),
    ],
)  # fmt: skip
def test_plan_notices(facts: AttachFacts, attach_request: AttachRequest, notices: tuple[str, ...]) -> None:
    assert plan(facts, attach_request).notices == notices


def test_load_decides_on_a_quiet_device() -> None:
    """From 200 Mb/s received native XDP on a veth needs consent; with consent it is used at any load."""
    busy = replace(VETH, load=Load(200e6, 16e3))
    assert plan(replace(VETH, load=Load(199.9e6, 19.9e3)), AUTO).rx == VETH_LADDER
    headless = plan(busy, AUTO)
    assert (headless.rx, headless.offer) == ((TCX,), None)
    assert headless.notices == (
        "v0 receives 200 Mb/s in 16.0 k packets/s, so it is counted by TCX: native XDP switches the peer's TSO off "
        "while attached; --xdp agrees to that.",
    )
    screen = plan(busy, AUTO_SCREEN)
    assert (screen.rx, screen.retreats) == ((TCX,), False)
    assert screen.offer == "native XDP, exact (this driver switches the peer's TSO off while attached)"
    assert screen.notices == (
        "v0 receives 200 Mb/s in 16.0 k packets/s, so it is counted by TCX: native XDP switches the peer's TSO off "
        "while attached.",
    )
    assert plan(busy, NATIVE_SCREEN).rx == (TCX,)
    assert plan(busy, NATIVE_CONSENT).rx == VETH_FORCED
    assert plan(busy, OFFER_ACCEPTED).rx == VETH_LADDER
    assert plan(busy, replace(AUTO, limits=LoadLimits(bits_per_sec=2e9))).rx == VETH_LADDER


@pytest.mark.parametrize(
    ("driver", "load", "reached"),
    [
        ("veth", Load(199e6, 19e3), False),
        ("veth", Load(200e6, 1e3), True),
        ("veth", Load(10e6, 20e3), True),
        ("virtio_net", Load(999e6, 900e3), False),
        ("virtio_net", Load(1e9, 80e3), True),
        ("virtio_net", Load(1e6, 2e3, softirq_share=0.51), True),
        ("virtio_net", Load(1e6, 2e3, softirq_share=0.5), False),
        ("veth", Load(1e3, 10, softirq_share=0.9), False),  # its CPU is busy with something else
    ],
)
def test_load_limits(driver: str, load: Load, reached: bool) -> None:
    assert LoadLimits().reached(load, (driver,)) is reached


def test_load_limits_of_a_person_hold_for_all_drivers() -> None:
    limits = LoadLimits(1e6, 50, 0.1)
    for driver in ("veth", "virtio_net"):
        assert not limits.reached(Load(0.9e6, 49), (driver,))
        assert limits.reached(Load(1e6, 10), (driver,))
        assert limits.reached(Load(1, 50), (driver,))
        assert LoadLimits(softirq_share=0.1).reached(Load(1, 1000, 0.11), (driver,))
    assert not limits.reached(None, ("veth",))


def test_bond_with_a_veth_has_its_limits() -> None:
    assert plan(replace(QUIET_BOND, load=Load(1e6, 20e3)), AUTO).rx == (TCX,)


@pytest.mark.parametrize(
    ("facts", "step", "notice"),
    [
        (VETH, NATIVE_FRAGS, "Native XDP on v0, until bpftop ends: its peer has no TSO; its peer may send by no more "
                             "queues than this end receives by; other XDP programs are refused (EBUSY)."),
        (VETH, NATIVE, "Native XDP on v0, until bpftop ends: its peer's MTU is at most 3506; its peer has no TSO; its "
                       "peer may send by no more queues than this end receives by; other XDP programs are refused "
                       "(EBUSY)."),
        (VIRTIO, NATIVE, "Native XDP on eth0, until bpftop ends: no GRO-HW here; no TSO in the host; the number of "
                         "queues is fixed; other XDP programs are refused (EBUSY)."),
        (IXGBE, NATIVE, None),  # the offer told
        (VETH, TCX, None),
        (LO, CLSACT, "clsact filters on lo outlive a kill -9; the next start of bpftop on it removes them."),
        (VETH, GENERIC, "Generic XDP on v0 switches no offload off; nothing of it outlives bpftop."),
        (replace(IXGBE, offloads=(("eth1", "rx-lro"), ("eth1", "rx-gro-hw"))), GENERIC,
         "Generic XDP on eth1 switches rx-lro of eth1 and rx-gro-hw of eth1 off until bpftop exits; after a kill -9 it "
         "takes `ethtool -K eth1 rx-lro on` and `ethtool -K eth1 rx-gro-hw on`."),
    ],
)  # fmt: skip
def test_notice_of_the_effects_of_a_hook(facts: AttachFacts, step: AttachStep, notice: str | None) -> None:
    assert effects.notice(facts, step) == notice


def test_notice_of_a_taken_hook() -> None:
    taken = 'XDP on v0 is taken by program 42 "xdp_filter" (native mode, held by agent (pid 812)): left alone'
    facts = replace(VETH, occupants=(OTHER,))
    assert messages.taken(facts, TCX) == f"{taken}, counting by TCX what it passes on."
    assert messages.taken(facts, None) == f"{taken}."


@pytest.mark.parametrize(
    ("facts", "offer"),
    [
        (IXGBE, "native XDP, exact (this driver drops the link for seconds, now and at exit)"),
        (MLX5, "native XDP, exact (this driver resets its rings, now and at exit)"),
        (NEW_NIC, "native XDP, exact (this driver may reset its rings, now and at exit)"),
        (NIC_BOND, "native XDP, exact (this driver drops the link for seconds, now and at exit)"),
        (TAP, "native XDP (this driver hands over super-frames, each counted as one packet)"),
    ],
)
def test_plan_offers(facts: AttachFacts, offer: str) -> None:
    assert plan(facts, AUTO_SCREEN).offer == offer


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (replace(VETH, native=None), True),
        (replace(TAP, native=None), True),
        (replace(IXGBE, native=None), True),
        (replace(NEW_NIC, native=None), True),  # hardware, as far as anybody knows
        (replace(NIC_BOND, native=None), True),
        (replace(BRIDGE, native=None), False),
        (replace(TUN, native=None), False),
        (replace(LO, native=None), False),
        (AttachFacts("m0", kind="macvlan", driver="macvlan"), False),
    ],
)
def test_native_where_the_kernel_cannot_tell(facts: AttachFacts, expected: bool) -> None:
    assert facts.can_native is expected


@pytest.mark.parametrize(
    ("link_type", "layer"), [(1, "ethernet"), (772, "ethernet"), (65534, "ip"), (512, "ip"), (778, "ip")]
)
def test_link_layers(link_type: int, layer: str) -> None:
    assert plan(AttachFacts("x", link_type), AUTO).link_layer == layer


def test_all_link_types_are_known() -> None:
    assert set(LINK_LAYERS) == {1, 772, 65534, 519, 768, 769, 776, 778, 823, 512}


@pytest.mark.parametrize(
    ("steps", "failed", "number", "expected"),
    [
        (LADDER, NATIVE, errno.ERANGE, (NATIVE_FRAGS, TCX)),
        (LADDER, NATIVE, errno.EINVAL, (NATIVE_FRAGS, TCX)),
        (LADDER, NATIVE_FRAGS, errno.EINVAL, (TCX,)),
        (LADDER, NATIVE, errno.EOPNOTSUPP, (TCX,)),
        (LADDER, NATIVE, ENOTSUPP, (TCX,)),
        (LADDER, NATIVE, errno.ENOMEM, (TCX,)),
        (LADDER, NATIVE, errno.EBUSY, (TCX,)),
        (LADDER, NATIVE, errno.EEXIST, (TCX,)),
        (LADDER, NATIVE, errno.EACCES, (TCX,)),
        (LADDER, NATIVE, errno.EIO, (TCX,)),
        (LADDER, NATIVE, errno.EPERM, ()),
        (LADDER, NATIVE, errno.ENODEV, ()),
        (LADDER, TCX, errno.EINVAL, ()),
        (FORCED, NATIVE, errno.ERANGE, (NATIVE_FRAGS,)),
        (FORCED, NATIVE, errno.EOPNOTSUPP, ()),
        ((GENERIC,), GENERIC, errno.EINVAL, ()),
    ],
)
def test_steps_that_remain_after_an_errno(
    steps: tuple[AttachStep, ...], failed: AttachStep, number: int, expected: tuple[AttachStep, ...]
) -> None:
    assert remaining(steps, failed, number) == expected


@pytest.mark.parametrize(
    ("facts", "step", "number", "sentence"),
    [
        (VETH, NATIVE, errno.ERANGE,
         "Native XDP does not attach to v0: the peer's MTU is too large for it (ERANGE); set it to 3506 or less, "
         "or use "
         "--attach auto."),
        (replace(IXGBE, mtu=9000, kernel=(6, 1)), NATIVE, errno.EINVAL,
         "Native XDP does not attach to eth1: its driver refuses it at MTU 9000 (EINVAL), for fragments too; "
         "lower the MTU "
         "or switch LRO off (the kernel log may tell which), or use --attach auto."),
        (VIRTIO, NATIVE, errno.EOPNOTSUPP,
         "Native XDP does not attach to eth0: virtio_net refuses it while the host fixes its offloads "
         "(EOPNOTSUPP); use "
         "--attach auto."),
        (IXGBE, NATIVE, ENOTSUPP,
         "Native XDP does not attach to eth1: its driver (ixgbe) refuses it in this setting (ENOTSUPP); look into the "
         "kernel log, or use --attach auto."),
        (VETH, NATIVE, errno.ENOMEM,
         "Native XDP does not attach to v0: no memory for its driver's queues (ENOMEM); use --attach auto."),
        (VETH, NATIVE, errno.EEXIST,
         "Native XDP does not attach to v0: busy (EEXIST): a program on its bond or its legs, or a driver without free "
         "queues; use --attach auto, which counts by TCX."),
        (VETH, NATIVE, errno.EIO,
         "Native XDP does not attach to v0: its driver refuses (EIO); look into the kernel log, or use --attach auto."),
        (VETH, NATIVE, errno.ENODEV,
         "Native XDP does not attach to v0: it is gone (ENODEV); start again when it is back."),
        (replace(VETH, kernel=(5, 8)), NATIVE, errno.EINVAL,
         "Native XDP does not attach to v0: this kernel has no XDP links, which came with Linux 5.9 (EINVAL); "
         "use --attach "
         "clsact."),
        (replace(LO, kernel=(6, 1)), GENERIC, errno.EINVAL,
         "Generic XDP does not attach to lo: the kernel refuses (EINVAL); use --attach auto."),
        (replace(LO, kernel=(6, 1)), CLSACT, errno.ENOENT,
         "clsact does not attach to lo: this kernel has no clsact qdisc (ENOENT); load the module sch_ingress, or use "
         "--attach auto."),
        (LO, CLSACT, errno.EBUSY,
         "clsact does not attach to lo: somebody's ingress qdisc has the place of clsact (EBUSY); use --attach auto."),
        (LO, CLSACT, errno.EEXIST,
         "clsact does not attach to lo: another bpftop counts there by clsact (EEXIST); use --attach auto."),
        (replace(VETH, missing_capabilities=("CAP_BPF", "CAP_NET_ADMIN")), NATIVE, errno.EPERM,
         "Native XDP does not attach to v0: not permitted (EPERM), CAP_BPF and CAP_NET_ADMIN missing; run it "
         "with sudo."),
        (replace(VETH, kernel=(6, 1)), NATIVE, errno.EPERM,
         "Native XDP does not attach to v0: not permitted (EPERM) although no capability is missing; look for a "
         "seccomp "
         "profile, a user namespace or kernel lockdown, and run it on the host."),
        (replace(VETH, kernel=(5, 10)), NATIVE, errno.EPERM,
         "Native XDP does not attach to v0: not permitted (EPERM); raise the limit of locked memory (ulimit -l "
         "unlimited)."),
    ],
)  # fmt: skip
def test_failure_sentences(facts: AttachFacts, step: AttachStep, number: int, sentence: str) -> None:
    assert messages.failure(facts, step, number) == sentence


@pytest.mark.parametrize(
    ("facts", "step", "number", "held", "sentence"),
    [
        (VIRTIO, NATIVE, errno.EOPNOTSUPP, TCX,
         "Native XDP does not attach to eth0: virtio_net refuses it while the host fixes its offloads (EOPNOTSUPP); "
         "counting by TCX."),
        (replace(LO, kernel=(6, 1)), TCX, errno.EINVAL, None,
         "TCX does not attach to lo: this kernel has no TCX, which came with Linux 6.6 (EINVAL); only rtnetlink totals "
         "(--attach clsact counts too)."),
        (replace(LO, kernel=(6, 12)), TCX, errno.EINVAL, None,
         "TCX does not attach to lo: this kernel is built without TCX (EINVAL); only rtnetlink totals (--attach "
         "clsact counts "
         "too)."),
        (replace(LO, missing_capabilities=("CAP_NET_ADMIN",)), TCX, errno.EPERM, None,
         "TCX does not attach to lo: not permitted (EPERM), CAP_NET_ADMIN missing; only rtnetlink totals (run it with "
         "sudo)."),
        (VETH, NATIVE, errno.ENOMEM, None,
         "Native XDP does not attach to v0: no memory for its driver's queues (ENOMEM); only rtnetlink totals."),
    ],
)  # fmt: skip
def test_fallback_sentences(
    facts: AttachFacts, step: AttachStep, number: int, held: AttachStep | None, sentence: str
) -> None:
    assert messages.fallback(facts, step, number, held) == sentence


def test_retreat_sentence() -> None:
    assert messages.retreated(replace(VETH, load=Load(1.4e9, 120e3, 0.62))) == (
        "v0 receives 1.40 Gb/s in 120 k packets/s, its CPU at 62 % softirq: went from native XDP, which switches the "
        "peer's TSO off while attached, to TCX."
    )
