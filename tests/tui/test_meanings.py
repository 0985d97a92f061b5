"""Every meaning that a colour carries is in the text or in its place too: for NO_COLOR, monochrome and 8 colours."""

from __future__ import annotations

from typing import get_args

import pytest
from rich.color import Color
from rich.style import Style

from bpftop.model.findings import SEVERITIES, Severity
from bpftop.model.units import spark
from bpftop.render.ascii import ascii_text
from bpftop.render.finding_columns import MARKS
from bpftop.render.path_rows import StageVerdict
from bpftop.tui.role_styles import RoleStyles
from bpftop.tui.terminal.writer import look_of
from bpftop.tui.themes import BOLD, ROLES
from tests.tui.colours import PALETTES, contrast, text_and_ground
from tests.tui.conftest import THEMES, Stage, perform, theme

TEXT_ROLES = [role for role in ROLES if role not in ("background", "cursor")]


@pytest.mark.parametrize("severity", SEVERITIES)
def test_each_severity_has_a_mark_and_a_word_of_its_own(severity: Severity) -> None:
    shown = {each: ascii_text(mark) for each, mark in MARKS.items()}
    assert len({mark.split()[0] for mark in shown.values()}) == len(SEVERITIES)
    assert {"critical": "critical", "warning": "warning", "info": "note"}[severity] in shown[severity].lower()


def test_each_verdict_of_the_path_is_a_word_of_its_own() -> None:
    words = get_args(StageVerdict)
    assert len(set(words)) == len(words) >= 6
    assert all(word.isascii() and word.isalpha() for word in words)


def test_each_step_of_a_trend_has_a_character_of_its_own() -> None:
    steps = spark([0, 1, 2, 3, 4, 5, 6], 7)
    assert len(set(steps)) == 7
    assert len(set(ascii_text(steps))) == 7


@pytest.mark.parametrize("colours", [0, 8])
@pytest.mark.parametrize("role", TEXT_ROLES)
def test_the_selected_row_and_an_alarm_stand_out(role: str, colours: int) -> None:
    """The theme is what such a terminal gets: without colours, or the sixteen colours of the terminal."""
    chosen = theme("ansi16")
    styles = RoleStyles(chosen if colours else chosen.without_colour())
    plain, selected = (look_of(styles[f"{role}{suffix}"], colours) for suffix in ("", "!"))
    assert plain != selected or role == "alarm"  # an alarm is reversed everywhere; the cursor beside it is a character
    assert ("1" in plain[0]) >= (role in BOLD)
    assert ("7" in plain[0]) == (role == "alarm")
    if not colours:
        assert (plain[1:], selected[1:]) == (("39", "49"), ("39", "49"))


@pytest.mark.parametrize("number", range(16))
def test_eight_colours_have_bold_for_the_bright_ones(number: int) -> None:
    attributes, colour, _ = look_of(Style(color=Color.from_ansi(number)), 8)
    assert colour == str(30 + number % 8)
    assert ("1" in attributes) == (number >= 8)


SCREENS: tuple[tuple[str, ...], ...] = (
    (), ("2",), ("3",), ("8",), ("1", "question_mark"), ("escape", "ctrl+p"), ("escape", "T"), ("escape", "comma"),
    ("escape", "L"),
)  # fmt: skip
"""Keys that lead from one screen to the next: panes, help, palette, themes, settings, messages."""


@pytest.mark.parametrize("name", sorted(path.stem for path in THEMES.glob("*.yaml")))
def test_every_text_on_the_screen_can_be_read(name: str) -> None:
    """WCAG 2 level AA, for what Textual draws too: the palette, forms, lists, toasts."""

    async def scenario(stage: Stage) -> None:
        await stage.press("j")
        for keys in SCREENS:
            await stage.press(*keys)
            stage.app.say("a message")
            await stage.pilot.pause()
            pairs = {
                text_and_ground(segment.style, PALETTES["xterm"])
                for strip in stage.app.screen_strips()
                for segment in strip
                if segment.style is not None and any(character.isalnum() for character in segment.text)
            }
            assert pairs
            assert {pair for pair in pairs if contrast(*pair) < 4.5} == set(), keys

    perform(scenario, size=(100, 30), theme_name=name)
