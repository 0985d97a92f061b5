"""One interface: what is known of it, and where bpftop would count on it. Nothing is attached to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from bpftop.collect.attach.facts import gather
from bpftop.collect.devices.load_meter import measure_load
from bpftop.doctor.answers import Answer, Question, Verdict, no, unknown, yes
from bpftop.doctor.bpf import HOOK_NAMES, PROGRAM_NAMES
from bpftop.hooks import messages
from bpftop.hooks.facts import LINK_LAYERS, AttachFacts, AttachRequest
from bpftop.hooks.plan import plan
from bpftop.hooks.steps import AttachStep
from bpftop.kernel.net.netdev import IFF_UP, Device, Netdev
from bpftop.kernel.privileges import COUNTING, Privileges, missing_remedy
from bpftop.model.units import si

# A plain XDP program wants the frame in one page, beside 256 bytes of headroom, 320 of struct skb_shared_info and the
# Ethernet header: veth refuses its peer's MTU above 3506 of a page of 4096 (drivers/net/veth.c: veth_xdp_set).
ONE_PAGE_MTU = os.sysconf("SC_PAGESIZE") - 590


def questions(
    netdev: Netdev,
    device: Device,
    request: AttachRequest,
    privileges: Privileges,
    answers: Mapping[str, Answer],
    root: Path,
) -> list[Question]:
    """``answers`` are those to the questions about hooks, once they have been put."""
    facts = gather(netdev, device, root / "proc")
    asked = [
        Question("link", partial(link, device)),
        Question("frames", partial(frames, facts)),
        Question("driver", partial(native, facts)),
        Question("speed", partial(_speed, netdev, device)),
        Question("XDP programs", partial(occupied, facts)),
        Question("offloads", partial(offloads, facts)),
    ]
    if facts.can_native:
        asked.insert(3, Question("MTU", partial(mtu, facts)))
    asked.append(
        Question(f"attach {request.attach}", partial(_plan, netdev, device, facts, request, privileges, answers))
    )
    return [replace(question, name=f"{device.name} {question.name}") for question in asked]


def link(device: Device) -> Verdict:
    seen = f"ifindex {device.ifindex}" + (f", {device.kind}" if device.kind else "")
    if device.up:
        return yes(f"up, {seen}")
    if not device.flags & IFF_UP:
        return no(f"down, {seen}", f"nothing arrives: ip link set {device.name} up")
    return no(f"no carrier, {seen}", "nothing arrives: look at the cable, or at the other end")


def frames(facts: AttachFacts) -> Verdict:
    """Whether their beginning is understood."""
    layer = LINK_LAYERS.get(facts.link_type)
    if layer is None:
        return no(f"link type {facts.link_type} (ARPHRD) is not understood", "only rtnetlink totals")
    return yes(f"begin with the {'Ethernet' if layer == 'ethernet' else 'IP'} header (link type {facts.link_type})")


def native(facts: AttachFacts) -> Verdict:
    """The driver, and its own word on native XDP."""
    name = facts.driver or "names none"
    if facts.native:
        return yes(f"{name}, says it has native XDP; with it, it {messages.effect(facts)}")
    if facts.native is None:
        return unknown(f"{name}; this kernel does not say whether it has native XDP (it does since Linux 6.3)")
    return no(f"{name}, has no native XDP", "counted by TCX")


def mtu(facts: AttachFacts) -> Verdict:
    """Against what a plain program takes. Only an attach would tell for sure."""
    whose = "its peer's is what counts, which is not seen from here; " if facts.driver == "veth" else ""
    if facts.mtu <= ONE_PAGE_MTU:
        return yes(f"{facts.mtu}; {whose}native XDP takes up to {ONE_PAGE_MTU} in one page")
    return unknown(
        f"{facts.mtu}; {whose}above {ONE_PAGE_MTU} native XDP takes the frags program, which not every driver does",
        "where it is refused, TCX counts",
    )


def _speed(netdev: Netdev, device: Device) -> Verdict:
    driver = netdev.driver(device)
    speed = netdev.speed_bits_per_sec(device, driver)
    if speed is None:
        who = driver.name if driver else "a device of the kernel's own"
        return unknown(f"{who} gives none that can be believed", "utilisation in percent is not shown")
    return yes(f"{si(speed, 'b/s')}, believed: it is hardware on a bus")


def occupied(facts: AttachFacts) -> Verdict:
    if not facts.occupants:
        return yes("none: the hook is free")
    return no(messages.xdp_taken_tcx_counts(facts))


def offloads(facts: AttachFacts) -> Verdict:
    """What generic XDP would switch off and not on again."""
    if not facts.offloads:
        return yes("generic XDP would switch none off")
    named = " and ".join(f"{offload} of {device}" for device, offload in facts.offloads)
    return no(f"generic XDP would switch {named} off", "bpftop does so only with --attach generic, and puts it back")


def _plan(
    netdev: Netdev,
    device: Device,
    facts: AttachFacts,
    request: AttachRequest,
    privileges: Privileges,
    answers: Mapping[str, Answer],
) -> Verdict:
    if facts.is_quiet:
        facts = replace(facts, rx_bits_per_sec=measure_load(netdev, device))
    return planned(facts, request, privileges, answers)


def planned(
    facts: AttachFacts, request: AttachRequest, privileges: Privileges, answers: Mapping[str, Answer]
) -> Verdict:
    """What bpftop would do on the device, of that what can work here."""
    found = plan(facts, request)
    if found.refusal is not None:
        return no(found.refusal)
    said = " ".join(found.notices)
    if not found.rx:
        return no(said)
    missing = privileges.missing(COUNTING)
    if missing and privileges.effective is not None:
        return no("only rtnetlink totals", missing_remedy(missing))
    receive, send = (_here(steps, answers) for steps in (found.rx, found.tx))
    if receive is None:
        return no(f"only rtnetlink totals: {_named(found.rx)} does not work here", "see above")
    return yes(f"receives: {receive}; sends: {send or 'rtnetlink totals'}", said)


def _here(steps: tuple[AttachStep, ...], answers: Mapping[str, Answer]) -> str | None:
    """The steps that this kernel does not rule out, in words; None where none is left."""
    left = tuple(step for step in steps if "no" not in [answers.get(name) for name in _rests_on(step)])
    return _named(left) if left else None


def _rests_on(step: AttachStep) -> tuple[str, str]:
    """The questions about its program and its hook."""
    hook = replace(step, program="count_xdp") if step.hook == "xdp" else step
    return PROGRAM_NAMES[step.program], HOOK_NAMES[hook]


def _named(steps: tuple[AttachStep, ...]) -> str:
    return ", or else ".join(dict.fromkeys("native XDP" if step.mode == "native" else str(step) for step in steps))
