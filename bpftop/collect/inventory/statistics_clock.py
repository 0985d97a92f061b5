"""The time that the kernel's run statistics themselves add to the measured time of each run."""

from __future__ import annotations

from contextlib import closing

from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.measure.run_stats import program_runs

_RUNS = 2_000


def statistics_clock_ns() -> float:
    """Measure the mean time that the statistics report for a program that only returns, in about 1 ms.

    It is the distance of two clock readings, and so a part of every measured run. Raises KernelError.
    """
    with closing(BpfObject("noop", "noop_xdp")) as loaded:
        loaded.program.test_run(bytes(64), _RUNS)
        count, time_ns = program_runs(loaded.program.fd)
    return time_ns / count if count else 0.0
