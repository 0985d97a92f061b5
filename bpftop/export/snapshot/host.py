"""What a snapshot says of the machine it was taken on: the kernel, the limits that matter, and the devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bpftop.model.device import DeviceFacts
from bpftop.model.snapshot import Snapshot


def host_object(shown: Snapshot) -> dict[str, Any]:
    return {
        "name": shown.host,
        "kernel": shown.kernel or None,
        "possible_cpus": shown.possible_cpus,
        "online_cpus": list(shown.online_cpus),
        "sysctls": _sysctls(shown),
    }


def _sysctls(shown: Snapshot) -> dict[str, int | None] | None:
    """The limits that explain losses, by the names that `sysctl` gives them; None where they were not read."""
    signal = shown.reading("sysctls")
    return None if signal is None else {str(key[0]): signal.value(key, "value") for key in signal.keys}


def device_object(facts: DeviceFacts | None) -> dict[str, Any] | None:
    """None where nobody has looked at the device yet."""
    if facts is None:
        return None
    return {
        "firmware": facts.firmware,
        "bus": facts.bus,
        "ring": _mapping(facts.ring),
        "channels": _mapping(facts.channels),
        "coalesce": _mapping(facts.coalesce),
        "features": _listed(facts.features),
        "rss": _mapping(facts.rss),
        "numa_node": facts.numa_node,
        "numa_cpus": _listed(facts.numa_cpus),
        "queues": None
        if facts.queues is None
        else [{"direction": one.direction, "index": one.index, "cpus": _listed(one.cpus)} for one in facts.queues],
        "irqs": None
        if facts.irqs is None
        else [
            {
                "number": one.number,
                "name": one.name,
                "affinity_cpus": _listed(one.affinity_cpus),
                "effective_cpus": _listed(one.effective_cpus),
            }
            for one in facts.irqs
        ],
        "bond": None
        if facts.bond is None
        else {
            "mode": facts.bond.mode,
            "active_leg": facts.bond.active_leg,
            "legs": [{"name": leg.name, "up": leg.up} for leg in facts.bond.legs],
        },
        "unreadable": [{"part": part, "reason": reason} for part, reason in facts.unreadable.items()],
    }


def _mapping(found: Mapping[Any, int] | None) -> dict[str, int] | None:
    return None if found is None else {str(name): number for name, number in found.items()}


def _listed(found: Sequence[Any] | None) -> list[Any] | None:
    return None if found is None else list(found)


def device_words(facts: DeviceFacts | None) -> list[str]:
    """The same in a line for people: what bounds what the device can take."""
    if facts is None:
        return []
    words = [f"firmware {facts.firmware}"] if facts.firmware else []
    for name, found, keys in (("ring", facts.ring, ("rx", "tx")), ("channels", facts.channels, ("combined", "rx"))):
        for key in keys:
            if found and found.get(key):
                most = found.get(f"{key}_max")
                words.append(f"{name} {key} {found[key]}" + (f" of {most}" if most else ""))
    if facts.rss:
        words.append(f"RSS over {len(facts.rss)} queues")
    if facts.coalesce and (wait_us := facts.coalesce.get("rx-usecs")) is not None:
        words.append(f"rx-usecs {wait_us}")
    return words
