"""Overhead of the profile: its p50 compared with a loop of nothing but the same calls in bulk, on the same keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.measure import loops
from bpftop.kernel.measure.loops import Loop, Shape, Start, Subject
from bpftop.kernel.measure.program_loop import allowed_cpus
from bpftop.measure.maps.cell_turns import histogram
from bpftop.measure.pinned_threads import on_cpu
from tests.bench.figures import Figure
from tests.bench.priority import undisturbed

RATIO_MIN, RATIO_MAX = 0.95, 1.05

_ENTRIES, _POPULATION, _KEY_BYTES, _VALUE_BYTES = 10_000, 7_500, 8, 16  # the defaults of a profile
_OPERATIONS = (  # name, operation, batch, ns of a round: short, so that many rounds are not preempted
    ("lookup", loops.LOOKUP, 1, 100_000),
    ("update_existing", loops.UPDATE, 1, 100_000),
    ("get_next_key", loops.WALK, 1, 100_000),
    ("lookup_batch of 256", loops.LOOKUP_BATCH, 256, 1_500_000),  # a walk of the whole map, whose buckets differ
)
ROUNDS = 600
_UNDISTURBED = 0.1  # share of the rounds: the decile of the least times is free of preemption on a busy machine, too


@dataclass(frozen=True)
class Overhead:
    """An operation on a hash: the profile's p50, and ns per entry in bulk by a loop of nothing but the calls.

    Each is the mean of two lower deciles of rounds: of the rounds in which its loop came first, to keys that no loop
    has just touched, and of those in which it came second.
    """

    operation: str
    profiled_ns: float
    bare_ns: float

    @property
    def ratio(self) -> float:
        return self.profiled_ns / self.bare_ns


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Yield a ratio per operation. Raises BpftopError if a map cannot be made."""
    say("the profile's loop against a loop of nothing but the calls")
    with undisturbed():
        measured = overheads()
    for each in measured:
        how = (
            f"{each.profiled_ns:.1f} against {each.bare_ns:.1f} ns; lower deciles of {ROUNDS} rounds in turn, "
            "each loop first in every other round"
        )
        yield Figure("profile", f"profile, {each.operation}: p50 / bulk", each.ratio, "", RATIO_MAX, how, RATIO_MIN)


def overheads(rounds: int = ROUNDS) -> tuple[Overhead, ...]:
    """Measure all operations that have a bare loop, in a few seconds. Raises KernelError."""
    stop = Stop()
    return on_cpu(allowed_cpus()[-1], stop, lambda: tuple(_measured(stop, rounds)))


def _measured(stop: Stop, rounds: int) -> Iterator[Overhead]:
    for name, operation, batch, round_ns in _OPERATIONS:
        with bpf_map.create(bpf_map.HASH, _KEY_BYTES, _VALUE_BYTES, _ENTRIES) as made:
            shape = Shape(bpf_map.HASH, 0, _ENTRIES, _KEY_BYTES, _VALUE_BYTES, _POPULATION)
            subject = Subject(made, shape, 1, stop)
            subject.fill(1)
            loop = Loop(subject, operation, batch)
            loop.visit(loops.UNIFORM, 1, 0, _POPULATION, 1 << 16)
            pairs = _pairs(subject, loop, rounds, round_ns)
        yield Overhead(name, _both_orders([pair[0] for pair in pairs]), _both_orders([pair[1] for pair in pairs]))


def _both_orders(times_ns: Sequence[float]) -> float:
    """Return the mean of the lower deciles of the even rounds and of the odd rounds."""
    orders = (sorted(times_ns[::2]), sorted(times_ns[1::2]))
    return mean(order[int(_UNDISTURBED * len(order))] for order in orders)


def _pairs(subject: Subject, loop: Loop, rounds: int, round_ns: int) -> list[tuple[float, float]]:
    """Return the profile's p50 and the bare loop's ns per entry of each round, on the same keys.

    The two loops take turns in coming first, because the second finds the keys of the round in the caches.
    """
    clock_ticks, step_ns = loops.clock_ticks(), loops.clock_step_ns()
    pairs = []
    entries = 1
    for number in range(rounds + 1):
        begin, bare_ns = loop.place(), 0
        if number % 2:
            bare_ns = loops.bare_loop(subject, loop, entries)
        # Bare updates write values that the subject does not know; nothing reads them.
        outcome = loop.run(Start(1), round_ns, clock_ticks, number + 2)
        assert outcome.fault is None, outcome.fault
        if not number % 2:
            end, entries = loop.place(), outcome.times.entries
            loop.go_to(begin)
            bare_ns = loops.bare_loop(subject, loop, entries)
            loop.go_to(end)
        summary = histogram(outcome.times).summary(step_ns / loop.c.batch)
        assert summary is not None
        if number:  # the first round warms up
            pairs.append((summary.p50_ns, bare_ns / entries))
    return pairs
