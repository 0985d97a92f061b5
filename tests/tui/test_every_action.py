"""Every action of the table is done by the keyboard alone and by the mouse alone, and each changes something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from textual.events import MouseScrollDown
from textual.pilot import _get_mouse_message_arguments

from bpftop.tui.actions import ACTIONS, Action
from bpftop.tui.moment import Choices
from bpftop.tui.panes.measure import MeasurePane
from bpftop.tui.widgets.chart import AXIS
from bpftop.tui.widgets.key_line import KeyLine
from tests.tui.conftest import Stage, perform
from tests.tui.engines import CannedMaps, CannedSuites
from tests.tui.fake_source import interface

BEFORE: Mapping[str, tuple[str, ...]] = {
    "overview": ("2",), "back": ("j",), "later": ("left", "left"), "much_later": ("shift+left",), "choose": ("j",),
    "wide": ("2",), "group": ("4",), "names": ("4",), "sample": ("4",), "kind": ("7",), "run": ("7",),
    "up": ("j", "j"), "page_up": ("G",), "first": ("G",), "page_down": ("g",), "reverse": ("s", "s"),
}  # fmt: skip
"""Action -> keys after which it has something to do."""
LEAVES = ("quit", "suspend")
"""Actions that leave the screen: tested in test_keys."""
TWO = (interface("eth0", 2, offer="native XDP, exact"), interface("eth1", 3))
ENGINES = {"maps": CannedMaps(), "programs": CannedSuites(), "names": lambda address: "a.name"}


def state(stage: Stage) -> list[Any]:
    """Return all that an action may change."""
    app = stage.app
    return [
        app.place, app.choices, len(app.said), type(app.screen), app.colours.name, app.clipboard, app.focused,
        len(stage.saved), len(stage.source.flows_asked), stage.text(), app.updates,  # type: ignore[attr-defined]
    ]  # fmt: skip


async def begin(stage: Stage, action: Action) -> None:
    """Return to the Overview as it was at the start, then press what makes the action possible."""
    while stage.app.screen is not stage.app.frame:
        stage.app.pop_screen()
    for pane in stage.app.frame.panes.values():
        if isinstance(pane, MeasurePane):
            pane.on_unmount()  # end a run
        if (table := pane.table()) is not None:
            table.select("")
            table.filter_by("")
            table.sort_by("")
    stage.app.choices = Choices()
    await stage.app.action_open_pane("overview")
    await stage.pilot.pause()
    await stage.press(*BEFORE.get(action.id, ()))
    if action.id == "names":
        await stage.tick(2)  # the first flows


def watched(stage: Stage) -> None:
    """Count the whole repaints, the only thing that "repaint" does."""
    app: Any = stage.app
    app.updates = 0
    repaint = app.action_repaint

    def counted() -> None:
        app.updates += 1
        repaint()

    app.action_repaint = counted


def test_the_keyboard_alone_reaches_every_action() -> None:
    async def scenario(stage: Stage) -> None:
        watched(stage)
        for action in ACTIONS:
            if action.id not in LEAVES:
                await begin(stage, action)
                before = state(stage)
                await stage.press(action.keys.split(",")[0])
                await stage.app.workers.wait_for_complete()
                await stage.pilot.pause()
                assert state(stage) != before, action.id

    perform(scenario, size=(120, 40), interfaces=TWO, engines=ENGINES, actions={"record": lambda: "to a file"})


def test_the_mouse_alone_reaches_every_action() -> None:
    """Open the palette by a click on its key, find the action with the wheel, and click on it."""

    async def scenario(stage: Stage) -> None:
        watched(stage)
        for action in ACTIONS:
            if action.id in (*LEAVES, "palette"):
                continue
            await begin(stage, action)
            before = state(stage)
            await stage.pilot.click(KeyLine, offset=(stage.line(-1).index("^p"), 0))
            await stage.pilot.pause()
            await click_on(stage, f"  {action.title}  ({action.first_key})")
            await stage.app.workers.wait_for_complete()
            await stage.pilot.pause()
            assert state(stage) != before, action.id

    perform(scenario, size=(120, 40), interfaces=TWO, engines=ENGINES, actions={"record": lambda: "to a file"})


async def click_on(stage: Stage, title: str) -> None:
    """Turn the wheel until the line is on the screen, and click on it."""
    for _ in range(20):
        rows = [y for y, row in enumerate(stage.text().splitlines()) if row.startswith(title)]
        if rows:
            await stage.pilot.click(offset=(4, rows[0]))
            await stage.pilot.pause()
            return
        await turn_wheel(stage)
    pytest.fail(f"the palette has no {title!r}: {stage.text()}")


async def turn_wheel(stage: Stage) -> None:
    """Turn the wheel over the list by four notches, as fast as a finger does: less than a page."""
    screen = stage.app.screen
    for _ in range(4):
        screen._forward_event(MouseScrollDown(**_get_mouse_message_arguments(screen, (10, 12))))
    await stage.pilot.pause()


def test_tabs_hints_rows_and_the_chart_can_be_clicked() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.pilot.click(offset=(stage.line(0).index("CPUs"), 0))
        await stage.pilot.pause()
        assert stage.app.place.pane == "cpus"
        await stage.pilot.click(offset=(stage.line(-1).index("w strip"), 39))
        await stage.pilot.pause()
        assert "A cell per CPU" in stage.text()
        await stage.pilot.click(offset=(stage.line(0).index("Overview"), 0))
        await stage.pilot.pause()
        row = next(y for y, line in enumerate(stage.text().splitlines()) if line.startswith("UDP"))
        await stage.pilot.click(offset=(3, row))
        await stage.pilot.pause()
        assert "◂" in stage.row("UDP")
        await stage.pilot.click(offset=(3, row))
        await stage.pilot.pause()
        assert stage.app.place.pane == "flows"
        await stage.pilot.click(offset=(stage.line(0).index("esc back"), 0))
        await stage.pilot.pause()
        assert stage.app.place.pane == "overview"
        axis = next(y for y, line in enumerate(stage.text().splitlines()) if "      0 ┼" in line)
        await stage.pilot.hover(offset=(AXIS + 57, axis))  # 60 cells of 10 s, the newest on the right
        await stage.pilot.pause()
        assert "and 10 s" in stage.text()
        await stage.pilot.click(offset=(AXIS + 57, axis))
        await stage.pilot.pause()
        assert stage.app.choices.paused is not None
        assert "PAUSED" in stage.line(1)

    perform(scenario, size=(120, 40))
