"""Cost of starting: open, verify and load each counting program."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median

from bpftop.kernel.bpf.object import BpfObject
from tests.bench.figures import Figure
from tests.bench.packets import CONTENDERS

ROUNDS = 9
LIMIT_INSNS = 20_000
LIMIT_MS = 40


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Instructions that the verifier looked at; from opening an object to the loaded program. Raises KernelError."""
    say("load time")
    took_ms: dict[str, list[float]] = {}
    insns: dict[str, int] = {}
    for _ in range(ROUNDS):
        for contender in CONTENDERS:
            start_ns = time.perf_counter_ns()
            counter = BpfObject("counter", contender.program, contender.constants)
            name = f"{contender.program} {contender.direction}"
            took_ms.setdefault(name, []).append((time.perf_counter_ns() - start_ns) / 1e6)
            insns[name] = counter.program.info().verified_insns
            counter.close()
    for name, verified in insns.items():
        yield Figure("loading", f"{name}, verified instructions", verified, "", LIMIT_INSNS)
    for name, each in took_ms.items():
        how = f"open to loaded, median of {ROUNDS}; {min(each):.1f} to {max(each):.1f}"
        yield Figure("loading", f"{name}, load time", median(each), "ms", LIMIT_MS, how)
