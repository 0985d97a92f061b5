"""Questions about one interface: its facts, and where bpftop would count. Nothing is attached to it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

from bpftop.collect.attach.fact_gathering import gather
from bpftop.collect.devices.load_meter import measure_load
from bpftop.doctor.answers import Answer, Question, Verdict, no, not_applicable, unknown, yes
from bpftop.doctor.bpf import HOOK_NAMES, PROGRAM_NAMES
from bpftop.fields import replace
from bpftop.hooks import messages
from bpftop.hooks.attach_facts import LINK_LAYERS, AttachFacts, AttachRequest
from bpftop.hooks.effects import changes
from bpftop.hooks.plan import plan
from bpftop.hooks.steps import CLSACT, TCX, AttachStep
from bpftop.kernel.net.netdev import IFF_UP, Device, DeviceReading, Netdev
from bpftop.kernel.privileges import COUNTING, Privileges, missing_remedy
from bpftop.model.units import si


def questions(
    netdev: Netdev,
    device: Device,
    request: AttachRequest,
    privileges: Privileges,
    answers: Mapping[str, Answer],
) -> list[Question]:
    """Return the questions. ``answers`` fills up while they are asked: the last one needs the answers about hooks."""
    facts = gather(netdev, device)
    questions = [
        Question("link", partial(link, device)),
        Question("frames", partial(frames, facts)),
        Question("driver", partial(native, facts)),
        Question("speed", partial(_speed, netdev, device)),
        Question("XDP programs", partial(occupied, facts)),
        Question("offloads", partial(offloads, facts)),
    ]
    if facts.can_native:
        questions.insert(3, Question("MTU", partial(mtu, facts)))
    questions.append(
        Question(f"attach {request.attach}", partial(_plan, netdev, device, facts, request, privileges, answers))
    )
    return [replace(question, name=f"{device.name} {question.name}") for question in questions]


def link(device: Device) -> Verdict:
    """Answer whether the interface is up and has a carrier."""
    identity = f"ifindex {device.ifindex}" + (f", {device.kind}" if device.kind else "")
    if device.up:
        return yes(f"up, {identity}")
    if not device.flags & IFF_UP:
        return no(f"down, {identity}", f"no packet arrives: run `ip link set {device.name} up`")
    return no(f"no carrier, {identity}", "no packet arrives: check the cable and the other end")


def frames(facts: AttachFacts) -> Verdict:
    """Tell whether bpftop knows the header at the beginning of the frames."""
    layer = LINK_LAYERS.get(facts.link_type)
    if layer is None:
        return no(
            f"bpftop does not know the frames of link type {facts.link_type} (ARPHRD)",
            "only rtnetlink totals are shown",
        )
    return yes(f"begin with the {'Ethernet' if layer == 'ethernet' else 'IP'} header (link type {facts.link_type})")


def native(facts: AttachFacts) -> Verdict:
    """Tell the driver, and whether it reports native XDP."""
    name = facts.driver or "a driver without a name"
    if facts.native:
        return yes(f"{name} reports native XDP; when attached, it {messages.effect(facts)}")
    if facts.native is None:
        return unknown(f"{name}; whether it has native XDP is reported by Linux 6.3 and newer")
    if facts.driver == "virtio_net":
        return not_applicable(f"native XDP: {messages.VIRTIO_REFUSES}", "received frames are counted by TCX instead")
    return not_applicable(f"{name} has no native XDP", "received frames are counted by TCX instead")


def mtu(facts: AttachFacts) -> Verdict:
    """Compare the MTU with the limit of a plain XDP program. Only an attach would tell for certain."""
    peer = "the MTU of its peer decides, which is not visible here; " if facts.driver == "veth" else ""
    limit = facts.one_page_mtu
    if facts.mtu <= limit:
        return yes(f"{facts.mtu}; {peer}native XDP takes up to {limit} in one page")
    return unknown(
        f"{facts.mtu}; {peer}above {limit} native XDP needs the frags program, which not every driver takes",
        "where the driver refuses it, TCX counts",
    )


def _speed(netdev: Netdev, device: Device) -> Verdict:
    driver = netdev.ethtool.driver(device.name)
    speed = netdev.speed_bits_per_sec(device, driver)
    if speed is None:
        source = f"the driver {driver.name}" if driver else "a device made by the kernel"
        return not_applicable(f"{source} reports no reliable speed", "utilisation in percent is not shown")
    return yes(f"{si(speed, 'b/s')}, reported by hardware on a bus")


def occupied(facts: AttachFacts) -> Verdict:
    """Answer whether another XDP program has the hook."""
    if not facts.occupants:
        return yes("no program: the hook is free")
    return no(messages.taken(facts, TCX))


def offloads(facts: AttachFacts) -> Verdict:
    """Tell the offloads that generic XDP would switch off and leave off."""
    if not facts.offloads:
        return yes("generic XDP would switch off no offload")
    names = " and ".join(f"{offload} of {device}" for device, offload in facts.offloads)
    return yes(
        f"generic XDP would switch off {names}", "only --attach generic does that, and bpftop restores it at exit"
    )


def _plan(
    netdev: Netdev,
    device: Device,
    facts: AttachFacts,
    request: AttachRequest,
    privileges: Privileges,
    answers: Mapping[str, Answer],
) -> Verdict:
    if facts.is_quiet:
        now = netdev.device(device.ifindex) or device
        facts = replace(facts, load=measure_load(netdev, DeviceReading(now, time.monotonic_ns())))
    return planned(facts, request, privileges, answers)


def planned(
    facts: AttachFacts, request: AttachRequest, privileges: Privileges, answers: Mapping[str, Answer]
) -> Verdict:
    """Tell which hooks bpftop would use on the device, out of the hooks that work here."""
    attach_plan = plan(facts, request)
    if attach_plan.refusal is not None:
        return no(attach_plan.refusal)
    if not attach_plan.rx:
        return no(" ".join(attach_plan.notices))
    missing = privileges.missing(COUNTING)
    if missing and privileges.effective is not None:
        return no("only rtnetlink totals", missing_remedy(missing))
    receive, send = (_working_steps(steps, answers) for steps in (attach_plan.rx, attach_plan.tx))
    if not receive:
        return no(
            f"only rtnetlink totals: {_step_names(attach_plan.rx)} does not work here",
            "the line about the hook says why",
        )
    remedy = " ".join((*attach_plan.notices, _changes(facts, receive[0])))
    return yes(f"receives: {_step_names(receive)}; sends: {_step_names(send) if send else 'rtnetlink totals'}", remedy)


def _changes(facts: AttachFacts, step: AttachStep) -> str:
    """Return what watching by the step changes on the device and its neighbours."""
    if step == CLSACT:
        return messages.clsact_outlives(facts)
    changed = changes(facts, step)
    return f"until bpftop ends: {'; '.join(changed)}" if changed else "watching changes nothing on this device"


def _working_steps(steps: tuple[AttachStep, ...], answers: Mapping[str, Answer]) -> tuple[AttachStep, ...]:
    """Return the steps that this kernel does not rule out."""
    return tuple(step for step in steps if "no" not in [answers.get(name) for name in _questions_about(step)])


def _questions_about(step: AttachStep) -> tuple[str, str]:
    """Return the names of the questions about the step's program and hook."""
    hook = replace(step, program="count_xdp") if step.hook == "xdp" else step
    return PROGRAM_NAMES[step.program], HOOK_NAMES[hook]


def _step_names(steps: tuple[AttachStep, ...]) -> str:
    return ", or else ".join(dict.fromkeys("native XDP" if step.mode == "native" else str(step) for step in steps))
