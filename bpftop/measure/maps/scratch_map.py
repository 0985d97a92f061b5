"""Scratch map under test, filled with known keys and values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TypeVar

from bpftop.errors import UsageError
from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.measure import loops
from bpftop.kernel.measure.loops import Loop, LoopFault, Subject
from bpftop.measure.maps import geometry as geometries
from bpftop.measure.maps.geometry import Geometry
from bpftop.measure.maps.plan import ACCESSES, OPERATIONS, OWN_KEYS, WALKS, Cell, MeasurePlan
from bpftop.measure.maps.results import WrongValue
from bpftop.measure.pinned_threads import on_cpu, run_pinned

T = TypeVar("T")

# Steps in an order of keys: enough to visit many places of a large map.
_ORDER_MIN, _ORDER_MAX = 1 << 16, 1 << 20
# Keys that are deleted at any time during update_new and delete: many, so that a deleted key has left the caches before
# its insertion, but few enough to keep the requested fill.
_WINDOW_SHARE, _WINDOW_MAX = 8, 1 << 16
# Limits for a batch that grows because of ENOSPC. A bucket of 256 keys does not happen by chance.
_GROWTH, _GROWTH_MIN = 16, 256


class Scratch:
    """A map of one geometry of a plan. Raises KernelError if the map cannot be made or filled."""

    def __init__(self, geometry: Geometry, plan: MeasurePlan, stop: Stop) -> None:
        self.geometry, self.plan, self.stop = geometry, plan, stop
        self._generation = 0
        self._held = ExitStack()
        g = geometry
        real_keys = plan.live.real_keys if plan.live is not None else b""
        try:
            self.map = self._held.enter_context(
                bpf_map.create(g.type, g.key_bytes, g.value_bytes, g.entries, g.flags, "bpftop_scratch")
            )
            self.subject = self.on_cpu(lambda: Subject(self.map, g, plan.request.seed, stop, real_keys))
            if self.subject.keys_made < self.subject.universe and not stop.is_set():
                raise UsageError(
                    f"{geometries.words(g)}: only {self.subject.keys_made} keys differ; choose fewer entries"
                )
            self.fill()
        except BaseException:
            self._held.close()
            raise

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the map."""
        self._held.close()

    def generation(self) -> int:
        """Return a number that no value in the map has had yet."""
        self._generation += 1
        return self._generation

    def on_cpu(self, piece: Callable[[], T]) -> T:
        """Run one piece of work on the CPU of single-threaded cells; the caller can be interrupted meanwhile."""
        return on_cpu(self.plan.pinned(1)[0], self.stop, piece)

    def fill(self, again: bool = False) -> None:
        """Write the missing keys, or with ``again`` all keys."""
        generation, population = self.generation(), self.geometry.population
        # An LRU map with lists per CPU gives each CPU only its own share of the entries.
        cpus = self.plan.cpus if self.geometry.flags & bpf_map.NO_COMMON_LRU else self.plan.pinned(1)
        each = -(-population // len(cpus))
        parts = [range(first, min(first + each, population)) for first in range(0, population, each)]

        def filling(part: range) -> Callable[[], int]:
            return lambda: self.subject.fill(generation, part.start, len(part), again)

        run_pinned([filling(part) for part in parts], cpus[: len(parts)], self.stop)

    def loops(self, cell: Cell) -> list[Loop]:
        """Return a loop for each thread of a cell from user space."""
        batch = cell.batch or 1
        steady = cell.threads == 1 or cell.operation in WALKS - OWN_KEYS
        limit = min(max(_GROWTH * batch, _GROWTH_MIN), max(batch, self.geometry.population))
        made = [Loop(self.subject, OPERATIONS[cell.operation], batch, limit, steady) for _ in range(cell.threads)]
        if cell.operation not in WALKS:
            self.on_cpu(lambda: self.send(cell, made, _ORDER_MIN, _ORDER_MAX))
        return made

    def send(self, cell: Cell, team: Sequence[Loop], least: int, most: int, block: int = 1) -> None:
        """Set the keys and their order for each loop of a cell, in ``least`` to ``most`` steps.

        Steps and windows are multiples of ``block``. Each thread has at least ``block`` keys.
        """
        population, seed = self.geometry.population, self.plan.request.seed
        for thread, loop in enumerate(team):
            if cell.operation in OWN_KEYS:
                own = population // len(team)
                order = loops.SEQUENTIAL if cell.access == "sequential" else loops.SHUFFLED
                steps = own // block * block
                window = 0
                if cell.batch is None:
                    window = min(own // _WINDOW_SHARE, _WINDOW_MAX, steps - block) // block * block
                loop.visit(order, seed + thread, thread * own, steps, steps, 0, window)
                continue
            steps = min(max(least, 1 << (population - 1).bit_length()), most) // block * block
            start = thread * steps // len(team) // block * block if cell.access == "sequential" else 0
            loop.visit(ACCESSES[cell.access], seed + thread, 0, population, steps, start)

    def verify(self, own: object = None, cpus: Sequence[int] = ()) -> tuple[int, int]:
        """Read all keys back. Return the numbers of compared values and of evicted keys. Raises WrongValue."""
        checked, missed, fault = self.on_cpu(lambda: self.subject.verify(own, cpus))
        if fault is not None:
            self.blame("reading back", fault)
        return checked, missed

    def blame(self, what: str, fault: LoopFault) -> None:
        """Raise WrongValue: figures of a map that returns wrong values are worthless."""
        raise WrongValue(
            f"{geometries.words(self.geometry)}, {what}: {fault.sentence()}; all figures of this run are worthless: "
            "please report it with what `uname -r` prints"
        )
