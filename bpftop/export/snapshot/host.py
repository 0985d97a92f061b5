"""The machine and its devices as objects of the snapshot document, and a device as a line of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from bpftop.model.device import DeviceFacts
from bpftop.model.snapshot import Snapshot

if TYPE_CHECKING:
    from bpftop.export.snapshot.snapshot_types import DeviceObject, HostObject

T = TypeVar("T")


def host_object(snapshot: Snapshot) -> HostObject:
    """Return the machine that the snapshot was taken on."""
    return {
        "name": snapshot.host,
        "kernel": snapshot.kernel or None,
        "possible_cpus": snapshot.possible_cpus,
        "online_cpus": list(snapshot.online_cpus),
        "sysctls": _sysctls(snapshot),
    }


def _sysctls(snapshot: Snapshot) -> dict[str, int | None] | None:
    reading = snapshot.reading("sysctls")
    return None if reading is None else {str(key[0]): reading.value(key, "value") for key in reading.keys}


def device_object(facts: DeviceFacts | None) -> DeviceObject | None:
    """Return the facts about a device; None before they were read."""
    if facts is None:
        return None
    return {
        "firmware": facts.firmware,
        "bus": facts.bus,
        "ring": _mapping(facts.ring),
        "channels": _mapping(facts.channels),
        "coalesce": _mapping(facts.coalesce),
        "features": _list(facts.features),
        "rss": _mapping(facts.rss),
        "numa_node": facts.numa_node,
        "numa_cpus": _list(facts.numa_cpus),
        "queues": None
        if facts.queues is None
        else [{"direction": q.direction, "index": q.index, "cpus": _list(q.cpus)} for q in facts.queues],
        "irqs": None
        if facts.irqs is None
        else [
            {
                "number": irq.number,
                "name": irq.name,
                "affinity_cpus": _list(irq.affinity_cpus),
                "effective_cpus": _list(irq.effective_cpus),
            }
            for irq in facts.irqs
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


def _mapping(numbers: Mapping[str, int] | Mapping[int, int] | None) -> dict[str, int] | None:
    return None if numbers is None else {str(name): number for name, number in numbers.items()}


def _list(values: Sequence[T] | None) -> list[T] | None:
    return None if values is None else list(values)


def device_phrases(facts: DeviceFacts | None) -> list[str]:
    """Name what limits the capacity of a device: rings, channels, RSS, interrupt coalescing."""
    if facts is None:
        return []
    phrases = [f"firmware {facts.firmware}"] if facts.firmware else []
    for name, sizes, keys in (("ring", facts.ring, ("rx", "tx")), ("channels", facts.channels, ("combined", "rx"))):
        for key in keys:
            if sizes and sizes.get(key):
                most = sizes.get(f"{key}_max")
                phrases.append(f"{name} {key} {sizes[key]}" + (f" of {most}" if most else ""))
    if facts.rss:
        phrases.append(f"RSS over {len(facts.rss)} queues")
    if facts.coalesce and (wait_us := facts.coalesce.get("rx-usecs")) is not None:
        phrases.append(f"rx-usecs {wait_us}")
    return phrases
