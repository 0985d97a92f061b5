"""Trends of BPF programs and maps: means per cell, idle and unknown objects, and the moment of a mark."""

from __future__ import annotations

from bpftop.history.bpf_trends import BpfMoment, BpfTrends, ProgramRuns
from bpftop.model.derive import derive_snapshot
from bpftop.model.sample import Sample
from tests import samples

SECOND = 10**9
ADDED_NS = 40
BUSY, IDLE = ("7", "xdp", "busy", "", ""), ("9", "xdp", "idle", "", "")


def sample(second: int, *, on: bool = True, read: bool = True) -> Sample:
    """``busy`` runs a thousand times a second for 100 ns, beside the time of the statistics."""
    runs = second * 1000
    rows = {BUSY: (runs, runs * (100 + ADDED_NS), 0), IDLE: (5, 500, 0)}
    maps = {("3", "hash", "grows", ""): (second * 10, 1000, 4096), ("4", "hash", "empty", ""): (0, 1000, 4096)}
    readings = (
        samples.reading("bpf_programs", rows, second),
        samples.reading("bpf_maps", maps, second),
        samples.reading("bpf_statistics", {(): (int(on), ADDED_NS * 1000)}, second),
    )
    return samples.sample(second, *readings if read else ())


def test_a_cell_has_mean_rates_without_statistics_time() -> None:
    trends = BpfTrends(600 * SECOND)
    for second in range(41):
        trends.push(sample(second))
    past = trends.program(7, 40 * SECOND, 9)
    assert past[0] is None  # before the first sample
    for each in past[1:]:
        assert each is not None
        assert (each.runs_per_sec, round(each.ns_per_run or 0, 6), round(each.cpu_pct, 6)) == (1000.0, 100.0, 0.01)
    assert trends.program(9, 40 * SECOND, 2, back=3) == [ProgramRuns(0.0, 0.0)] * 2
    assert ProgramRuns(0.0, 0.0).ns_per_run is None
    assert (trends.entries(3, 22 * SECOND), trends.entries(4, 22 * SECOND)) == (200.0, 0.0)
    assert trends.entries(3, 60 * SECOND) is None


def test_nothing_is_known_without_statistics_or_readers() -> None:
    trends = BpfTrends(600 * SECOND)
    for second in range(45):
        trends.push(sample(second, on=second < 30, read=not 9 < second < 15))
    past = trends.program(7, 45 * SECOND, 9)
    assert [each is not None for each in past] == [True, False, False, True, True, False, False, False, False]


def test_old_cells_are_forgotten_and_a_mark_is_not() -> None:
    trends = BpfTrends(60 * SECOND)
    for second in range(20):
        trends.push(sample(second))
    marked = trends.moment(derive_snapshot(sample(18), sample(19)))
    for second in range(20, 200):
        trends.push(sample(second))
    assert trends.program(7, 20 * SECOND, 1) == [None]
    assert marked.cpu_pct is not None
    assert {prog_id: round(pct, 6) for prog_id, pct in marked.cpu_pct.items()} == {7: 0.01}
    assert marked.entries == {3: 190}
    assert trends.moment(derive_snapshot(None, sample(500, read=False))) == BpfMoment(None, None)
