"""The machine and its devices as objects of the snapshot document, and a device as a line of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpftop.model.device import DeviceFacts
from bpftop.model.json_dump import json_value
from bpftop.model.snapshot import Snapshot

if TYPE_CHECKING:
    from bpftop.export.snapshot.snapshot_types import DeviceObject, HostObject


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
    device: DeviceObject = json_value(facts)
    return {**device, "unreadable": [{"part": part, "reason": why} for part, why in facts.unreadable.items()]}


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
