"""The counters of an interface from rtnetlink, and the device below it."""

from __future__ import annotations

from array import array
from functools import cache

from bpftop.kernel.net.netdev import Device
from bpftop.model.readings import NONE_MISSING
from bpftop.model.sample import FAMILIES, Key, Reading


def links_reading(
    label: str, device: Device, read_ns: int, cost_ns: int, epoch: int, before: Reading | None = None
) -> Reading:
    """Return the reading of family links of one interface. Counters that an older kernel lacks are missing.

    It shares its values with the reading ``before`` while they are the same.
    """
    columns = FAMILIES["links"].columns
    values = array("Q", [device.counters.get(column, 0) for column in columns])
    missing = frozenset([i for i, column in enumerate(columns) if column not in device.counters]) or NONE_MISSING
    if before is not None and before.values == values and before.missing == missing:
        values, missing = before.values, before.missing
    return Reading("links", read_ns, cost_ns, epoch, _keys(label), values, missing)


@cache
def _keys(label: str) -> tuple[Key, ...]:
    """Return the keys of every reading of an interface: always the same object, as Reading requires."""
    return ((label,),)


def lower_here(device: Device) -> int | None:
    """Return the ifindex of the device below in this namespace that carries the frames; a veth's peer does not."""
    return None if device.lower_elsewhere or device.kind == "veth" else device.lower
