"""Suite ``tracing``: programs at a kprobe and at a tracepoint, attached and timed by the kernel's run statistics.

BPF_PROG_TEST_RUN refuses both types. The hook is the system call getpgid, which hardly anything else calls. The run
statistics cover the program, not the trap of the kprobe.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.check import KernelError
from bpftop.kernel.measure.contend import Stopped
from bpftop.kernel.measure.program_object import BenchObject
from bpftop.kernel.measure.run_stats import ProgramOnHook, RunStats
from bpftop.measure.conditions import bench_cpus, permitted
from bpftop.measure.pinned_threads import on_cpu
from bpftop.measure.programs.costs import (
    TRACING_BUDGET,
    ProgramRow,
    Skipped,
    SuiteProgress,
    SuiteTable,
    budget_share,
    cost,
)
from bpftop.measure.programs.rounds import run_rounds

ROUNDS = 9
CALLS = 2_000
"""System calls of a round, for each hook."""

_OBJECT = "bench_tracing"
HOOKS = {
    "kprobe": "a kprobe on getpgid: count calls in an array with a value per CPU",
    "tracepoint": "a tracepoint at the entry of getpgid: the same",
}


@dataclass
class _Contender:
    """The counting program of a hook and the empty program, both attached, with their times per run."""

    name: str
    counting: ProgramOnHook
    empty: ProgramOnHook
    times_ns: tuple[list[float], list[float]]

    def measure(self, stop: Stop) -> None:
        """Make the system calls of a round on one CPU. Both programs run in each call."""
        programs = (self.counting, self.empty)
        before = [each.runs() for each in programs]
        on_cpu(bench_cpus()[0], stop, _call)
        for each, (runs, ns), times in zip(programs, before, self.times_ns, strict=True):
            runs_now, ns_now = each.runs()
            times.append((ns_now - ns) / max(1, runs_now - runs))


def _call() -> None:
    for _ in range(CALLS):
        os.getpgid(0)


class Tracing:
    """The suite ``tracing``."""

    name = "tracing"
    title = "A counter at a kprobe and at a tracepoint, by the kernel's run statistics, ns per run"
    unit = "run"
    expected_s = 0.3

    def contestants(self) -> Iterator[tuple[str, str]]:
        yield from HOOKS.items()

    def run(self, stop: Stop) -> Generator[SuiteProgress, None, None]:
        return run_rounds(_TracingRace(), ROUNDS, stop)


class _TracingRace:
    """A run of the suite."""

    def __init__(self) -> None:
        self._contenders: list[_Contender] = []
        self._skipped: list[Skipped] = []

    def load(self, stack: ExitStack, stop: Stop) -> None:
        """Load and attach the programs. A hook that this kernel lacks is skipped. Raises Stopped, BpftopError."""
        stack.callback(permitted(RunStats).close)
        for hook in HOOKS:
            if stop.is_set():
                raise Stopped
            try:
                programs = [_attached(stack, f"{hook}_{body}") for body in ("count", "empty")]
            except KernelError as error:
                self._skipped.append(Skipped(hook, str(error)))
            else:
                self._contenders.append(_Contender(hook, programs[0], programs[1], ([], [])))

    def round(self, stop: Stop) -> None:
        if stop.is_set():
            raise Stopped
        for contender in self._contenders:
            contender.measure(stop)

    def table(self, partial: bool) -> SuiteTable:
        rows = tuple(
            ProgramRow(each.name, HOOKS[each.name], (cost(1, *each.times_ns),))
            for each in self._contenders
            if each.times_ns[0]
        )
        empty = [f"{median(each.times_ns[1]):.1f} ns" for each in self._contenders if each.times_ns[1]]
        return SuiteTable(
            Tracing.name,
            Tracing.title,
            Tracing.unit,
            rows,
            rows[0].name if rows else "kprobe",
            "" if partial else _sentences(rows),
            tuple(self._skipped),
            f"an empty program, most of it the clock readings of the statistics: {', '.join(empty)}" if empty else "",
            TRACING_BUDGET,
            partial,
        )


def _attached(stack: ExitStack, name: str) -> ProgramOnHook:
    loaded = permitted(BenchObject, _OBJECT, (name,))
    stack.callback(loaded.close)
    attached = ProgramOnHook(loaded, name)
    stack.callback(attached.close)
    return attached


def _sentences(rows: Sequence[ProgramRow]) -> str:
    if not rows:
        return "No verdict: this kernel refused both hooks."
    words = []
    for row in rows:
        known = row.alone.is_measurable
        takes = (
            f"takes {row.ns:.1f} ns, {budget_share(row.ns, TRACING_BUDGET)}" if known else "takes too little to tell"
        )
        words.append(f"By run statistics, a counter at a {row.name} {takes}.")
    return " ".join(words)
