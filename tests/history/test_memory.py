"""Memory of the history and of the checks on many interfaces: bytes that Python has allocated, on any machine."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace

from bpftop.history.history import History
from bpftop.model.sample import Sample
from bpftop.rules.table import chosen
from tests import samples
from tests.rules.world import World

FEW, MANY = 5, 45
TICKS = 90
BYTES_PER_INTERFACE = 17 << 10
"""All that these rooms keep: 15 KiB. It was 22 KiB while each past sample had readings of its own."""

KEEPERS = [tracemalloc.Filter(True, f"*/bpftop/{room}/*") for room in ("history", "model", "rules")]
PACKED = [tracemalloc.Filter(False, "*/bpftop/history/packing.py")]
"""Packed samples have a budget for all interfaces together."""


def sharing(sample: Sample, before: Sample) -> Sample:
    """Return the sample with the values of the sample before where they are equal, as the collectors return them."""
    readings = {}
    for name, reading in sample.readings.items():
        old = before.readings[name]
        same = replace(reading, keys=old.keys, values=old.values)
        readings[name] = same if (old.keys, old.values) == (reading.keys, reading.values) else reading
    return replace(sample, readings=readings)


def kept_bytes(interfaces: int, ticks: int) -> int:
    """Return the bytes that these rooms have allocated after some ticks; one of the interfaces has traffic."""
    names = [f"eth{number}" for number in range(interfaces)]
    world = World(*[samples.interface(name, ifindex=at, hooks=samples.HOOKS) for at, name in enumerate(names, 2)])
    world.frames("protocols", 6, pps=900)
    for name in names:
        world.frames("protocols", 58, pps=0, label=name)
    before = world.sample()
    gc.collect()
    tracemalloc.start()
    try:
        history = History(chosen())
        for _ in range(ticks):
            before = sharing(world.advance(), before)
            history.push(before)
        gc.collect()
        kept = tracemalloc.take_snapshot().filter_traces(KEEPERS).filter_traces(PACKED)
        return sum(trace.size for trace in kept.traces)
    finally:
        tracemalloc.stop()


def test_an_idle_interface_takes_little_memory() -> None:
    kept_bytes(MANY, 3)  # imports and caches
    few, many = kept_bytes(FEW, TICKS), kept_bytes(MANY, TICKS)
    assert (many - few) / (MANY - FEW) < BYTES_PER_INTERFACE
