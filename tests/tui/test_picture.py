"""The screen as an SVG picture."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from rich.segment import Segment
from textual.strip import Strip

from bpftop.tui.role_styles import RoleStyles
from bpftop.tui.widgets.line import line
from bpftop.tui.widgets.picture import picture
from tests.tui.conftest import Stage, perform, theme

SVG = "{http://www.w3.org/2000/svg}"


def test_words_and_blocks_stand_where_they_stand_on_the_screen() -> None:
    lines = [line(("TCP", "name"), "  1.13 M"), line(("▂", "trend"), ("█▌", "bar"), ("──", "muted"), ("<&>", "text!"))]
    styles = RoleStyles(theme())
    strips = [Strip([Segment(part, styles[role]) for part, role, _ in spans]) for spans in lines]
    root = ElementTree.fromstring(picture(strips, 11, theme()))
    words = [(each.text, each.get("x"), each.get("y"), each.get("fill")) for each in root.iter(f"{SVG}text")]
    assert words == [
        ("TCP", "10.0", "23.0", "#e8ecf2"),
        ("1.13 M", "52.0", "23.0", "#d3d7de"),
        ("<&>", "52.0", "41.0", "#d3d7de"),
    ]
    boxes = [(each.get("x"), each.get("width"), each.get("height")) for each in root.iter(f"{SVG}rect")][1:]
    assert boxes == [
        ("10.0", "8.4", "4.5"),  # a quarter of a cell high
        ("18.4", "8.4", "14.0"),
        ("26.8", "4.2", "14.0"),  # half a cell wide
        ("35.2", "16.8", "1.0"),
        ("52.0", "25.2", "18.0"),  # behind the cursor
    ]


@pytest.mark.parametrize("name", ["dark", "light", "ansi16"])
def test_every_pane_is_well_formed(name: str) -> None:
    async def scenario(stage: Stage) -> None:
        for keys in (["j"], ["2"], ["w"], ["question_mark"]):
            await stage.press(*keys)
            root = ElementTree.fromstring(picture(stage.app.screen_strips(), 80, stage.app.colours))
            assert root.get("viewBox") == "0 0 692 452"
            words = "".join(each.text or "" for each in root.iter(f"{SVG}text"))
            assert "eth0" in words or "Help" in words

    perform(scenario, theme_name=name)
