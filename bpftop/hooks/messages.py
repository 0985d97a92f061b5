"""Sentences about attaching: effects on a device, reasons of refusals, remedies."""

from __future__ import annotations

import errno

from bpftop.errors import ENOTSUPP, errno_name
from bpftop.hooks.attach_facts import DISTURBANCES, DROPS_LINK, QUIET_DRIVERS, RESETS_RINGS, AttachFacts
from bpftop.hooks.steps import AttachStep
from bpftop.model.sample import Direction

_MAY_RESET = "may reset its rings, now and at exit"
_SUPER_FRAMES = "hands over super-frames, each counted as one packet"

_USE_AUTO = "use --attach auto"
_NOT_SUPPORTED = (errno.EOPNOTSUPP, ENOTSUPP)


def effect(facts: AttachFacts) -> str:
    """Return what native XDP does to the device, as a predicate; of a bond the effect on its worst leg."""
    if facts.is_tap:
        return _SUPER_FRAMES
    known = {**QUIET_DRIVERS, **DISTURBANCES}
    effects = {known.get(driver or "", _MAY_RESET) for driver in facts.drivers} or {_MAY_RESET}
    for worst in (DROPS_LINK, RESETS_RINGS, _MAY_RESET):
        if worst in effects:
            return worst
    return sorted(effects)[0]


def offer(facts: AttachFacts) -> str:
    """Return the text behind the key on the last line of the screen."""
    return f"native XDP{'' if facts.is_tap else ', exact'} (this driver {effect(facts)})"


def counted_by_tcx(facts: AttachFacts) -> str:
    """Return why TCX counts and not native XDP, as a sentence without its end."""
    if facts.is_quiet and facts.load is not None:
        return f"{facts.name} receives {facts.load}, so it is counted by TCX: native XDP {effect(facts)}"
    return f"{facts.name} is counted by TCX: at native XDP its driver {effect(facts)}"


def retreated(facts: AttachFacts) -> str:
    """Return why counting moved from native XDP to TCX."""
    return f"{facts.name} receives {facts.load}: went from native XDP, which {effect(facts)}, to TCX."


def taken(facts: AttachFacts, used: AttachStep | None) -> str:
    """Return the notice that another program has the XDP hook, where ``used`` counts; None: nothing counts."""
    then = f", counting by {used} what it passes on" if used else ""
    return f"XDP on {facts.name} is taken by {_occupants(facts)}: left alone{then}."


def _occupants(facts: AttachFacts) -> str:
    return " and ".join(str(occupant) for occupant in facts.occupants)


def clsact_outlives(facts: AttachFacts) -> str:
    """Return the notice of clsact filters."""
    return f"clsact filters on {facts.name} outlive a kill -9; the next start of bpftop on it removes them."


def failure(facts: AttachFacts, step: AttachStep, number: int) -> str:
    """Return the error of a forced step: what failed, why, what to do."""
    reason, remedy = _why(facts, step, number)
    return f"{step} does not attach to {facts.name}: {reason}; {remedy}."


def fallback(facts: AttachFacts, step: AttachStep, number: int, used: AttachStep | None) -> str:
    """Return the notice of a failed step after which ``used`` counts, or rtnetlink totals if it is None."""
    reason, remedy = _why(facts, step, number)
    if used is not None:
        return f"{step} does not attach to {facts.name}: {reason}; counting by {used}."
    remedy = "" if remedy.startswith(_USE_AUTO) else f" ({remedy})"
    return f"{step} does not attach to {facts.name}: {reason}; only rtnetlink totals{remedy}."


VIRTIO_REFUSES = "virtio_net refuses it while the host fixes its offloads"
"""The reason why a virtio_net device has no native XDP; its driver has it."""

_NOT_LOADED = {
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENOENT: "mount /sys, where libbpf looks for the CPUs",
    errno.ENOMEM: "free some memory, or raise the limit of this container",
    errno.ENOSYS: "this kernel has no bpf(2), or a seccomp profile hides it: run it on the host",
}


def not_loaded(facts: AttachFacts, error: str, number: int, used: AttachStep | None) -> str:
    """Return the notice that the kernel refused to load the program; ``error`` has its reason."""
    remedy = _NOT_LOADED.get(number, "please report it with the output of `bpftop doctor --all`")
    then = f"counting by {used}" if used else remedy
    return f"bpftop's program for {facts.name}: {error}; {then}."


def detached(facts: AttachFacts, step: AttachStep, direction: Direction, used: AttachStep | None) -> str:
    """Return the notice that another process detached bpftop's program."""
    then = f"counting by {used}" if used else "only rtnetlink totals"
    return f"Somebody detached bpftop's {direction.upper()} program ({step}) from {facts.name}: {then}."


def _why(facts: AttachFacts, step: AttachStep, number: int) -> tuple[str, str]:
    """Return the reason of a failed step, and the remedy."""
    name = errno_name(number)
    if number in (errno.EPERM, errno.EACCES):
        return _not_permitted(facts, name)
    if number == errno.ENODEV:
        return f"it is gone ({name})", "start again when it is back"
    if step.hook == "tcx":
        return _no_tcx(facts, name)
    if step.hook == "clsact":
        return _no_clsact(number, name)
    return _no_xdp(facts, step, number, name)


def _not_permitted(facts: AttachFacts, name: str) -> tuple[str, str]:
    if facts.missing_capabilities:
        return f"not permitted ({name}), {' and '.join(facts.missing_capabilities)} missing", "run it with sudo"
    if facts.kernel < (5, 11):
        return f"not permitted ({name})", "raise the limit of locked memory (ulimit -l unlimited)"
    return (
        f"not permitted ({name}) although no capability is missing",
        "look for a seccomp profile, a user namespace or kernel lockdown, and run it on the host",
    )


def _no_tcx(facts: AttachFacts, name: str) -> tuple[str, str]:
    if name != "EINVAL":
        return f"the kernel refuses ({name})", "--attach clsact counts too"
    if facts.kernel >= (6, 6):
        return f"this kernel is built without TCX ({name})", "--attach clsact counts too"
    return f"this kernel has no TCX, which came with Linux 6.6 ({name})", "--attach clsact counts too"


def _no_clsact(number: int, name: str) -> tuple[str, str]:
    if number == errno.EEXIST:
        return f"another bpftop counts there by clsact ({name})", _USE_AUTO
    if number == errno.EBUSY:
        return f"somebody's ingress qdisc has the place of clsact ({name})", _USE_AUTO
    return f"this kernel has no clsact qdisc ({name})", f"load the module sch_ingress, or {_USE_AUTO}"


def _no_xdp(facts: AttachFacts, step: AttachStep, number: int, name: str) -> tuple[str, str]:
    if number in (errno.EBUSY, errno.EEXIST):
        if facts.occupants:
            return f"taken by {_occupants(facts)} ({name})", f"{_USE_AUTO}, which counts beside it by TCX"
        where = "a program on its bond or its legs, or a driver without free queues"
        return f"busy ({name}): {where}", f"{_USE_AUTO}, which counts by TCX"
    if number == errno.EINVAL and facts.kernel < (5, 9):
        return f"this kernel has no XDP links, which came with Linux 5.9 ({name})", "use --attach clsact"
    if number == errno.ENOMEM:
        return f"no memory for its driver's queues ({name})", _USE_AUTO
    if step.mode == "generic":
        return f"the kernel refuses ({name})", _USE_AUTO
    if number in _NOT_SUPPORTED:
        return _no_native(facts, name)
    if number in (errno.ERANGE, errno.EINVAL):
        return _too_large(facts, name)
    return f"its driver refuses ({name})", f"look into the kernel log, or {_USE_AUTO}"


def _no_native(facts: AttachFacts, name: str) -> tuple[str, str]:
    driver = f"its driver ({facts.driver})" if facts.driver else "its driver"
    if facts.driver == "virtio_net":
        return f"{VIRTIO_REFUSES} ({name})", _USE_AUTO
    if not facts.native:
        return f"{driver} has no native XDP ({name})", f"{_USE_AUTO} or --attach generic"
    return f"{driver} refuses it in this setting ({name})", f"look into the kernel log, or {_USE_AUTO}"


def _too_large(facts: AttachFacts, name: str) -> tuple[str, str]:
    if facts.driver == "veth":
        return f"the peer's MTU is too large for it ({name})", f"set it to {facts.one_page_mtu} or less, or {_USE_AUTO}"
    return (
        f"its driver refuses it at MTU {facts.mtu} ({name}), for fragments too",
        f"lower the MTU or switch LRO off (the kernel log may tell which), or {_USE_AUTO}",
    )
