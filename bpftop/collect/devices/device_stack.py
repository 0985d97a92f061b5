"""The devices below each watched interface: ports, legs, the device under a VLAN, through devices not watched."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from bpftop.collect.devices.rtnetlink_counters import lower_here
from bpftop.fields import replace
from bpftop.kernel.net.netdev import Device
from bpftop.model.sample import Interface

EVERY_S = 5.0
"""Seconds between two dumps of the devices: a dump of 300 devices takes some milliseconds."""


class DeviceStack:
    """Adds ``below`` to interfaces. ``list_devices`` lists the devices of the namespace; it may raise OSError.

    With one interface nothing is added up, and nothing is read.
    """

    def __init__(self, list_devices: Callable[[], Sequence[Device]]) -> None:
        self._list_devices = list_devices
        self._due_ns = 0
        self._below: dict[int, tuple[int, ...]] = {}

    def with_below(self, interfaces: Sequence[Interface]) -> tuple[Interface, ...]:
        """Return the interfaces, each with the indexes of the devices below it."""
        if len(interfaces) > 1 and time.monotonic_ns() >= self._due_ns:
            self._due_ns = time.monotonic_ns() + int(EVERY_S * 1e9)
            try:
                self._below = devices_below(self._list_devices())
            except OSError:  # the next dump may succeed; the watched interfaces' own fields still tell their masters
                self._below = {}
        return tuple(
            replace(interface, below=self._below[interface.ifindex])
            if self._below.get(interface.ifindex)
            else interface
            for interface in interfaces
        )


def devices_below(devices: Sequence[Device]) -> dict[int, tuple[int, ...]]:
    """Return ifindex -> the indexes of all devices that carry its frames, the nearest first."""
    direct: dict[int, list[int]] = {device.ifindex: [] for device in devices}
    for device in devices:
        lower = lower_here(device)
        if lower and lower != device.ifindex:
            direct[device.ifindex].append(lower)
        if device.master in direct:
            direct[device.master].append(device.ifindex)
    return {ifindex: _reach(ifindex, direct) for ifindex in direct}


def _reach(top: int, direct: dict[int, list[int]]) -> tuple[int, ...]:
    reached = list(direct[top])
    for ifindex in reached:
        reached += [below for below in direct.get(ifindex, ()) if below not in reached and below != top]
    return tuple(dict.fromkeys(reached))
