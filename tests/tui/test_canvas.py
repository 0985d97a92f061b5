"""The sheet: lines in, strips out, and only what changed_spans."""

from __future__ import annotations

from bpftop.tui.widgets.canvas import MERGE_GAP, Canvas, changed_spans
from bpftop.tui.widgets.line import Line, beside, crop, ends, fit, line, text, wrap
from bpftop.tui.widgets.role_styles import RoleStyles
from tests.tui.conftest import theme


def spans(before: str, after: str) -> list[tuple[int, int]]:
    return changed_spans(((before, "text"),), ((after, "text"),))


def test_changed_cells_become_spans() -> None:
    assert spans("a 1 b", "a 2 b") == [(2, 3)]
    assert spans("same", "same") == []
    assert spans("1" + "." * MERGE_GAP + "1", "2" + "." * MERGE_GAP + "2") == [(0, MERGE_GAP + 2)]
    assert spans("1" + "." * (MERGE_GAP + 1) + "1", "2" + "." * (MERGE_GAP + 1) + "2") == [
        (0, 1),
        (MERGE_GAP + 2, MERGE_GAP + 3),
    ]


def test_another_role_is_a_change_too() -> None:
    before: Line = (("abc", "text"), ("def", "muted"))
    assert changed_spans(before, (("abcd", "text"), ("ef", "muted"))) == [(3, 4)]
    assert changed_spans(before, (("abc", "text!"), ("def", "muted"))) == [(0, 3)]
    assert changed_spans(before, (("ab", "text"), ("c", "text"), ("def", "muted"))) == []


def test_a_line_is_a_strip_of_its_spans() -> None:
    """Call ``render_line`` without an app."""
    canvas = Canvas(RoleStyles(theme()), lambda: None)
    canvas.lines = [fit(line(("TCP", "name"), "  1.13 M", ("  ████", "bar")), 20)]
    strip = canvas.render_line(0)
    assert strip.text == "TCP  1.13 M  ████   "
    assert strip.cell_length == 20
    assert [(part, style.color.name, bool(style.bold)) for part, style, _ in strip if style and style.color] == [
        ("TCP", "#e8ecf2", True),
        ("  1.13 M", "#d3d7de", False),
        ("  ████", "#4d8fd6", False),
        ("   ", "#d3d7de", False),
    ]
    assert canvas.render_line(0) is strip  # kept
    assert canvas.render_line(1).text == ""  # below the last line


def test_lines_are_fitted() -> None:
    assert text(fit(line("ab", ("cd", "muted")), 6)) == "abcd  "
    assert fit(line("ab", ("cd", "muted")), 3) == (("ab", "text"), ("c", "muted"))
    assert crop(line("abc"), 0) == ()
    assert line("", ("", "muted"), "x") == (("x", "text"),)


def test_two_ends_and_an_ellipsis_where_the_left_one_gives_way() -> None:
    assert text(ends(line("left"), line("right"), 12)) == "left   right"
    assert text(ends(line("a long left end"), line("right"), 12)) == "a lon… right"


def test_blocks_side_by_side() -> None:
    drawn = beside([line("a"), line("bb")], [line("x"), line("y"), line("z")], 3, 1)
    assert [text(each) for each in drawn] == ["a   x", "bb  y", "    z"]


def test_wrap() -> None:
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("unbreakable", 4) == ["unbr"]
    assert wrap("", 4) == [""]
