"""The chart: one scale for both directions, its times, its crosses and its cursor."""

from __future__ import annotations

from bpftop.tui.widgets.chart import AXIS, Plot, cell_count, cell_seconds, chart_lines
from bpftop.tui.widgets.line import text


def drawn(plot: Plot, height: int = 4) -> list[str]:
    return [text(spans) for spans in chart_lines(plot, AXIS + len(plot.above), height)]


def test_both_directions_share_a_scale_that_shows_little() -> None:
    lines = drawn(Plot((0.0, 50.0, 100.0, 0.1, None), (0.0, 50.0, 25.0, 0.0, None)))
    assert lines == [
        "    100 ┤  █  ",
        "        │ ██▁ ",
        "      0 ┼─────",
        "        │ █▀  ",
    ]


def test_the_scale_ends_at_a_round_number() -> None:
    assert drawn(Plot((1_360_000.0,), (400_000.0,)))[0].startswith(" 1.50 M ┤")
    assert drawn(Plot((10.0,), (90.0,)))[0].startswith("    200 ┤")  # the direction below the axis fits, too


def test_losses_are_crosses_and_no_label_is_cut_by_them() -> None:
    values = (1.0,) * 60
    unmarked, marked = Plot(values), Plot(values, marked=(False,) * 57 + (True, False, True))
    assert drawn(unmarked)[-1].endswith(" now")
    assert drawn(marked)[-1].endswith("─×─×")
    assert " -10 min " in drawn(marked)[-1]


def test_the_cursor_is_a_line_or_the_cell_that_it_is_on() -> None:
    lines = chart_lines(Plot((0.0, 100.0), cursor=0), AXIS + 2, 3)
    assert [text(spans)[AXIS] for spans in lines] == ["│", "│", "─"]
    assert [span.text for span in lines[0] if span.role == "key"] == ["│"]


def test_ten_minutes_fit_the_width() -> None:
    assert (cell_seconds(120), cell_count(120)) == (5, 120)
    assert (cell_seconds(118), cell_count(118)) == (5, 118)
    assert (cell_seconds(38), cell_count(38)) == (15, 38)
    assert cell_count(600) == 600
