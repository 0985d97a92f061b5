"""Histogram of measured times, and spread of repeated runs.

The histogram is log-linear, as in HdrHistogram (hdrhistogram.org): 64 buckets per power of two, so that a percentile is
off by at most 0.8 %. It counts in ticks of 1/16 ns, because an entry of a batch costs few nanoseconds.
``bpftop/kernel/measure/loop_clock.c`` fills the same buckets.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

TICKS_PER_NS = 16
_LINEAR_BITS = 7  # below 2^7 a bucket is one tick
_HALF_BITS = _LINEAR_BITS - 1
_MAX_BITS = 44  # 2^44 ticks: 18 minutes
BUCKETS = (1 << _LINEAR_BITS) + ((_MAX_BITS - _LINEAR_BITS) << _HALF_BITS)

NOISY_PCT = 10.0
"""Spread above which the machine counts as noisy."""


@dataclass(frozen=True)
class Summary:
    """Percentiles, maximum and mean of the times of one operation, in nanoseconds. ``count`` is the number of times."""

    count: int
    p10_ns: float
    p50_ns: float
    p90_ns: float
    p99_ns: float
    max_ns: float
    mean_ns: float


@dataclass(frozen=True)
class Spread:
    """Median, least (``low``) and largest (``high``) value of a number that was measured in several runs."""

    runs: int
    median: float
    low: float
    high: float

    @property
    def pct(self) -> float:
        """Return the distance from the least to the largest value, in percent of the median."""
        return 100 * (self.high - self.low) / self.median if self.median else 0.0

    @property
    def noisy(self) -> bool:
        return self.pct > NOISY_PCT


def spread(runs: Iterable[float]) -> Spread:
    """Return the spread of a number over several runs. Raises ValueError without a run."""
    values = list(runs)
    if not values:
        raise ValueError("no run to take the spread of")
    return Spread(len(values), median(values), min(values), max(values))


def bucket_width_ns(index: int) -> float:
    """Return the width of a bucket of the histogram."""
    return float(1 << max(0, (index >> _HALF_BITS) - 1)) / TICKS_PER_NS


def bucket_ns(index: int) -> float:
    """Return the time in the middle of a bucket."""
    shift = max(0, (index >> _HALF_BITS) - 1)
    low = (index - (shift << _HALF_BITS)) << shift
    return (low + ((1 << shift) - 1) / 2) / TICKS_PER_NS


@dataclass
class Histogram:
    """Times of one operation. The mean is ``total_ns`` / ``entries``, since a batch is one time of many entries."""

    counts: array[int] = field(default_factory=lambda: array("Q", bytes(8 * BUCKETS)))
    total_ns: float = 0.0
    entries: int = 0
    max_ns: float = 0.0

    def merge(self, other: Histogram) -> None:
        for index, count in enumerate(other.counts):
            if count:
                self.counts[index] += count
        self.total_ns += other.total_ns
        self.entries += other.entries
        self.max_ns = max(self.max_ns, other.max_ns)

    def summary(self, resolution_ns: float = 0.0) -> Summary | None:
        """Return percentiles, maximum and mean; None without a time.

        Args:
            resolution_ns: step of the clock (10 ns on an AMD EPYC). A time may be off by one step either way, and the
                percentiles are interpolated within the step.
        """
        count = sum(self.counts)
        if not count:
            return None
        percentiles = self._percentiles(count, (0.1, 0.5, 0.9, 0.99), resolution_ns)
        p10, p50, p90, p99 = (min(ns, self.max_ns) for ns in percentiles)
        return Summary(count, p10, p50, p90, p99, self.max_ns, self.total_ns / self.entries)

    def _percentiles(self, count: int, shares: Sequence[float], resolution_ns: float) -> list[float]:
        percentiles: list[float] = []
        below = 0
        for index, in_bucket in enumerate(self.counts):
            while (
                in_bucket and len(percentiles) < len(shares) and below + in_bucket >= shares[len(percentiles)] * count
            ):
                width_ns = max(bucket_width_ns(index), resolution_ns)
                within = (shares[len(percentiles)] * count - below) / in_bucket - 0.5
                percentiles.append(max(0.0, bucket_ns(index) + within * width_ns))
            below += in_bucket
        return percentiles
