"""Cost of starting: open, verify and load each counting program."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from bpftop.kernel.bpf.object import BpfObject
from tests.bench.figures import Figure
from tests.bench.packets import CONTENDERS, PLAIN

ROUNDS = 9
LIMIT_INSNS = 20_000
LIMIT_TO_PLAIN = 8.0


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Instructions that the verifier looked at; from opening an object to the loaded program. Raises KernelError."""
    say("load time")
    took_ms: dict[str, list[float]] = {}
    insns: dict[str, int] = {}
    plain_ms: list[float] = []
    for _ in range(ROUNDS):
        for contender in CONTENDERS:
            start_ns = time.thread_time_ns()
            counter = BpfObject("counter", contender.program, contender.constants)
            name = f"{contender.program} {contender.direction}"
            took_ms.setdefault(name, []).append((time.thread_time_ns() - start_ns) / 1e6)
            insns[name] = counter.program.info().verified_insns
            counter.close()
        start_ns = time.thread_time_ns()
        BpfObject("bench_counters", (PLAIN,)).close()
        plain_ms.append((time.thread_time_ns() - start_ns) / 1e6)
    for name, verified in insns.items():
        yield Figure("loading", f"{name}, verified instructions", verified, "", LIMIT_INSNS)
    for name, each in took_ms.items():
        how = f"{min(each):.1f} against {min(plain_ms):.1f} ms of CPU, open to loaded; least of {ROUNDS} in turn"
        title = f"{name}, load time / of a plain counter"
        yield Figure("loading", title, min(each) / min(plain_ms), "", LIMIT_TO_PLAIN, how)
