"""The settings in a snapshot document, as flat text, to compare two machines or two weeks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from bpftop.export.snapshot.snapshot_types import HostObject, InterfaceObject, SnapshotDocument


FEATURES = "features"
"""The setting that lists all features that are on."""

_OF_INTERFACE: tuple[Literal["driver", "mtu", "speed_bits_per_sec"], ...] = ("driver", "mtu", "speed_bits_per_sec")
_OF_DEVICE = ("firmware", "numa_node")
_TABLES = ("ring", "channels", "coalesce")


class Setting(NamedTuple):
    """The name of a setting. ``interface`` is empty for settings of the machine."""

    interface: str
    name: str


def settings(document: SnapshotDocument) -> dict[Setting, str]:
    """Return the known settings as text. Raises KeyError and TypeError where members of the document are missing."""
    values = {Setting("", name): value for name, value in _of_host(document["host"])}
    for interface in document["interfaces"]:
        values.update({Setting(str(interface["label"]), name): value for name, value in _of_interface(interface)})
    return {setting: str(value) for setting, value in values.items() if value is not None}


def _of_host(host: HostObject) -> Iterator[tuple[str, object]]:
    yield "kernel", host.get("kernel")
    yield "online CPUs", len(host["online_cpus"])
    yield from (host.get("sysctls") or {}).items()


def _of_interface(interface: InterfaceObject) -> Iterator[tuple[str, object]]:
    for property in _OF_INTERFACE:
        yield property, interface[property]
    for direction, hook in interface["hooks"].items():
        yield f"{direction} hook", " ".join(filter(None, (hook["hook"], hook["mode"])))
    device: Mapping[str, Any] = interface.get("device") or {}
    for name in _OF_DEVICE:
        yield name, device.get(name)
    for table in _TABLES:
        for name, value in (device.get(table) or {}).items():
            yield f"{table} {name}", value
    if device.get("features") is not None:
        yield FEATURES, " ".join(device["features"])
    if device.get("rss") is not None:
        yield "RSS", ", ".join(f"queue {queue}: {entries}" for queue, entries in device["rss"].items())
