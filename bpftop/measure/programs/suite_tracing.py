"""Suite ``tracing``: programs at a kprobe and at tracepoints, attached and timed by the kernel's run statistics.

BPF_PROG_TEST_RUN does not time these types. The hook is the system call getpgid, which hardly anything else calls; of
the raw tracepoint it is every system call of the machine. The run statistics cover the program, not the trap of the
kprobe.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.measure.run_stats import ProgramOnHook, enable_run_stats
from bpftop.kernel.return_code import KernelError
from bpftop.measure.pinned_threads import on_cpu
from bpftop.measure.programs.costs import TRACING_BUDGET, ProgramRow, Skipped, budget_share
from bpftop.measure.programs.loading import load_object, missing_privileges_named
from bpftop.measure.programs.suite import Contestant, Suite

CALLS = 2_000
"""System calls of a round, for each hook."""

_OBJECT = "bench_tracing"
HOOKS = {
    "kprobe": "a kprobe on getpgid: count calls in an array with a value per CPU",
    "tracepoint": "a tracepoint at the entry of getpgid: the same",
    "raw tracepoint": "the raw tracepoint at the entry of each system call: the same",
}


@dataclass
class _Hook:
    """The counting program and the empty program of a hook, both attached: each system call runs both."""

    counting: ProgramOnHook
    empty: ProgramOnHook
    counting_ns: float = 0.0

    def measure_empty(self, cpus: Sequence[int], stop: Stop) -> float:
        """Make the system calls of a round. Return the time of the empty program; store the other program's."""
        programs = (self.empty, self.counting)
        before = [each.runs() for each in programs]
        on_cpu(cpus[0], stop, _call)
        after = [each.runs() for each in programs]
        empty_ns, self.counting_ns = (
            (ns_now - ns) / max(1, runs_now - runs)
            for (runs, ns), (runs_now, ns_now) in zip(before, after, strict=True)
        )
        return empty_ns

    def measure(self, cpus: Sequence[int], stop: Stop) -> float:
        return self.counting_ns


def _call() -> None:
    for _ in range(CALLS):
        os.getpgid(0)


@dataclass(frozen=True)
class Tracing(Suite):
    """The suite ``tracing``."""

    @property
    def expected_s(self) -> float:
        return 0.3

    def contestants(self) -> Iterator[tuple[str, str]]:
        yield from HOOKS.items()

    def load(self, stack: ExitStack, stop: Stop) -> Iterator[Contestant | Skipped]:
        """Load and attach the programs. A hook that this kernel lacks is skipped."""
        with missing_privileges_named():
            stack.callback(enable_run_stats().close)
        for name, what in HOOKS.items():
            try:
                program = name.replace(" ", "_")
                hook = _Hook(_attached(stack, f"{program}_count"), _attached(stack, f"{program}_empty"))
            except KernelError as error:
                yield Skipped(name, str(error))
            else:
                yield Contestant(name, what, hook.measure, hook.measure_empty)

    def verdict(self, rows: Sequence[ProgramRow]) -> str:
        if not rows:
            return "No verdict: this kernel refused all hooks."
        words = []
        for row in rows:
            takes = f"takes {row.ns:.1f} ns, {budget_share(row.ns, TRACING_BUDGET)}"
            known = row.alone.is_measurable
            words.append(f"a counter at a {row.name} {takes if known else 'takes too little to tell'}.")
        return " ".join(f"By run statistics, {each}" for each in words)

    def taken_off(self, empty_ns: Sequence[float]) -> str:
        empty = ", ".join(f"{ns:.1f} ns" for ns in empty_ns)
        return f"an empty program, most of it the clock readings of the statistics: {empty}" if empty else ""


TRACING = Tracing(
    "tracing",
    "A counter at a kprobe and at tracepoints, by the kernel's run statistics, ns per run",
    unit="run",
    budget=TRACING_BUDGET,
)


def _attached(stack: ExitStack, name: str) -> ProgramOnHook:
    loaded = load_object(stack, _OBJECT, (name,))
    attached = ProgramOnHook(loaded, name)
    stack.callback(attached.close)
    return attached
