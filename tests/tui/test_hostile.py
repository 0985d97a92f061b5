"""Names from the kernel may hold anything: none of it is obeyed, and none of it moves a column."""

from __future__ import annotations

import io

import pyte
import pytest
from rich.cells import cell_len
from rich.console import Console

from bpftop.tui.widgets.header import HeaderLine
from bpftop.tui.widgets.line import clean, line
from tests.tui.conftest import Stage, perform
from tests.tui.fake_source import interface

NAMES = [
    "[red]eth0",
    "\x1b[31meth0",
    "a\u202eb",
    "e\u0301th",
    "网卡0",
    "eth\x00\x7f\x9b1",
    "[@click=quit]x",
    "\ud800",
    "ﷺ",
    "\u2764\ufe0f",  # a selector of variations, which takes no cell
    "\u0915\u0947\u1160",  # a vowel sign and half a syllable, which take none
]


@pytest.mark.parametrize("name", NAMES)
def test_a_clean_name_is_visible_cells_alone(name: str) -> None:
    cleaned = clean(name)
    assert len(cleaned) == len(name)
    assert cleaned.isprintable()
    assert all(cell_len(character) == 1 for character in cleaned)


def test_an_ordinary_name_is_left_as_it_is() -> None:
    assert [clean(name) for name in ("eth0", "enp3s0f1", "[red]eth0", "größe", "vlan.12")] == [
        "eth0", "enp3s0f1", "[red]eth0", "größe", "vlan.12",
    ]  # fmt: skip


def test_markup_and_control_characters_reach_the_screen_as_text() -> None:
    hostile = (
        interface("[red]eth0", 2, notices=("lost [bold]at\x1b]0;x\x07 once",), netns="\x1b[2J"),
        interface("网卡0", 3, master=2, offer="[/] take\x1b[0m it"),
    )

    async def scenario(stage: Stage) -> None:
        assert stage.row("  [red]eth0 ")
        assert stage.row("  ??0 ")
        assert stage.line(3).startswith("! [red]eth0: lost [bold]at?]0;x? once")
        assert stage.line(-2).startswith("x: ??0: [/] take?[0m it")
        await stage.press("tab")
        assert stage.line(1).startswith("web-17  ?[2J/[red]eth0  XDP")
        for key in (
            "tab",
            "2",
            "w",
            "question_mark",
            "escape",
            "1",
            "slash",
            "left_square_bracket",
            "escape",
            "L",
            "escape",
            "x",
            "y",
        ):
            await stage.press(key)
            lines = stage.text().splitlines()
            assert max(map(cell_len, lines)) <= 80
            assert not any(character < " " for line in lines for character in line)

    perform(scenario, interfaces=hostile)


def test_a_region_cleans_text_that_was_not_cleaned() -> None:
    async def scenario(stage: Stage) -> None:
        header = stage.app.frame.query_one(HeaderLine)
        header.paint([line("a\x1b[2Jb")])
        await stage.pilot.pause()
        assert stage.line(1) == "a?[2Jb"
        header.paint([line("e\u0301 网 x\ufe0f")])  # as many cells as characters, but not one for each
        await stage.pilot.pause()
        assert stage.line(1) == "e? ? x?"

    perform(scenario)


def test_a_full_repaint_contains_no_foreign_escape_sequence() -> None:
    """A whole repaint, as the terminal gets it: read by a terminal emulator it is the screen, line by line."""

    async def scenario(stage: Stage) -> None:
        update = stage.app.screen._compositor.render_update(full=True)
        console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor")
        written = stage.app.writer.smaller_update(update).render_segments(console)
        screen = pyte.Screen(80, 24)
        pyte.Stream(screen).feed(written)
        assert [line.rstrip() for line in screen.display] == stage.text().split("\n")

    perform(scenario, interfaces=(interface("\x1b[H\x1b[2J", 2, notices=("\x1b[5;5Hx",)),))
