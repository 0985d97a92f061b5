"""Ten minutes of history: trends, rates a minute ago, marked rates, and samples that are shown again."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bpftop.history.cpu_trends import CELL_S, CpuTrends
from bpftop.history.history import HISTORY_NS, History
from bpftop.model.sample import Sample
from tests import samples
from tests.tui.fake_source import FakeSource, interface

S = 10**9


def sample(seconds: float, packets: dict[int, Sequence[int]], epoch: int = 0, label: str = "eth0") -> Sample:
    """Return a sample of one interface. ``packets``: protocol -> packets per CPU since the start, 100 bytes each."""
    cpus = max((len(row) for row in packets.values()), default=2)
    counted = {f"protocols/{label}/rx": samples.protocols(seconds, packets, label, epoch=epoch)}
    watched = samples.interface(label, hooks=samples.HOOKS)
    return samples.sample(seconds, cpus=cpus, interfaces=[watched], readings=counted)


def steady(rates: Sequence[float], interval_s: float = 1.0, start_s: float = 1000.0) -> History:
    """Return a history of TCP at these packets per second, one rate per interval."""
    history, count = History(), 0.0
    history.push(sample(start_s, {6: [0, 0]}))
    for tick, rate in enumerate(rates, 1):
        count += rate * interval_s
        history.push(sample(start_s + tick * interval_s, {6: [int(count), 0]}))
    return history


def trend(history: History, until_s: float, cell_s: float, cells: int, name: str = "6") -> list[float | None]:
    means = history.means(("eth0", "rx", name), history.tick_ranges(int(until_s * S), cell_s, cells))
    return [None if value is None else round(value, 3) for value in means]


def test_cells_are_means_and_the_last_cell_is_under_way() -> None:
    history = steady([10] * 5 + [20] * 5 + [60])
    assert trend(history, 1010, 5, 4) == [None, 10.0, 20.0, None]  # 1010 s begins a cell that has no sample yet
    assert trend(history, 1011, 5, 4) == [None, 10.0, 20.0, 60.0]


def test_a_trend_stands_still_within_a_cell() -> None:
    history = steady([10, 20, 30, 40, 50, 60, 70, 80, 90])
    assert trend(history, 1008, 5, 3)[:2] == trend(history, 1009, 5, 3)[:2]


def test_a_cell_between_two_samples_takes_the_later_rate() -> None:
    history = steady([10, 20, 30], interval_s=20)
    assert trend(history, 1060, 5, 13) == [10.0] * 4 + [20.0] * 4 + [30.0] * 4 + [None]


def test_the_trend_of_an_earlier_moment() -> None:
    history = steady([10] * 5 + [20] * 5 + [30] * 10)
    assert trend(history, 1010, 5, 3)[:2] == [10.0, 20.0]


def test_a_row_that_was_never_counted_has_no_trend() -> None:
    history = steady([10] * 5)
    assert trend(history, 1005, 1, 3, "17") == [None, None, None]
    assert history.highs(("eth0", "rx", "17"), history.tick_ranges(1005 * S, 1, 3)) == [None, None, None]
    assert history.peak(("eth0", "rx", "17"), 1000 * S, 1005 * S) is None


def test_the_peak_is_after_the_beginning() -> None:
    history = steady([90, 10, 30, 20])
    assert history.peak(("eth0", "rx", "6"), 1000 * S, 1004 * S) == (90.0, 1001 * S)
    assert history.peak(("eth0", "rx", "6"), 1001 * S, 1004 * S) == (30.0, 1003 * S)
    assert history.peak(("eth0", "rx", "6"), 1004 * S, 1004 * S) is None


def test_a_minute_ago_is_the_mean_of_five_seconds() -> None:
    history = steady([10] * 57 + [20, 30, 40, 50, 60] + [100] * 60)
    assert history.ago(("eth0", "rx", "6"), 1120 * S) == 40.0  # 1058 to 1062
    assert history.ago(("eth0", "rx", "6"), 1059 * S) is None  # nothing was counted a minute before
    assert history.ago(("eth0", "rx", "17"), 1120 * S) is None


def test_a_minute_ago_with_ticks_30_s_apart() -> None:
    history = steady([10, 20, 30, 40], interval_s=30)
    assert history.ago(("eth0", "rx", "6"), 1120 * S) == 20.0  # 1060 lies in the interval that ended at 1060


def test_a_new_row_was_zero_since_counting_began() -> None:
    history = steady([10] * 70)
    history.push(sample(1071, {6: [700, 10], 47: [5, 5]}))
    assert history.ago(("eth0", "rx", "47"), 1071 * S) == 0.0
    assert trend(history, 1071, 5, 3, "47") == [0.0, 0.0, 10.0]
    assert trend(history, 1071, 60, 3, "47")[0] is None


def test_an_absent_row_is_zero_and_unknown_in_a_new_epoch() -> None:
    history = History()
    history.push(sample(0, {6: [0, 0], 17: [0, 0]}))
    history.push(sample(1, {6: [5, 0], 17: [5, 0]}))
    history.push(sample(2, {6: [5, 0]}, epoch=1))  # attached anew: no rate on this tick
    history.push(sample(3, {6: [9, 0]}, epoch=1))
    assert trend(history, 3, 1, 5, "17") == [None, 5.0, None, 0.0, None]  # the last cell has only begun
    assert trend(history, 3, 1, 5, "6") == [None, 5.0, None, 4.0, None]


def test_the_mark_is_the_mean_of_five_seconds() -> None:
    history = steady([10] * 10 + [20, 30, 40, 50, 60])
    mark = history.mark(history.at(-1))
    assert mark.rates["eth0", "rx", "6"] == 40.0
    assert mark.cpus["eth0", "rx"] == (60.0, 0.0)
    history.push(sample(1016, {6: [99999, 0]}))
    assert mark.rates["eth0", "rx", "6"] == 40.0


def test_a_mark_right_at_the_start() -> None:
    history = steady([])
    assert history.mark(history.at(-1)).rates == {}


def test_samples_are_shown_again_unchanged() -> None:
    source, history = FakeSource(cpus=4, interfaces=(interface("a", 2), interface("b", 3))), History()
    samples, snapshots = [], []
    for each, _ in zip(source.samples(), range(12), strict=False):
        samples.append(each)
        snapshots.append(history.push(each))
    assert [history.sample(i) for i in range(12)] == samples
    assert history.at(5).total.rx.totals == snapshots[5].total.rx.totals
    assert history.at(-1) == snapshots[-1]
    assert history.at(5).interfaces[1].tx.breakdowns == snapshots[5].interfaces[1].tx.breakdowns
    with pytest.raises(IndexError):
        history.at(12)


def test_steps_stay_within_samples_with_rates() -> None:
    history = steady([10, 20, 30, 40])

    def rate(from_s: float, steps: int) -> float | None:
        return history.step(int(from_s * S), steps).total.rx.totals.packets_per_sec

    assert [rate(1004, -steps) for steps in range(6)] == [40, 30, 20, 10, 10, 10]
    assert rate(1002, 1) == 30
    assert rate(1004, 7) == 40
    assert rate(5, -1) == 10  # a moment that is forgotten


def test_ten_minutes_are_kept_at_one_tick_a_second() -> None:
    history = steady([10] * 700)
    assert 600 <= len(history) <= 602
    assert history.sample(0).mono_ns >= history.sample(-1).mono_ns - HISTORY_NS
    assert history.ago(("eth0", "rx", "6"), 1700 * S, seconds=590) == 10.0
    assert trend(history, 1700, 60, 9)[0] == 10.0


def test_thinned_samples_keep_right_rates() -> None:
    history = History()
    for tick in range(400):
        # every value is different in every sample: the worst case for packing
        row = [tick * 1_000_003 * (cpu + 1) for cpu in range(1024)]
        history.push(sample(tick, dict.fromkeys(range(8), row)))
    assert sum(len(packed.content) for packed in history._packed) <= 1 << 20
    gaps = [history.sample(i + 1).mono_ns - history.sample(i).mono_ns for i in range(0, len(history) - 1, 7)]
    assert gaps[-1] == S
    assert gaps[0] > 2 * S
    expected = 8 * 1_000_003 * sum(range(1, 1025))
    assert history.at(2).total.rx.totals.packets_per_sec == pytest.approx(expected)


def test_series_are_bounded_too() -> None:
    history = steady([10] * 2000)
    assert len(history._times) <= 600 + 65


def test_cpu_trends_are_rates_of_whole_cells() -> None:
    trends = CpuTrends(HISTORY_NS)
    for second in range(21):
        trends.push(sample(second, {6: [second * 10, 0, 0], 17: [second * 5, max(0, second - 10) * 100, 0]}))
    cells = trends.cells(["eth0"], "rx", 20 * S, 5)
    assert cells[0] is None
    assert [list(cell or ()) for cell in cells[1:]] == [[15, 0, 0], [15, 0, 0], [15, 100, 0], [15, 100, 0]]
    assert trends.cells(["eth0"], "rx", 20 * S, 1, back=3)[0] == array("f", [15, 0, 0])
    assert trends.cells(["eth0", "eth0"], "rx", 20 * S, 1)[0] == [30, 200, 0]
    assert trends.cells(["eth1"], "rx", 20 * S, 2) == [None, None]


def test_cpu_trends_across_a_new_epoch_and_long_intervals() -> None:
    trends = CpuTrends(HISTORY_NS)
    trends.push(sample(0, {}))
    trends.push(sample(20, {6: [100, 0]}))
    assert [list(cell or ()) for cell in trends.cells(["eth0"], "rx", 20 * S, 4)] == [[5.0, 0.0]] * 4
    trends.push(sample(25, {6: [7, 0]}, epoch=1))
    trends.push(sample(30, {6: [17, 0]}, epoch=1))
    assert [cell and list(cell) for cell in trends.cells(["eth0"], "rx", 30 * S, 2)] == [None, [2.0, 0.0]]
    trends.push(sample(35, {6: [3, 0]}, epoch=1))  # went backwards
    assert math.isnan((trends.cells(["eth0"], "rx", 35 * S, 1)[0] or [0])[0])


def test_cpu_trends_forget() -> None:
    trends = CpuTrends(60 * S)
    for second in range(0, 200, CELL_S):
        trends.push(sample(second, {6: [second, 0]}))
    assert trends.cells(["eth0"], "rx", 195 * S, 39)[0] is None
    assert len(trends._cells) <= 13


def test_an_interface_that_is_gone_for_a_while() -> None:
    history = steady([10, 10])
    gone = replace(sample(1003, {}), readings={})
    assert history.push(gone).total.rx.totals.packets_per_sec is None
    history.push(sample(1004, {6: [50, 0]}, epoch=1))
    history.push(sample(1005, {6: [57, 0]}, epoch=1))
    assert trend(history, 1005, 1, 7) == [None, 10.0, 10.0, None, None, 7.0, None]
