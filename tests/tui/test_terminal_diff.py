"""Terminal output is smaller than Textual's, and the terminal shows the same cells."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyte
import pytest
from rich.cells import cell_len
from rich.color import ANSI_COLOR_NAMES, Color
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import LayoutUpdate
from textual.geometry import Region, Size
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from bpftop.tui.app import BpftopApp
from bpftop.tui.seams import ChangedCells
from bpftop.tui.terminal.traits import TerminalTraits
from bpftop.tui.terminal.writer import SmallerUpdate, TerminalWriter, look_of, transition
from tests.tui.conftest import Stage, perform

RED, BOLD = Style(color="#ff0000", bgcolor="#101010"), Style(color="#ff0000", bgcolor="#101010", bold=True)


class Taped(BpftopApp):
    """Keeps what would have been written to a terminal, ours and Textual's own."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, traits=TerminalTraits(), **more)
        self.tape: list[str] = []
        self.plain_bytes = 0
        self._being_painted: Mapping[Widget, Sequence[ChangedCells]] = {}
        self.taped_console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor")

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if renderable is not None and hasattr(renderable, "render_segments"):
            self.tape.append(self.writer.smaller_update(renderable).render_segments(self.taped_console))
            plain = self._textuals_update() if isinstance(renderable, SmallerUpdate) else renderable
            self.plain_bytes += len(plain.render_segments(self.taped_console).encode())
        super()._display(screen, renderable)

    def _paint(self, painted: Mapping[Widget, Sequence[ChangedCells]]) -> None:
        self._being_painted = painted
        super()._paint(painted)

    def _textuals_update(self) -> Any:
        """Return Textual's own update of the cells that are being painted."""
        compositor = self.screen._compositor
        pending = compositor._dirty_regions.copy()
        compositor._dirty_regions.clear()
        for widget, changed in self._being_painted.items():
            place, _ = compositor.visible_widgets[widget]
            compositor._dirty_regions.update(cells.translate(place.offset) for cells, _ in changed)
        update = compositor.render_partial_update()
        compositor._dirty_regions.update(pending)
        return update


@pytest.mark.parametrize("theme_name", ["dark", "ansi16"])
def test_the_terminal_shows_the_canvas_after_every_change(theme_name: str) -> None:
    async def scenario(stage: Stage) -> None:
        assert isinstance(stage.app, Taped)
        terminal = pyte.Screen(100, 30)
        stream = pyte.Stream(terminal)
        keys = [
            "j",
            "j",
            "s",
            "s",
            "o",
            "t",
            "m",
            "2",
            "w",
            "w",
            "slash",
            "1",
            "enter",
            "G",
            "1",
            "p",
            "H",
            "p",
            "escape",
        ]
        written = plain = 0
        for step in range(40):
            if step < len(keys):
                await stage.press(keys[step])
            else:
                await stage.tick()
            for part in stage.app.tape:
                stream.feed(part)
            if step >= len(keys):
                written += sum(len(part.encode()) for part in stage.app.tape)
                plain += stage.app.plain_bytes
            stage.app.plain_bytes = 0
            stage.app.tape.clear()
            assert [line.rstrip() for line in terminal.display] == stage.text().split("\n"), f"step {step}"
            for y, strip in enumerate(stage.app.screen_strips()):
                x = 0
                for part, style, _ in strip:
                    for character in part:
                        if style is not None and style.color is not None and not character.isspace():
                            drawn = terminal.buffer[y][x].fg.replace("brown", "yellow")
                            assert drawn == _name(style.color), (y, x)
                        x += cell_len(character)
        assert written < plain / 4

    perform(scenario, size=(100, 30), app_class=Taped, theme_name=theme_name)


@pytest.mark.parametrize("key", ["question_mark", "L", "T", "comma", "ctrl+p"])
def test_a_tick_writes_nothing_over_a_dialogue(key: str) -> None:
    async def scenario(stage: Stage) -> None:
        assert isinstance(stage.app, Taped)
        terminal = pyte.Screen(100, 30)
        stream = pyte.Stream(terminal)
        await stage.press(key)
        assert stage.app.screen is not stage.app.frame
        for _ in range(3):
            await stage.tick()
            stream.feed("".join(stage.app.tape))
            stage.app.tape.clear()
            assert [line.rstrip() for line in terminal.display] == stage.text().split("\n")
        await stage.press("escape")
        await stage.tick()
        stream.feed("".join(stage.app.tape))
        assert stage.app.screen is stage.app.frame
        assert [line.rstrip() for line in terminal.display] == stage.text().split("\n")

    perform(scenario, size=(100, 30), app_class=Taped)


def _name(colour: Color) -> str:
    """Return the name of a colour as pyte has it."""
    if colour.triplet:
        return colour.triplet.hex[1:]
    numbers = {number: name for name, number in reversed(ANSI_COLOR_NAMES.items())}
    return "default" if colour.number is None else numbers[colour.number].replace("_", "")


def test_nothing_new_is_written_where_nothing_changed() -> None:
    async def scenario(stage: Stage) -> None:
        assert isinstance(stage.app, Taped)
        await stage.press("p")
        stage.app.tape.clear()
        await stage.tick()
        moved = "".join(stage.app.tape)
        assert moved == "\x1b[2;71H\x1b[38;2;148;158;171;48;2;20;23;28m1\x1b[0m"  # how far behind the screen is

    perform(scenario, app_class=Taped)


@pytest.mark.parametrize(
    ("before", "after", "sequence"),
    [
        (None, RED, "\x1b[38;2;255;0;0;48;2;16;16;16m"),
        (RED, BOLD, "\x1b[1m"),
        (BOLD, RED, "\x1b[0;38;2;255;0;0;48;2;16;16;16m"),
        (RED, Style(color="#ff0000", bgcolor="default"), "\x1b[49m"),
        (RED, RED, ""),
        (None, None, ""),
        (None, Style(color=Color.parse("red"), reverse=True), "\x1b[7;31m"),
    ],
)
def test_styles_are_written_as_differences(before: Style | None, after: Style | None, sequence: str) -> None:
    assert transition(look_of(before, 1 << 24), look_of(after, 1 << 24)) == sequence


def test_fewer_colours_where_the_terminal_has_fewer() -> None:
    assert transition(look_of(None, 256), look_of(RED, 256)) == "\x1b[38;5;196;48;5;233m"
    assert transition(look_of(None, 16), look_of(RED, 16)) == "\x1b[31;40m"
    assert transition(look_of(None, 8), look_of(RED, 8)) == "\x1b[31;40m"
    assert transition(look_of(None, 0), look_of(BOLD, 0)) == "\x1b[1m"


def test_a_cleared_row_with_a_blank_end_is_three_bytes() -> None:
    """A pane that is opened clears the rows of the pane before it, whose ends are blank on the terminal already."""
    writer = TerminalWriter(TerminalTraits())

    def written(text: str) -> str:
        update = LayoutUpdate([[Strip([Segment(text)])]], Region(0, 0, 40, 1))
        row: str = writer.smaller_update(update).render_segments(Console(width=40, force_terminal=True))
        return row

    assert written("a row of words".ljust(40)).endswith("words\x1b[K\x1b[0m")
    assert written(" " * 30) == "\x1b[1;1H\x1b[K\x1b[0m"
    assert written(f"a{' ' * 28}b") == "\x1b[1;1Ha\x1b[28Cb\x1b[0m"
    assert written(" " * 20 + "x") == "\x1b[1;1H \x1b[19Cx\x1b[0m"  # the text behind the blanks stays


def test_a_screen_of_an_older_size_stays_within_the_terminal() -> None:
    """A terminal writes a row below its last one over its last row, and a cell beyond its last column over that."""
    terminal = pyte.Screen(6, 2)
    writer = TerminalWriter(TerminalTraits())
    rows = [
        (0, 0, [("ab网", None), ("cdef", None)]),
        (1, 4, [("gh", None)]),
        (1, 6, [("x", None)]),
        (2, 0, [("below", None)]),
    ]
    update = SmallerUpdate(rows, writer)
    update.crop(6, 2)
    pyte.Stream(terminal).feed(update.render_segments(Console(width=6, height=2)))
    assert [line.replace("网 ", "网") for line in terminal.display] == ["ab网cd", "    gh"]


def test_an_app_crops_a_screen_of_an_older_size(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(stage: Stage) -> None:
        cropped: list[tuple[int, int]] = []
        monkeypatch.setattr(SmallerUpdate, "crop", lambda _, width, height: cropped.append((width, height)))
        stage.app._display(stage.app.frame, SmallerUpdate([], stage.app.writer))
        assert cropped == []
        monkeypatch.setattr(stage.app, "_size", Size(60, 15))
        stage.app._display(stage.app.frame, SmallerUpdate([], stage.app.writer))
        assert cropped == [(60, 15)]

    perform(scenario)


def test_unknown_updates_are_left_to_textual() -> None:
    writer = TerminalWriter(TerminalTraits())
    assert writer.smaller_update(None) is None
    other = object()
    assert writer.smaller_update(other) is other


@pytest.mark.parametrize("how", ["key", "resumed"])
def test_the_whole_screen_is_painted_again_when_asked_for(how: str) -> None:
    async def scenario(stage: Stage) -> None:
        assert isinstance(stage.app, Taped)
        stage.app.tape.clear()
        if how == "key":
            await stage.press("ctrl+l")
        else:
            stage.app.app_resume_signal.publish(stage.app)
            await stage.pilot.pause()
        terminal = pyte.Screen(80, 24)
        pyte.Stream(terminal).feed("".join(stage.app.tape))
        assert [line.rstrip() for line in terminal.display] == stage.text().split("\n")

    perform(scenario, app_class=Taped)
