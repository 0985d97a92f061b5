"""The plan of where to count on a device, from its facts and the request. ``collect/attach`` applies the plan.

Why not native XDP everywhere, measured over veth with iperf3: nothing attached 9.0 Gb/s, native XDP 2.4, TCX no visible
cost. Native XDP switches receive offloads off while it is attached, and many drivers reset their rings or drop the link
at attach and detach. TCX disturbs nothing, but sees only packets that reach the stack.
"""

from __future__ import annotations

import errno

from bpftop.fields import replace
from bpftop.hooks import messages
from bpftop.hooks.attach_facts import LINK_LAYERS, AttachFacts, AttachRequest, LinkLayer
from bpftop.hooks.steps import CLSACT, GENERIC, NATIVE, NATIVE_FRAGS, TCX, AttachPlan

OCCUPIED = (errno.EBUSY, errno.EEXIST)


def plan(facts: AttachFacts, request: AttachRequest) -> AttachPlan:
    """Return the steps to try on a device, with notices or a refusal."""
    if request.attach == "none":
        asked = f"Only rtnetlink totals of {facts.name}, as asked for (--attach none)."
        return AttachPlan(notices=(request.why_none or asked,))
    layer = LINK_LAYERS.get(facts.link_type)
    if layer is None:
        reason = f"{facts.name} has link type {facts.link_type} (ARPHRD), whose frames bpftop cannot read"
        if request.attach == "auto":
            return AttachPlan(notices=(f"{reason}: only rtnetlink totals.",))
        return AttachPlan(refusal=f"{reason}; use --attach none for its totals.")
    if request.attach in ("tcx", "clsact", "tc"):
        steps = {"tcx": (TCX,), "clsact": (CLSACT,), "tc": (TCX, CLSACT)}[request.attach]
        return AttachPlan(steps, steps, layer, forced=True)
    if request.attach == "generic" and facts.occupants:
        return AttachPlan(refusal=messages.failure(facts, GENERIC, errno.EBUSY))
    if request.attach == "generic":
        return AttachPlan((GENERIC,), (TCX,), layer, forced=True)
    return _native_or_tcx(facts, request, layer)


def _native_or_tcx(facts: AttachFacts, request: AttachRequest, layer: LinkLayer) -> AttachPlan:
    """Plan the modes auto and native: native XDP where it is quiet or has consent, else TCX with an offer."""
    forced = request.attach == "native" and not request.accepted
    tcx = AttachPlan((TCX,), (TCX,), layer)
    if facts.occupants:
        if forced:
            return AttachPlan(refusal=messages.failure(facts, NATIVE, errno.EBUSY))
        return tcx
    consent = request.accepted or (request.attach == "native" and request.may_disturb_device)
    # With consent native XDP is always tried: a driver may fail to report that it has native XDP.
    if not facts.can_native and not consent:
        return AttachPlan(refusal=messages.failure(facts, NATIVE, errno.EOPNOTSUPP)) if forced else tcx
    if consent or (facts.is_quiet and not request.limits.reached(facts.load, facts.drivers)):
        # A plain program limits the MTU of a veth's peer. Elsewhere the frags program is for devices that need it.
        twins = (NATIVE_FRAGS, NATIVE) if "veth" in facts.drivers else (NATIVE, NATIVE_FRAGS)
        return AttachPlan(twins if forced else (*twins, TCX), (TCX,), layer, forced=forced, retreats=not consent)
    reason = messages.counted_by_tcx(facts)
    if request.terminal:
        return replace(tcx, notices=(f"{reason}.",) if facts.is_quiet else (), offer=messages.offer(facts))
    return replace(tcx, notices=(f"{reason}; --xdp agrees to that.",))
