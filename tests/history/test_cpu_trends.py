"""Trends per CPU of several interfaces together."""

from __future__ import annotations

from array import array

from bpftop.history.cpu_trends import CpuTrends
from bpftop.model.sample import Interface, Reading, Sample, reading_key

SECOND = 10**9


def sample(seq: int) -> Sample:
    """Return a sample: ``busy`` counts on both CPUs; ``idle`` has counted nothing, so that its reading has no rows."""
    now_ns = seq * SECOND
    counts = array("Q", [seq * 10, seq * 20, 0, 0])
    readings = {
        reading_key("protocols", "busy", "rx"): Reading("protocols", now_ns, 1, 1, (("busy", "rx", 6),), counts),
        reading_key("protocols", "idle", "rx"): Reading("protocols", now_ns, 1, 1, (), array("Q")),
    }
    interfaces = (Interface("busy", "busy", 2), Interface("idle", "idle", 3))
    return Sample(seq, "", "host", 0, now_ns, 2, (0, 1), interfaces, readings)


def test_an_interface_that_counted_nothing_adds_nothing() -> None:
    trends = CpuTrends(600 * SECOND)
    for seq in range(30):
        trends.push(sample(seq))
    cells = trends.cells(["busy", "idle"], "rx", 25 * SECOND, 2)
    assert [list(cell or ()) for cell in cells] == [[10.0, 20.0], [10.0, 20.0]]
