"""One tick of the sampler: the parts of its sample, and when the next tick is due."""

from __future__ import annotations

import time

from bpftop.fields import field, mutable
from bpftop.model.sample import Interface, Reading


@mutable
class Tick:
    """The parts of a sample that is being taken, and the time at which the maps were read."""

    interfaces: list[Interface] = field(default_factory=list)
    readings: dict[str, Reading] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    wall_ns: int = 0
    mono_ns: int = 0

    def add(self, readings: dict[str, Reading], unavailable: dict[str, str]) -> None:
        self.readings.update(readings)
        self.unavailable.update(unavailable)


def next_due_ns(due_ns: int, gap_ns: int) -> int:
    """Return the first time that is a multiple of the gap after ``due_ns`` and at least half a gap away.

    Two samples at nearly the same time would make wild rates.
    """
    earliest_ns = time.monotonic_ns() + gap_ns // 2
    due_ns += gap_ns
    return due_ns + max(0, -((due_ns - earliest_ns) // gap_ns)) * gap_ns
