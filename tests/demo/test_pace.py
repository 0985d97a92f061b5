"""Pace: mean rate, slow changes, carried fractions, repeatability."""

from itertools import pairwise
from random import Random

from bpftop.demo.event_loop import SWELL_PERIOD_S, Pace


def played(per_sec: float, seed: int, seconds: int, tick_s: float = 0.01) -> list[int]:
    """Return how many packets are due in each second."""
    pace = Pace(per_sec, Random(seed))
    totals = []
    for second in range(seconds):
        pace.retune(float(second))
        totals.append(sum(pace.due(tick_s) for _ in range(round(1 / tick_s))))
    return totals


def test_mean_over_a_period_is_the_rate() -> None:
    totals = played(200.0, 3, int(SWELL_PERIOD_S))
    assert 0.97 * 200 < sum(totals) / len(totals) < 1.03 * 200


def test_the_rate_swells_slowly() -> None:
    totals = played(1000.0, 3, int(SWELL_PERIOD_S))
    assert min(totals) < 650
    assert max(totals) > 1350
    assert max(abs(late - early) for early, late in pairwise(totals)) < 350


def test_first_tick_is_due_even_for_rare_kinds() -> None:
    assert Pace(0.2, Random(1)).due(0.0) == 1


def test_same_seed_gives_the_same_pace() -> None:
    assert played(77.0, 5, 20) == played(77.0, 5, 20) != played(77.0, 6, 20)
