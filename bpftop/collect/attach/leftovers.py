"""Removal of clsact filters that a killed bpftop left on a device."""

from __future__ import annotations

from bpftop.kernel.net import clsact
from bpftop.kernel.net.clsact import OWN_PRIORITY, Filter
from bpftop.kernel.net.netdev import Device, Netdev
from bpftop.model.sample import DIRECTIONS, Direction

_WORDS: dict[Direction, str] = {"rx": "ingress", "tx": "egress"}


def remove_clsact_leftovers(netdev: Netdev, device: Device) -> tuple[str, ...]:
    """Remove the filters of a bpftop that has provably ended, and the clsact qdisc if that bpftop created the qdisc.

    Filters of a living bpftop stay, and so do filters whose process cannot be seen from here: by another pid namespace,
    or without a record of the process.

    Returns:
        Notices about filters that stay although no living process is known to need them.
    """
    states = {direction: _state(netdev, device, direction) for direction in DIRECTIONS}
    dead = [own for own, state in states.values() if own is not None and state == "dead"]
    try:
        for direction in DIRECTIONS:
            # Read again: another start may have removed the filter and attached its own by the same handle.
            if states[direction][1] == "dead" and _state(netdev, device, direction)[1] == "dead":
                clsact.remove_own(netdev.route, device.ifindex, direction)
        if any(own.created_qdisc for own in dead):
            clsact.remove_empty(netdev.route, device.ifindex)
    except OSError as error:
        return (f"clsact filters of a killed bpftop stay on {device.name} ({error}); a start with sudo removes them.",)
    unknown = [
        f"`tc filter del dev {device.name} {_WORDS[direction]} pref {OWN_PRIORITY}`"
        for direction, (_, state) in states.items()
        if state == "unknown"
    ]
    if not unknown:
        return ()
    return (
        f"{device.name} has clsact filters of a bpftop whose process cannot be seen from here: left alone. If that "
        f"bpftop has ended, {' and '.join(unknown)} removes them.",
    )


def _state(netdev: Netdev, device: Device, direction: Direction) -> tuple[Filter | None, str]:
    """Return bpftop's filter of one direction, and the state of its process: "alive", "dead" or "unknown"."""
    own = next((each for each in clsact.filters(netdev.route, device.ifindex, direction) if each.is_own), None)
    if own is None:
        return None, "none"
    return own, "unknown" if own.owner is None else own.owner.state()
