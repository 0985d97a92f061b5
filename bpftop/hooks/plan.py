"""Where to count: facts about a device and a wish become a plan. Pure; ``collect/attach.py`` carries it out.

Why not native XDP everywhere, measured over veth with iperf3: nothing attached 9.0 Gb/s, native XDP 2.4, TCX no visible
cost. Native XDP takes receive offloads away while it is attached, and many drivers reset their rings or drop the link
when it comes and goes. TCX disturbs nothing, but sees only what the stack lets through.
"""

from __future__ import annotations

import errno

from bpftop.hooks import messages
from bpftop.hooks.facts import LINK_LAYERS, AttachFacts, AttachRequest, LinkLayer
from bpftop.hooks.steps import CLSACT, GENERIC, NATIVE, NATIVE_FRAGS, TCX, AttachPlan

OCCUPIED = (errno.EBUSY, errno.EEXIST)


def plan(facts: AttachFacts, request: AttachRequest) -> AttachPlan:
    """What to try on this device, and what to say about it."""
    if request.attach == "none":
        return AttachPlan(notices=(messages.not_wanted(facts),))
    layer = LINK_LAYERS.get(facts.link_type)
    if layer is None and request.attach == "auto":
        return AttachPlan(notices=(f"{messages.not_understood(facts)}: only rtnetlink totals.",))
    if layer is None:
        return AttachPlan(refusal=f"{messages.not_understood(facts)}; use --attach none for its totals.")
    if request.attach == "tc":
        return AttachPlan((CLSACT,), (CLSACT,), layer, forced=True, notices=(messages.clsact_outlives(facts),))
    if request.attach == "generic" and facts.occupants:
        return AttachPlan(refusal=messages.failure(facts, GENERIC, errno.EBUSY))
    if request.attach == "generic":
        return AttachPlan((GENERIC,), (TCX,), layer, forced=True, notices=(messages.generic_outlives(facts),))
    return _native_or_tcx(facts, request, layer)


def _native_or_tcx(facts: AttachFacts, request: AttachRequest, layer: LinkLayer) -> AttachPlan:
    """The wishes "auto" and "native": native XDP where it is quiet or agreed to, else TCX and an offer."""
    forced = request.attach == "native" and not request.accepted
    tcx = AttachPlan((TCX,), (TCX,), layer)
    if facts.occupants:
        if forced:
            return AttachPlan(refusal=messages.failure(facts, NATIVE, errno.EBUSY))
        return _with(tcx, messages.beside(facts))
    agreed = request.accepted or (request.attach == "native" and request.may_disturb_device)
    # An agreed try goes to the kernel in any case: a driver may forget to say that it can.
    if not facts.can_native and not agreed:
        return AttachPlan(refusal=messages.failure(facts, NATIVE, errno.EOPNOTSUPP)) if forced else tcx
    heavy = (facts.rx_bits_per_sec or 0) >= request.load_limit_bits_per_sec
    if agreed or (facts.is_quiet and not heavy):
        steps = (NATIVE, NATIVE_FRAGS) if forced else (NATIVE, NATIVE_FRAGS, TCX)
        return AttachPlan(steps, (TCX,), layer, forced=forced, retreats=not agreed)
    if request.terminal:
        return _with(tcx, *((messages.too_heavy(facts),) if facts.is_quiet else ()), offer=messages.offer(facts))
    return _with(tcx, messages.needs_a_yes(facts))


def _with(base: AttachPlan, *notices: str, offer: str | None = None) -> AttachPlan:
    return AttachPlan(base.rx, base.tx, base.link_layer, notices=notices, offer=offer)
