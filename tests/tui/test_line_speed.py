"""The speed of a line by the terminal's answers, and the output to a slow line: top rows first, the newest cells."""

from __future__ import annotations

from collections import deque

import pyte
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from textual._compositor import LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from bpftop.tui.seams import LineAnswered
from bpftop.tui.terminal.late_cells import LateCells
from bpftop.tui.terminal.line_speed import (
    FAST_ANSWERS,
    FIRST_CHUNK,
    GIVE_UP_S,
    MEASURED_BYTES,
    QUESTION,
    SLOW_CHUNK,
    LineSpeed,
)
from bpftop.tui.terminal.traits import LOW_BANDWIDTH, TerminalTraits
from bpftop.tui.terminal.writer import SmallerUpdate, TerminalWriter
from tests.tui.conftest import Stage, perform


class FakeLine(LineSpeed):
    """A line with a terminal at its end: each answer comes when the line has carried the bytes before it."""

    def __init__(self, bytes_per_sec: float, way_s: float = 0.05) -> None:
        self.now_s = 0.0
        super().__init__(lambda: self.now_s)
        self.carries, self._way_s = bytes_per_sec, way_s
        self._on_the_way: deque[int] = deque()
        self._bytes = 0
        self.begin()
        self._on_the_way.append(0)
        self.answer()

    def carry(self, size: int) -> None:
        """Write bytes to the line."""
        self._bytes += size
        if self.wrote(size):
            self._on_the_way.append(self._bytes)
            self._bytes = 0

    def answer(self) -> None:
        """Let the time pass until the terminal has read everything and has answered."""
        while self._on_the_way:
            self.now_s += self._on_the_way.popleft() / self.carries + self._way_s
            self.heard()


def test_a_terminal_that_never_answers_is_not_waited_for() -> None:
    line = LineSpeed()
    assert line.begin() == QUESTION
    assert [line.wrote(10_000) for _ in range(5)] == [""] * 5
    assert line.limit() is None
    assert not line.is_behind


@pytest.mark.parametrize(
    ("bytes_per_sec", "way_s", "is_slow"),
    [(1_200, 0.01, True), (1_200, 0.6, True), (960, 0.2, True), (50_000, 0.6, False), (10_000, 0.01, False)],
)
def test_the_way_there_and_back_does_not_make_a_line_slow(bytes_per_sec: int, way_s: float, is_slow: bool) -> None:
    line = FakeLine(bytes_per_sec, way_s)
    assert line.limit() == FIRST_CHUNK
    for _ in range(2):
        line.carry(FIRST_CHUNK)
        line.answer()
    assert line.is_slow is is_slow
    assert line.limit() == (SLOW_CHUNK if is_slow else None)
    if is_slow:
        assert line.bytes_per_sec == pytest.approx(bytes_per_sec)


def test_one_hiccup_does_not_make_a_line_slow() -> None:
    line = FakeLine(1e6)
    for number in range(50):
        line.carries = 500 if number % 2 else 1e6
        line.carry(MEASURED_BYTES)
        line.answer()
    assert line.is_slow is False


def test_a_long_first_picture_is_enough() -> None:
    line = FakeLine(1_200)
    line.carry(FIRST_CHUNK)
    line.answer()
    assert line.is_slow


def test_a_slow_line_is_fast_again_after_many_fast_answers() -> None:
    line = FakeLine(1_200)
    for _ in range(2):
        line.carry(1_000)
        line.answer()
    assert line.is_slow
    line.carries = 1e6
    for number in range(FAST_ANSWERS):
        assert line.is_slow, number
        line.carry(SLOW_CHUNK)
        line.answer()
    assert line.is_slow is False


def test_a_lost_answer_ends_the_waiting() -> None:
    line = FakeLine(1_200)
    line.carry(500)
    assert line.limit() == 0
    assert line.is_behind
    line.now_s += GIVE_UP_S + 1
    assert line.limit() is None
    assert not line.is_behind
    assert not line.is_awaited
    line.heard()  # it was only late
    assert line.limit() == SLOW_CHUNK


def test_a_key_that_looks_like_an_answer_is_none() -> None:
    line = LineSpeed()
    line.heard()
    assert not line.answers


def test_an_answer_may_come_while_the_writer_looks() -> None:
    """The thread that reads the terminal takes the question away at any moment, here when the clock is read."""

    class Answering(LineSpeed):
        def __init__(self) -> None:
            super().__init__(self.now)
            self.armed = False

        def now(self) -> float:
            if self.armed:
                self.armed = False
                self.heard()
            return 0.0

    for is_slow in (None, True, False):
        line = Answering()
        line.begin()
        line.heard()
        line.is_slow = is_slow
        for look in (line.limit, lambda: line.is_behind):  # noqa: B023 - called at once
            assert line.wrote(FIRST_CHUNK) == QUESTION
            line.armed = True
            look()
            assert not line.is_awaited
            line.is_slow = is_slow


PIECES = st.lists(st.tuples(st.text("ab 網x", max_size=6), st.sampled_from("RG")), max_size=4)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 10), PIECES), max_size=8))
@example([(0, 0, [("aa網", "R")]), (0, 0, [("a網", "R")])])  # a right half behind another right half
def test_late_cells_are_the_newest_and_come_from_the_top(
    updates: list[tuple[int, int, list[tuple[str, str]]]],
) -> None:
    late: LateCells[str] = LateCells()
    cells: dict[tuple[int, int], str] = {}
    for y, x, pieces in updates:
        late.put(y, x, pieces)
        _write(cells, y, x, pieces)
    whole = dict(cells)  # but for halves of a wide character
    for (y, x), text in cells.items():
        if (text == "網" and cells.get((y, x + 1)) != "") or (not text and cells.get((y, x - 1)) != "網"):
            whole[y, x] = " "
    runs = list(late.take())
    assert not late
    assert [y for y, _, _ in runs] == sorted(y for y, _, _ in runs)
    seen: dict[tuple[int, int], str] = {}
    for y, x, pieces in runs:
        _write(seen, y, x, pieces)
    assert seen == whole


def _write(cells: dict[tuple[int, int], str], y: int, x: int, pieces: list[tuple[str, str]]) -> None:
    for text, _ in pieces:
        for character in text:
            cells[y, x] = character
            x += 1
            if character == "網":
                cells[y, x] = ""
                x += 1


class Sheet:
    """A sheet of 40x10 cells, drawn by a writer on a slow line and shown by an emulated terminal."""

    def __init__(self) -> None:
        self.writer = TerminalWriter(TerminalTraits(16))
        self.line = self.writer.line = FakeLine(1_200)
        for _ in range(2):
            self.line.carry(1_000)
            self.line.answer()
        self.console = Console(width=40, force_terminal=True)
        self.terminal = pyte.Screen(40, 10)
        self._stream = pyte.Stream(self.terminal)

    def draw(self, character: str) -> int:
        """Fill the sheet, and return how many bytes were written."""
        update = LayoutUpdate([[Strip([Segment(character * 40)])] for _ in range(10)], Region(0, 0, 40, 10))
        return self._feed(self.writer.smaller_update(update))

    def go_on(self) -> int:
        """Answer, and write what waits."""
        self.line.now_s += 0.4
        self.line.heard()
        return self._feed(SmallerUpdate((), self.writer))

    def _feed(self, update: SmallerUpdate) -> int:
        written = update.render_segments(self.console)
        self._stream.feed(written)
        return len(written)


def test_a_newer_picture_replaces_what_was_not_written_yet() -> None:
    sheet = Sheet()
    assert SLOW_CHUNK <= sheet.draw("a") < SLOW_CHUNK + 60
    assert sheet.terminal.display[0] == "a" * 40
    assert sheet.terminal.display[9].strip() == ""
    assert sheet.draw("b") == 0  # nothing more is put under way
    assert sheet.writer.is_behind
    while sheet.writer.late:
        assert sheet.go_on() < SLOW_CHUNK + 60
    assert sheet.terminal.display == ["b" * 40] * 10


def test_a_fast_line_gets_all_that_waited_at_once() -> None:
    sheet = Sheet()
    sheet.draw("a")
    sheet.line.is_slow = False
    sheet.draw("b")
    assert sheet.terminal.display == ["b" * 40] * 10
    assert not sheet.writer.late


def test_a_slow_line_is_said_once_and_gets_fewer_colours() -> None:
    async def scenario(stage: Stage) -> None:
        line = stage.app.writer.line = FakeLine(1_200)
        stage.app.post_message(LineAnswered())
        await stage.pilot.pause()
        assert stage.app.said == []
        for _ in range(2):
            line.carry(1_000)
            line.answer()
        for _ in range(2):  # it is said once
            stage.app.post_message(LineAnswered())
            await stage.pilot.pause()
        assert [sentence.partition(".")[0] for _, sentence, _ in stage.app.said] == ["This line is slow: 1"]
        assert stage.app.said[0][1].startswith("This line is slow: 1.20 kB/s.")
        assert stage.app.writer.traits == TerminalTraits(16, bytes_per_sec=LOW_BANDWIDTH)
        line.is_slow = False
        stage.app.post_message(LineAnswered())
        await stage.pilot.pause()
        assert stage.app.said[1][1].startswith("This line is fast again")
        assert stage.app.writer.traits == TerminalTraits()
        assert stage.app.writer.budget.wait_s() == 0

    perform(scenario, traits=TerminalTraits())


def test_a_tick_waits_for_the_line_and_a_key_does_not() -> None:
    async def scenario(stage: Stage) -> None:
        line = stage.app.writer.line = FakeLine(1_200)
        line.carry(600)
        before = stage.text()
        await stage.tick(2)
        assert stage.text() == before
        await stage.press("2")
        assert "softirq" in stage.text()
        line.answer()
        stage.app.post_message(LineAnswered())
        await stage.pilot.pause()
        assert not stage.app.writer.is_behind

    perform(scenario, traits=TerminalTraits())
