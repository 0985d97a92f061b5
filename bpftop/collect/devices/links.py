"""An interface as rtnetlink tells it: its totals as a reading, and what it is."""

from __future__ import annotations

from array import array
from functools import cache

from bpftop.kernel.net.netdev import Device
from bpftop.model.sample import FAMILIES, Key, Reading


def links_reading(label: str, device: Device, read_ns: int, cost_ns: int, epoch: int) -> Reading:
    """The family "links" of one interface. Counters that an older kernel does not have are missing."""
    columns = FAMILIES["links"].columns
    values = array("Q", [device.counters.get(column, 0) for column in columns])
    missing = frozenset(i for i, column in enumerate(columns) if column not in device.counters)
    return Reading("links", read_ns, cost_ns, epoch, _keys(label), values, missing)


@cache
def _keys(label: str) -> tuple[Key, ...]:
    """The same object for every reading, as Reading wants it."""
    return ((label,),)


def lower_here(device: Device) -> int | None:
    """The ifindex of the device below, where it is one of this namespace that carries the frames (a veth's peer does
    not)."""
    return None if device.lower_elsewhere or device.kind == "veth" else device.lower
