"""The choices of the pane Profile: a few sensible values per axis. The command line offers every value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bpftop.measure.machine import cpu_counts
from bpftop.measure.maps.geometry import KINDS
from bpftop.measure.maps.plan import ACCESSES, SWEEP, MeasureRequest
from bpftop.model.units import compact


@dataclass(frozen=True)
class Axis:
    """One property that can be chosen."""

    name: str
    field: str
    """Field of MeasureRequest that the axis sets."""
    values: tuple[tuple[str, tuple[Any, ...]], ...]
    """Word on the screen -> value of the field."""
    usual: int
    """Index of the value chosen at the start."""


MapChoices = Mapping[str, int]
"""Name of an axis -> index of the chosen value."""

_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("array, hash", ("array", "hash")),
    ("and per CPU", ("array", "percpu_array", "hash", "percpu_hash")),
    ("hashes", ("hash", "hash_no_prealloc", "percpu_hash", "lru_hash", "lru_percpu_hash")),
    (f"all {len(KINDS)}", tuple(KINDS)),
    *((name, (name,)) for name in KINDS),
)


def axes(cpus: int) -> tuple[Axis, ...]:
    """Return the axes for a machine on which ``cpus`` threads can be pinned."""
    return (
        Axis("types", "kinds", _KINDS, 0),
        Axis("entries", "entries", tuple((compact(n), (n,)) for n in (100, 1000, 10_000, 100_000, 1_000_000)), 2),
        Axis("value size", "value_bytes", tuple((f"{n} B", (n,)) for n in (4, 8, 16, 64, 256, 1024)), 2),
        Axis("fill", "fills_pct", tuple((f"{n} %", (float(n),)) for n in (10, 25, 50, 75, 90, 100)), 3),
        Axis("access", "accesses", tuple((name, (name,)) for name in ACCESSES), list(ACCESSES).index("uniform")),
        Axis("batch", "batches", (("sweep", ()), *((str(n), (n,)) for n in SWEEP)), 0),
        Axis("threads", "threads", tuple((str(n), (n,)) for n in cpu_counts(cpus)), 0),
    )


def usual(axes: Sequence[Axis]) -> MapChoices:
    """Return the choices at the start."""
    return {axis.name: axis.usual for axis in axes}


def next_choice(axes: Sequence[Axis], choices: MapChoices, name: str, steps: int) -> MapChoices:
    """Return the choices with the axis ``name`` turned by ``steps`` values, round and round."""
    axis = next(axis for axis in axes if axis.name == name)
    return {**choices, name: (choices[name] + steps) % len(axis.values)}


def request_of(axes: Sequence[Axis], choices: MapChoices) -> MeasureRequest:
    """Return the request that measures the choices."""
    fields: dict[str, Any] = {axis.field: axis.values[choices[axis.name]][1] for axis in axes}
    return MeasureRequest(**fields)
