"""Numbers for people: their digits, and that they never get wider than their column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpftop.model.units import bar, compact, factor, heat, pct, rough, si, spark


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "", "-"), (0, "", "0"), (0.04, "", "0"), (0.26, "", "0.3"), (9.94, "", "9.9"), (9.96, "", "10"),
        (812, "", "812"), (999.4, "", "999"), (999.5, "", "1.00 k"), (1_240_000, "", "1.24 M"), (99_949, "", "99.9 k"),
        (99_950, "", "100 k"),
        (12_400_000, "b/s", "12.4 Mb/s"), (960, "b/s", "960 b/s"), (1e18, "", "1000 P"),
    ],
)  # fmt: skip
def test_si(value: float | None, unit: str, text: str) -> None:
    assert si(value, unit) == text


@given(st.floats(0, 9.9e17))
def test_si_has_six_cells_and_half_a_percent_of_error(value: float) -> None:
    text = si(value)
    assert len(text) <= 6
    number, _, prefix = text.partition(" ")
    printed = float(number) * 1000 ** "_kMGTP".index(prefix or "_")
    assert abs(printed - value) <= max(0.0051 * value, 0.5 if value >= 9.95 else 0.05 + 1e-9)


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "-"), (0, "0 %"), (0.001, "<1 %"), (0.005, "<1 %"), (0.006, "1 %"), (0.914, "91 %"), (1, "100 %")],
)
def test_pct(share: float | None, text: str) -> None:
    assert pct(share) == text


@pytest.mark.parametrize(
    ("now", "then", "text"),
    [
        (None, 1, "-"), (1, None, "-"), (0, 0, "-"), (5, 0, "new"), (1, 1, "1.0"), (12, 1, "12"), (9.96, 1, "10"),
        (9.94, 1, "9.9"),
        (1, 5, "0.2"), (0, 5, "0.0"), (99_999, 1, ">9999"), (1, -1, "-"),
    ],
)  # fmt: skip
def test_factor(now: float | None, then: float | None, text: str) -> None:
    assert factor(now, then) == text


@given(st.floats(0, 1e12), st.floats(0, 1e12))
def test_a_factor_is_at_most_five_cells(now: float, then: float) -> None:
    assert len(factor(now, then)) <= 5


def test_bar() -> None:
    assert bar(0.914, 10) == "█████████▏"
    assert bar(0.5, 3) == "█▌ "
    assert bar(None, 3) == bar(0, 3) == "   "
    assert bar(7, 3) == "███"


def test_spark() -> None:
    assert spark([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▁▂▃▄▅▆▇"
    assert spark([None, 5, None], 3) == " ▇ "
    assert spark([0, 0], 4) == "  ▁▁"
    assert spark([1, 2, 4], 2) == "▄▇"
    assert spark([2], 1, top=4) == "▄"


def test_heat() -> None:
    assert heat([0, 9, 0], 8) == ("▁▇▁", 1)
    assert heat([0, 0, 0, 9, 1], 2) == ("▁▇", 3)  # the largest of three
    assert heat([None, None, 3], 2) == (" ▇", 2)
    assert heat([], 8) == ("", 1)


def test_compact() -> None:
    assert [compact(v) for v in (10**10, 2.5e9, 10**8, 10**11, 999)] == ["10G", "2.5G", "100M", "100G", "999"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0, "0"), (3.4, "3.4"), (840, "840"), (1_240, "1.2 k"), (12_400, "12 k"), (999_400, "999 k"),
     (9_960, "10 k"), (2_000_000, "2.0 M")],
)  # fmt: skip
def test_rough_has_two_digits_before_a_prefix(value: float | None, text: str) -> None:
    assert rough(value) == text
