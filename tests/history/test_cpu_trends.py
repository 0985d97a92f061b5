"""Trends per CPU of several interfaces together."""

from __future__ import annotations

from bpftop.history.cpu_trends import CpuTrends
from bpftop.model.sample import Sample, reading_key
from tests import samples

SECOND = 10**9


def sample(seq: int) -> Sample:
    """``busy`` counts on both CPUs; ``idle`` is attached and has counted nothing, so its reading has no rows."""
    busy = samples.protocols(seq, {6: [seq * 10, seq * 20]}, "busy", size=0)
    idle = {reading_key("protocols", "idle", "rx"): samples.reading("protocols", {}, seq)}
    interfaces = (samples.interface("busy", 2), samples.interface("idle", 3))
    return samples.sample(seq, busy, seq=seq, cpus=2, interfaces=interfaces, readings=idle)


def test_an_interface_that_counted_nothing_adds_nothing() -> None:
    trends = CpuTrends(600 * SECOND)
    for seq in range(30):
        trends.push(sample(seq))
    cells = trends.cells(["busy", "idle"], "rx", 25 * SECOND, 2)
    assert [list(cell or ()) for cell in cells] == [[10.0, 20.0], [10.0, 20.0]]
