"""Themes: the shipped ones, what can be wrong in a file, and screens without colour."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bpftop.errors import UsageError
from bpftop.tui.role_styles import RoleStyles
from bpftop.tui.themes import BOLD, ROLES, TERMINAL_COLOURS, Theme, find_theme, read_theme
from tests.kernel.test_probe import as_nobody
from tests.tui.conftest import THEMES, Stage, perform, theme


@pytest.mark.parametrize("name", sorted(path.stem for path in THEMES.glob("*.yaml")))
def test_shipped_themes_say_what_yaml_says(name: str) -> None:
    path = THEMES / f"{name}.yaml"
    assert read_theme(path).colours == yaml.safe_load(path.read_text())
    assert set(theme(name).colours) == set(ROLES)


def test_shipped_themes_are_read_without_yaml() -> None:
    program = (
        "import sys; from pathlib import Path; from bpftop.tui.themes import read_theme\n"
        f"[read_theme(path) for path in Path({str(THEMES)!r}).glob('*.yaml')]\n"
        "print({'yaml', 'rich', 'textual'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "set()\n"


def test_ansi16_uses_the_sixteen_colours_of_the_terminal_alone() -> None:
    assert set(theme("ansi16").colours.values()) <= set(TERMINAL_COLOURS)
    role_styles = RoleStyles(theme("ansi16"))
    for role in ROLES:
        for style in (role_styles[role], role_styles[f"{role}!"]):
            assert style.color is not None
            assert style.color.triplet is None
            assert style.color.is_default or style.color.is_system_defined


def written(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    return path


WHOLE = "".join(f"{role}: default\n" for role in ROLES)


def test_a_theme_with_all_of_yaml_in_it(tmp_path: Path) -> None:
    traffic = "{" + ", ".join(f"{role}: 'red'" for role in ROLES) + "}"
    assert set(read_theme(written(tmp_path, traffic)).colours.values()) == {"red"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (WHOLE + "colour: red\n", "'colour' is no role; the roles are background, cursor, "),
        (WHOLE.replace("bar: default", "bar: mauve"), "bar: 'mauve' is no colour; write \"#rrggbb\""),
        (WHOLE.replace("bar: default", "bar: #ff0000"), "bar: '' is no colour"),  # unquoted, a comment to YAML
        (WHOLE.replace("bar: default\n", ""), "no colour for bar"),
        ("- a list\n", "a theme is a list of `role: colour` lines"),
        ("bar: [red\n", "line 2: not YAML: "),
        ("bar: \x01\n", "not YAML"),
    ],
)
def test_a_bad_theme_is_one_sentence_with_file_and_field(tmp_path: Path, content: str, sentence: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(UsageError) as caught:
        read_theme(path)
    assert str(caught.value).startswith(str(path))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_such_theme_offers_those_there_are(tmp_path: Path) -> None:
    written(tmp_path, WHOLE)
    assert find_theme("mine", [THEMES, tmp_path]).name == "mine"
    known = ", ".join(sorted(("mine", *(path.stem for path in THEMES.glob("*.yaml")))))
    with pytest.raises(UsageError, match=f"no theme 'drak'; there is {known}"):
        find_theme("drak", [THEMES, tmp_path])
    with pytest.raises(UsageError, match="cannot read the theme"):
        read_theme(tmp_path)


@pytest.mark.root
def test_a_folder_that_cannot_be_read_has_no_themes(tmp_path: Path) -> None:
    """sudo -u keeps HOME where its policy says so: the person's own themes then belong to another user."""
    written(tmp_path, WHOLE)
    assert as_nobody(lambda: find_theme("mine", [tmp_path])) == "UsageError : no theme 'mine'; there is none"


def test_no_color_leaves_no_colour_and_the_same_text(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []

    async def scenario(stage: Stage) -> None:
        await stage.press("j")
        texts.append(stage.text())
        styles = {style for strip in stage.app.screen_strips() for _, style, _ in strip}
        if stage.app.colours.colours["bar"] == "default":
            assert all(s and s.color and s.color.is_default and s.bgcolor and s.bgcolor.is_default for s in styles)
            assert any(s and s.reverse for s in styles)  # the cursor
            assert any(s and s.bold for s in styles)

    perform(scenario)
    monkeypatch.setenv("NO_COLOR", "1")
    perform(scenario)
    assert texts[0] == texts[1]


def test_every_bold_role_is_a_role() -> None:
    assert set(ROLES) >= BOLD
    assert isinstance(Theme.from_mapping("x", dict.fromkeys(ROLES, "default"), "here"), Theme)
