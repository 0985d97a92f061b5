"""What of a snapshot document somebody has set, or built in: flat, so that two machines or weeks can be compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bpftop.export.snapshot.document import Object

FEATURES = "features"
"""The setting that is the names of all features that are on."""

_OF_INTERFACE = ("driver", "mtu", "speed_bits_per_sec")
_OF_DEVICE = ("firmware", "numa_node")
_TABLES = ("ring", "channels", "coalesce")


class Setting(NamedTuple):
    """``interface`` is empty for what is the machine's."""

    interface: str
    name: str


def settings(document: Object) -> dict[Setting, str]:
    """What is known of them, as text. Raises KeyError and TypeError where this is no snapshot document."""
    found = {Setting("", name): value for name, value in _of_host(document["host"])}
    for one in document["interfaces"]:
        found.update({Setting(str(one["label"]), name): value for name, value in _of_interface(one)})
    return {setting: str(value) for setting, value in found.items() if value is not None}


def _of_host(host: Object) -> Iterator[tuple[str, object]]:
    yield "kernel", host.get("kernel")
    yield "online CPUs", len(host["online_cpus"])
    yield from (host.get("sysctls") or {}).items()


def _of_interface(one: Object) -> Iterator[tuple[str, object]]:
    for name in _OF_INTERFACE:
        yield name, one[name]
    for direction, hook in one["hooks"].items():
        yield f"{direction} hook", " ".join(filter(None, (hook["hook"], hook["mode"])))
    device = one.get("device") or {}
    for name in _OF_DEVICE:
        yield name, device.get(name)
    for table in _TABLES:
        for name, value in (device.get(table) or {}).items():
            yield f"{table} {name}", value
    if device.get("features") is not None:
        yield FEATURES, " ".join(device["features"])
    if device.get("rss") is not None:
        yield "RSS", ", ".join(f"queue {queue}: {entries}" for queue, entries in device["rss"].items())
