"""The histogram against exact arithmetic, and the spread over runs."""

from __future__ import annotations

import math
import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpftop.measure.statistics import BUCKETS, TICKS_PER_NS, Histogram, bucket_ns, bucket_width_ns, spread


def bucket(ticks: int) -> int:
    """Return the bucket that loop_clock.c counts a time in: 64 for each power of two from 2^7 to 2^44 ticks."""
    ticks = min(ticks, (1 << 44) - 1)
    shift = max(0, ticks.bit_length() - 7)
    return 64 * shift + (ticks >> shift)


def add(histogram: Histogram, ns: float, entries: int = 1) -> None:
    """Count the mean time per entry of a call that handled ``entries`` entries."""
    histogram.counts[bucket(round(ns * TICKS_PER_NS))] += 1
    histogram.total_ns += ns * entries
    histogram.entries += entries
    histogram.max_ns = max(histogram.max_ns, ns)


@given(st.integers(0, (1 << 44) - 1))
def test_buckets_are_precise(ticks: int) -> None:
    index = bucket(ticks)
    assert 0 <= index < BUCKETS
    assert abs(bucket_ns(index) * TICKS_PER_NS - ticks) <= ticks / 127
    assert bucket_width_ns(index) * TICKS_PER_NS <= max(1, ticks / 63)


def test_buckets_follow_each_other_without_a_gap() -> None:
    edges = [bucket_ns(index) - bucket_width_ns(index) / 2 for index in range(BUCKETS)]
    assert all(
        edge + bucket_width_ns(index) == pytest.approx(edges[index + 1]) for index, edge in enumerate(edges[:-1])
    )
    assert bucket(1 << 60) == BUCKETS - 1  # longer than 18 minutes


def test_percentiles_equal_those_of_sorted_times() -> None:
    drawn = random.Random(1)
    times = sorted(drawn.lognormvariate(5, 1) for _ in range(20_000))
    histogram = Histogram()
    for time_ns in times:
        add(histogram, time_ns)
    summary = histogram.summary()
    assert summary is not None
    for share, result in ((0.1, summary.p10_ns), (0.5, summary.p50_ns), (0.9, summary.p90_ns), (0.99, summary.p99_ns)):
        assert result == pytest.approx(times[round(share * len(times))], rel=0.01)
    assert summary.max_ns == times[-1]
    assert summary.mean_ns == pytest.approx(math.fsum(times) / len(times))
    assert summary.count == len(times)


def test_percentiles_between_the_steps_of_a_coarse_clock() -> None:
    """A clock that steps by 10 ns shows 193.7 ns as 190 or 200; between them lies the truth."""
    drawn = random.Random(2)
    histogram = Histogram()
    for _ in range(50_000):
        begin = drawn.random() * 10
        add(histogram, math.floor((begin + 193.7) / 10) * 10 - math.floor(begin / 10) * 10)
    coarse, fine = histogram.summary(), histogram.summary(10)
    assert coarse is not None
    assert fine is not None
    assert abs(coarse.p50_ns - 193.7) > 2
    assert abs(fine.p50_ns - 193.7) < 1


def test_a_batch_is_one_time_and_many_entries() -> None:
    histogram = Histogram()
    add(histogram, 50.0, entries=100)
    add(histogram, 200.0, entries=1)
    summary = histogram.summary()
    assert summary is not None
    assert (summary.count, summary.max_ns) == (2, 200.0)
    assert summary.mean_ns == pytest.approx((50 * 100 + 200) / 101)


def test_merged_histograms_are_one() -> None:
    first, second, both = Histogram(), Histogram(), Histogram()
    for number in range(1, 500):
        add(first if number % 3 else second, number * 1.5)
        add(both, number * 1.5)
    first.merge(second)
    assert first.summary() == both.summary()


def test_nothing_counted_is_no_value() -> None:
    assert Histogram().summary() is None
    assert Histogram(array("Q", bytes(8 * BUCKETS))).summary() is None


def test_spread_of_runs() -> None:
    result = spread([210.0, 190.0, 200.0, 205.0, 195.0])
    assert (result.runs, result.median, result.low, result.high) == (5, 200.0, 190.0, 210.0)
    assert result.pct == pytest.approx(10)
    assert not result.noisy
    assert spread([100.0, 111.0, 100.0]).noisy
    assert spread([0.0, 0.0]).pct == 0
    with pytest.raises(ValueError, match="no run"):
        spread([])
