"""What can be chosen in the profile pane: a few sensible values per axis. Everything else is for the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bpftop.measure.maps.geometry import KINDS
from bpftop.measure.maps.plan import ACCESSES, SWEEP, MeasureRequest
from bpftop.model.units import compact


@dataclass(frozen=True)
class Axis:
    """``name`` is what the cursor is on, ``wish`` the field of a Wish, ``values`` the words and what they stand for."""

    name: str
    wish: str
    values: tuple[tuple[str, tuple[Any, ...]], ...]
    usual: int

    @property
    def width(self) -> int:
        return max(len(word) for word, _ in self.values)


Choices = Mapping[str, int]
"""Name of an axis -> which of its values is chosen."""

_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("array, hash", ("array", "hash")),
    ("and per CPU", ("array", "percpu_array", "hash", "percpu_hash")),
    ("hashes", ("hash", "hash_no_prealloc", "percpu_hash", "lru_hash", "lru_percpu_hash")),
    (f"all {len(KINDS)}", tuple(KINDS)),
    *((name, (name,)) for name in KINDS),
)


def axes(cpus: int) -> tuple[Axis, ...]:
    """The axes on a machine where so many threads can be pinned."""
    crowds = sorted({*(1 << bit for bit in range(cpus.bit_length())), cpus})
    return (
        Axis("types", "kinds", _KINDS, 0),
        Axis("entries", "entries", tuple((compact(n), (n,)) for n in (100, 1000, 10_000, 100_000, 1_000_000)), 2),
        Axis("value size", "value_bytes", tuple((f"{n} B", (n,)) for n in (4, 8, 16, 64, 256, 1024)), 2),
        Axis("fill", "fills_pct", tuple((f"{n} %", (float(n),)) for n in (10, 25, 50, 75, 90, 100)), 3),
        Axis("access", "accesses", tuple((name, (name,)) for name in ACCESSES), list(ACCESSES).index("uniform")),
        Axis("batch", "batches", (("sweep", ()), *((str(n), (n,)) for n in SWEEP)), 0),
        Axis("threads", "threads", tuple((str(n), (n,)) for n in crowds if n <= cpus), 0),
    )


def usual(every: Sequence[Axis]) -> Choices:
    return {axis.name: axis.usual for axis in every}


def turned(every: Sequence[Axis], choices: Choices, name: str, steps: int) -> Choices:
    """The next value of this axis, or the one before; round and round."""
    axis = next(axis for axis in every if axis.name == name)
    return {**choices, name: (choices[name] + steps) % len(axis.values)}


def wish(every: Sequence[Axis], choices: Choices) -> MeasureRequest:
    asked: dict[str, Any] = {axis.wish: axis.values[choices[axis.name]][1] for axis in every}
    return MeasureRequest(**asked)
