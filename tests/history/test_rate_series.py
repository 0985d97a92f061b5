"""A series of rates against its definition: a list with a value per tick."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from bpftop.history.rate_series import RateSeries

KEPT = 150
CALM = (None, 0.0, 0.0, None, 0.0)
RATES = [
    pytest.param([None] * 300, id="never known"),
    pytest.param([None] * 5 + [0.0] * 295, id="idle"),
    pytest.param([CALM[tick // 7 % 5] for tick in range(300)], id="known now and then"),
    pytest.param([0.0 if tick % 2 else None for tick in range(300)], id="too many changes"),
    pytest.param([None, 0.0, 0.0, None] + [0.0] * 200 + [7.0, 0.0, 3.5] * 30 + [None], id="moving late"),
    pytest.param([4.0, None, 0.0] * 100, id="moving"),
    pytest.param([None] + [0.0 if tick % 9 else tick / 3 for tick in range(299)], id="moving now and then"),
    pytest.param([None] + [0.0 if tick % 3 else tick / 3 for tick in range(299)], id="moving often"),
]


@pytest.mark.parametrize("rates", RATES)
def test_a_series_gives_the_rate_of_each_tick(rates: Sequence[float | None]) -> None:
    series, before = RateSeries(), RateSeries()
    for after in range(1, len(rates) + 1):
        oldest = max(0, after - KEPT)
        if after > 3:  # a row that is new
            series.push(rates[after - 1], oldest, after)
        before.push(rates[after - 1], oldest, after)
        assert (series.end if after > 3 else after) == before.end == after
        if after % 10 == 0:
            expected = [math.nan if rate is None else rate for rate in rates[oldest:after]]
            assert before.between(oldest, after).tolist() == pytest.approx(expected, nan_ok=True)
            assert before.between(after - 4, after - 1).tolist() == pytest.approx(expected[-4:-1], nan_ok=True)
            late = [math.nan if tick < 3 else rate for tick, rate in enumerate(expected, oldest)]
            assert series.between(oldest, after).tolist() == pytest.approx(late, nan_ok=True)
            zeros = [rate if math.isnan(rate) else 0.0 for rate in expected[:-1]]
            past = before.zeros(oldest, after - 1).between(oldest, after - 1).tolist()
            assert past == pytest.approx(zeros, nan_ok=True)
