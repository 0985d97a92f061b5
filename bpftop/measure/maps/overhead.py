"""Overhead of the profile: its loop compared with a loop of nothing but the calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.measure import loops
from bpftop.kernel.measure.loops import TICKS_PER_NS, Loop, Shape, Start, Subject
from bpftop.kernel.measure.program_loop import allowed_cpus
from bpftop.measure.pinned_threads import on_cpu

LIMIT_PCT = 5.0

_ENTRIES, _POPULATION, _KEY_BYTES, _VALUE_BYTES = 10_000, 7_500, 8, 16  # the defaults of a profile
_OPERATIONS = (
    ("lookup", loops.LOOKUP, 1),
    ("update_existing", loops.UPDATE, 1),
    ("get_next_key", loops.WALK, 1),
    ("lookup_batch of 256", loops.LOOKUP_BATCH, 256),
)
_ROUNDS = 60
_ROUND_NS = 1_000_000  # shorter than a time slice, so that some rounds are not preempted


@dataclass(frozen=True)
class Overhead:
    """An operation on a hash: ns per entry in a profile, and in a loop of nothing but the calls.

    Both are the mean of the best of several alternating rounds, so that other work on this CPU is in neither.
    """

    operation: str
    profiled_ns: float
    bare_ns: float

    @property
    def added_pct(self) -> float:
        """Return the excess of the profile's figure over the bare one, in percent."""
        return 100 * (self.profiled_ns / self.bare_ns - 1)


def measure() -> tuple[Overhead, ...]:
    """Measure all operations with a bare loop, in about a second. Raises KernelError."""
    stop = Stop()
    return on_cpu(allowed_cpus()[-1], stop, lambda: tuple(_measured(stop)))


def _measured(stop: Stop) -> Iterator[Overhead]:
    clock_ticks = loops.clock_ticks()
    for name, operation, batch in _OPERATIONS:
        with bpf_map.create(bpf_map.HASH, _KEY_BYTES, _VALUE_BYTES, _ENTRIES) as made:
            shape = Shape(bpf_map.HASH, 0, _ENTRIES, _KEY_BYTES, _VALUE_BYTES, _POPULATION)
            subject = Subject(made, shape, 1, stop)
            subject.fill(1)
            yield _overhead(name, subject, operation, batch, clock_ticks)


def _overhead(name: str, subject: Subject, operation: int, batch: int, clock_ticks: int) -> Overhead:
    loop = Loop(subject, operation, batch)
    loop.visit(loops.UNIFORM, 1, 0, _POPULATION, 1 << 16)
    profiled, bare = [], []
    for number in range(_ROUNDS):
        # Bare updates write values that the subject does not know; nothing reads them.
        outcome = loop.run(Start(1), _ROUND_NS, clock_ticks, number + 2)
        assert outcome.fault is None, outcome.fault
        profiled.append(outcome.times.ticks / TICKS_PER_NS / outcome.times.entries)
        entries = max(batch, outcome.times.entries)
        bare.append(loops.bare_loop(subject, operation, loop, entries, batch) / entries)
    return Overhead(name, min(profiled), min(bare))
