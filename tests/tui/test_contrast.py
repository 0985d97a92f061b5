"""Every text of every shipped theme can be read on every ground of the screen (WCAG 2 level AA: 4.5 to 1)."""

from __future__ import annotations

import pytest

from bpftop.tui.role_styles import RoleStyles
from bpftop.tui.themes import ROLES
from tests.tui.colours import MACHADO, PALETTES, contrast, differences, text_and_ground
from tests.tui.conftest import THEMES, theme

NAMES = sorted(path.stem for path in THEMES.glob("*.yaml"))
GROUNDS = ("background", "cursor")


def test_there_is_a_theme_for_everybody() -> None:
    assert {"ansi16", "colour-blind", "dark", "high-contrast", "light", "warm"} <= set(NAMES)


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("role", [role for role in ROLES if role not in GROUNDS])
@pytest.mark.parametrize("name", NAMES)
def test_a_role_can_be_read_on_each_ground(name: str, role: str, palette: str) -> None:
    styles, wanted = RoleStyles(theme(name)), 7.0 if name == "high-contrast" else 4.5
    for suffix in ("", "!"):
        text, ground = text_and_ground(styles[f"{role}{suffix}"], PALETTES[palette])
        assert contrast(text, ground) >= wanted, (suffix, text, ground)


@pytest.mark.parametrize("deficiency", MACHADO)
def test_the_colour_blind_theme_keeps_meanings_apart(deficiency: str) -> None:
    """A CIE76 difference of 2.3 can just be noticed; 20 is seen at a glance."""
    colours = theme("colour-blind").colours
    meanings = [colours[role] for role in ("good", "notice", "alarm", "good")]
    assert min(differences(MACHADO[deficiency], *meanings)) > 20
