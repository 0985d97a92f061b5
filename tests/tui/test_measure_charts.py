"""Charts of the Measure pane: whiskers, the cost over the sizes of a batch, and programs against their budget."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpftop.measure.maps.plan import MeasureRequest
from bpftop.measure.programs.costs import TRACING_BUDGET, SuiteTable
from bpftop.measure.statistics import Summary
from bpftop.render.measure.operation_columns import whiskers
from bpftop.tui.panes.map_results import batch_curve_lines, batch_curves, curve_of
from bpftop.tui.panes.suite_results import program_bars
from bpftop.tui.widgets.line import Line, text
from tests.tui.engines import results, table


def drawn(lines: list[Line]) -> list[str]:
    return [text(spans).rstrip() for spans in lines]


@pytest.mark.parametrize(
    ("p10", "p50", "p90", "text"),
    [
        (50.0, 70.0, 90.0, "█████├─┼─┤"),
        (70.0, 75.0, 90.0, "███████┼─┤"),
        (70.0, 72.0, 75.0, "███████┼"),
        (0.0, 0.0, 100.0, "┼────────┤"),
        (100.0, 100.0, 100.0, "█████████┼"),
    ],
)
def test_a_bar_ends_in_its_whisker(p10: float, p50: float, p90: float, text: str) -> None:
    assert whiskers(Summary(9, p10, p50, p90, 200.0, 300.0, 80.0), 100.0, 10) == text


def test_batches_are_compared_with_single_calls_of_the_same_map() -> None:
    curves = batch_curves(results(MeasureRequest(kinds=("array", "hash"))))
    assert [(c.kind, c.operation) for c in curves][:2] == [("array", "lookup_batch"), ("array", "update_batch")]
    taken = curve_of(curves, "hash", "delete")
    assert taken is not None
    assert (taken.operation, taken.singles) == ("delete_batch", ("delete",))
    assert taken.points == ((16, 107.0), (256, 57.0))
    assert taken.single_ns == 183.0
    both = next(c for c in curves if c.kind == "hash" and c.operation == "lookup_and_delete_batch")
    assert both.single_ns == 180.0 + 183.0
    without_delete = next(c for c in curves if c.kind == "array" and c.operation == "lookup_and_delete_batch")
    assert without_delete.single_ns is None


def test_the_curve_has_its_scale_its_sizes_and_its_values() -> None:
    (curve, *_) = batch_curves(results(MeasureRequest(kinds=("array",))))
    assert drawn(batch_curve_lines(curve, 60, 7)) == [
        "lookup_batch on array: ns per entry, by entries in a batch",
        "   170 ┤················ 170 lookup, single calls",
        "       │    ▂▂▂▂",
        "       │    ████",
        "       │    ████    ████",
        "     0 ┼──────16─────256",
        "     ns     95.0    45.0",
    ]
    assert batch_curve_lines(curve, 60, 5) == []


def suite(**changes: object) -> SuiteTable:
    return replace(table("counters"), **changes)  # type: ignore[arg-type]


def test_programs_stand_against_the_budget_of_their_hook() -> None:
    lines = drawn(program_bars(suite(), 60))
    assert lines[0] == "ns per body, one CPU and all at once  ┃ the XDP budget of…"
    assert len(lines) == 1 + 4 * 2
    assert {line.index("┃") for line in lines[1:]} == {51}
    assert lines[1].split()[:2] == ["naive", "alone"]
    assert lines[2].split()[:2] == ["2", "CPUs"]
    assert lines[2].endswith("22.4")


def test_a_budget_far_beyond_the_bars_is_a_sentence() -> None:
    lines = drawn(program_bars(suite(budget=TRACING_BUDGET), 100))
    assert "budget of 10 µs is 163 times the…" in lines[0]
    assert not any("┃" in line for line in lines)
    assert program_bars(suite(), 30) == []
