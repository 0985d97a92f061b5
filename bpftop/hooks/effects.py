"""Changes on a device and its neighbours while bpftop is attached, per hook and driver."""

from __future__ import annotations

from bpftop.hooks import messages
from bpftop.hooks.attach_facts import AttachFacts
from bpftop.hooks.steps import CLSACT, GENERIC, NATIVE, AttachStep

_NO_OTHER_XDP = "other XDP programs are refused (EBUSY)"
# veth_set_features, veth_xdp_set and veth_set_channels; virtnet_xdp_set and virtnet_set_channels.
_NATIVE_CHANGES = {
    "veth": ("its peer has no TSO", "its peer may send by no more queues than this end receives by", _NO_OTHER_XDP),
    "virtio_net": ("no GRO-HW here", "no TSO in the host", "the number of queues is fixed", _NO_OTHER_XDP),
}


def changes(facts: AttachFacts, step: AttachStep) -> tuple[str, ...]:
    """Return what changes until bpftop ends where packets are counted by ``step``; empty for TCX."""
    if step == GENERIC:
        return (*(f"{offload} of {device} is off" for device, offload in facts.offloads), _NO_OTHER_XDP)
    if step == CLSACT:
        return ("it has a clsact qdisc, which a kill -9 leaves behind",)
    if step.mode != "native":
        return ()
    quiet = tuple(dict.fromkeys(c for driver in facts.drivers for c in _NATIVE_CHANGES.get(driver or "", ())))
    plain = (f"its peer's MTU is at most {facts.one_page_mtu}",) if step == NATIVE and "veth" in facts.drivers else ()
    return (*plain, *(quiet or (_NO_OTHER_XDP,)))


def notice(facts: AttachFacts, step: AttachStep) -> str | None:
    """Return the notice about the changes by an attached step; None where an offer or nothing told them."""
    if step == GENERIC and not facts.offloads:
        return f"Generic XDP on {facts.name} switches no offload off; nothing of it outlives bpftop."
    if step == GENERIC:
        off = " and ".join(f"{offload} of {device}" for device, offload in facts.offloads)
        again = " and ".join(f"`ethtool -K {device} {offload} on`" for device, offload in facts.offloads)
        return f"Generic XDP on {facts.name} switches {off} off until bpftop exits; after a kill -9 it takes {again}."
    if step == CLSACT:
        return messages.clsact_outlives(facts)
    if step.mode != "native" or not facts.is_quiet:
        return None
    return f"Native XDP on {facts.name}, until bpftop ends: {'; '.join(changes(facts, step))}."
