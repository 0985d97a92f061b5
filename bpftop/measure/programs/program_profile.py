"""A profile of a loaded program: means of the CPU's counters for a run, on request."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing

from bpftop.fields import frozen
from bpftop.kernel.measure.program_counters import ProgramCounters


@frozen
class ProgramProfile:
    """Counters over ``runs`` runs within ``seconds``.

    ``share`` is the smallest share of the time in which a counter counted; below 1 the rest is extrapolated.
    """

    runs: int
    counts: Mapping[str, float]
    share: float
    seconds: float


def profile_program(prog_id: int, seconds: float) -> ProgramProfile:
    """Count for some seconds, in which every run takes longer by the time of the counting.

    Raises KernelError where this machine, or this program, cannot be counted: see ProgramCounters.
    """
    with closing(ProgramCounters(prog_id)) as counters:
        time.sleep(seconds)
        runs, events = counters.read()
    return ProgramProfile(runs, {each.name: each.count for each in events}, min(each.share for each in events), seconds)
