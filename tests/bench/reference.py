"""References to divide a figure by. They are measured in turn with it, so that the machine cancels out."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from statistics import median

from tests.bench.programs import python


def python_pass_ms() -> float:
    """Measure the elapsed time of ``python -c pass``."""
    start_s = time.perf_counter()
    subprocess.run(python("-c", "pass"), check=True)
    return 1000 * (time.perf_counter() - start_s)


def cpu_ms_in_turn(calls: Mapping[str, Callable[[], object]], rounds: int, pause_s: float = 0.0) -> dict[str, float]:
    """Return the median CPU time of each call, in milliseconds, over rounds in which the calls take turns.

    The first round warms up. A pause before each call lets other programs use the caches, as between two ticks.
    """
    took_ms: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            time.sleep(pause_s)
            begin_ns = time.thread_time_ns()
            call()
            if turn:
                took_ms[name].append((time.thread_time_ns() - begin_ns) / 1e6)
    return {name: median(each) for name, each in took_ms.items()}
