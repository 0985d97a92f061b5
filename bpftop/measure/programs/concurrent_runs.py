"""Test runs of a program on several CPUs at once, and the choice of undisturbed times."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.bpf.program import Program
from bpftop.kernel.measure.timed_runs import Request, Turn, take_turns
from bpftop.measure.pinned_threads import run_pinned

_NUMBER_STEP = 0x9E3779B9  # distance between the first numbers of two threads
_RUNNING = 0.9  # share of CPU time in a turn; below, the thread was preempted


def run_on_cpus(
    program: Program, request: Request, cpus: Sequence[int], window_ns: int, stop: Stop
) -> list[list[Turn]]:
    """Run the program on each of these CPUs at the same time for a window.

    Return the turns of each CPU, at least one, in the order of ``cpus``. An interrupt of the caller ends the threads
    first. Raises KernelError, and Stopped if ``stop`` is set.
    """
    until_ns = 0

    def begin() -> None:
        nonlocal until_ns
        until_ns = time.monotonic_ns() + window_ns

    start = threading.Barrier(len(cpus), begin)

    def take(number: int) -> list[Turn]:
        start.wait()
        return take_turns(program, request.with_number(_NUMBER_STEP * number), until_ns, stop)

    work = [lambda number=number: take(number) for number in range(1, len(cpus) + 1)]
    return run_pinned(work, cpus, stop, start.abort)


def undisturbed(turns: Sequence[Sequence[Turn]]) -> list[Turn]:
    """Return the turns during which every CPU ran the program without preemption.

    A preempted thread looks slow, and the others run without contention meanwhile. On two CPUs under load this choice
    reduced the spread of medians from 100 % and more to 5 %. Without an undisturbed turn, return the turns during which
    all CPUs were active, or else all turns.
    """
    begin_ns = max(each[0].begin_ns for each in turns)
    end_ns = min(each[-1].end_ns for each in turns)
    everything = [turn for each in turns for turn in each]
    common = [turn for turn in everything if begin_ns <= turn.begin_ns and turn.end_ns <= end_ns]
    away = _merged((turn.begin_ns, turn.end_ns) for turn in everything if turn.cpu_ns < _RUNNING * turn.ns)
    return [turn for turn in common if not _touches(away, turn)] or common or everything


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Merge overlapping spans; the result is in order."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged


def _touches(spans: Sequence[tuple[int, int]], turn: Turn) -> bool:
    after = bisect_left(spans, (turn.end_ns, 0))
    return after > 0 and spans[after - 1][1] > turn.begin_ns
