"""Regions: lines in, and only what lies between the first and the last changed span is painted."""

from __future__ import annotations

from bpftop.tui.widgets.canvas import changed_spans
from bpftop.tui.widgets.header import HeaderLine
from bpftop.tui.widgets.line import Span, beside, crop, ends, fit, line, shortened, text, wrap
from tests.tui.conftest import Stage, perform

LINE = (Span("abc"), Span("def", "muted"), Span("ghi"))


def test_change_reaches_from_the_first_to_the_last_changed_span() -> None:
    assert changed_spans(LINE, (LINE[0], Span("dex", "muted"), LINE[2])) == (1, 2)
    assert changed_spans(LINE, (Span("xbc"), LINE[1], Span("ghx"))) == (0, 3)


def test_role_alone_is_a_change() -> None:
    assert changed_spans(LINE, (*LINE[:2], Span("ghi", "muted"))) == (2, 3)


def test_spans_may_be_cut_elsewhere() -> None:
    assert changed_spans(LINE, (Span("abcd"), Span("ef", "muted"), LINE[2])) == (0, 2)
    assert changed_spans(LINE, (Span("abc"), Span("abc"), Span("abc"))) == (1, 3)


def test_equal_lines_have_no_changed_spans() -> None:
    assert changed_spans(LINE, LINE) == (3, 3)
    assert changed_spans((Span("aa"), Span("aa")), (Span("aa"), Span("aa"))) == (2, 2)
    assert changed_spans((Span("aa"), Span(""), Span("b")), (Span("aa"), Span("b"))) == (1, 1)


def test_a_line_is_a_strip_of_its_spans() -> None:
    async def scenario(stage: Stage) -> None:
        header = stage.app.frame.query_one(HeaderLine)
        header.paint([line(("TCP", "name"), "  1.13 M", ("  ████", "bar"))])
        strip = header.render_line(0)
        assert strip.text == "TCP  1.13 M  ████".ljust(80)
        assert strip.cell_length == 80
        assert [(part, style.color.name, bool(style.bold)) for part, style, _ in strip if style and style.color][
            :3
        ] == [
            ("TCP", "#e8ecf2", True),
            ("  1.13 M", "#d3d7de", False),
            ("  ████", "#4d8fd6", False),
        ]
        assert header.render_line(0) is strip  # kept
        assert header.render_line(1).text.strip() == ""  # below the last line

    perform(scenario, ticks=3)


def test_lines_are_fitted() -> None:
    assert text(fit(line("ab", ("cd", "muted")), 6)) == "abcd  "
    assert fit(line("ab", ("cd", "muted")), 3) == (Span("ab"), Span("c", "muted"))
    assert crop(line("abc"), 0) == ()
    assert line("", ("", "muted"), "x") == (Span("x"),)


def test_two_ends_and_an_ellipsis_where_the_left_one_gives_way() -> None:
    assert text(ends(line("left"), line("right"), 12)) == "left   right"
    assert text(ends(line("a long left end"), line("right"), 15)) == "a long…   right"


def test_a_sentence_is_cut_at_a_word_where_it_has_one() -> None:
    assert text(shortened(line("one two three"), 9)) == "one two…"
    assert text(shortened(line("one two three"), 8)) == "one two…"
    assert text(shortened(line("one two three"), 7)) == "one…"
    assert text(shortened(line("unbreakable"), 5)) == "unbr…"
    assert text(shortened(line("one two"), 7)) == "one two"


def test_blocks_side_by_side() -> None:
    drawn = beside([line("a"), line("bb")], [line("x"), line("y"), line("z")], 3, 1)
    assert [text(each) for each in drawn] == ["a   x", "bb  y", "    z"]


def test_wrap() -> None:
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("unbreakable", 4) == ["unbr", "eaka", "ble"]
    assert wrap("lost 31 k in 5 min", 12) == ["lost 31 k in", "5 min"]
    assert wrap("", 4) == [""]
