"""Every pane at five sizes, in two themes and without colours, and the frame through an hour of events."""

from __future__ import annotations

import itertools
import threading

import pytest
from rich.color import ColorType

from bpftop.rules.table import chosen
from bpftop.tui.panes import PANES
from tests.rules.world import World
from tests.tui import conftest
from tests.tui.conftest import Same, Stage, perform, theme
from tests.tui.engines import CannedMaps, CannedSuites
from tests.tui.test_findings import Scripted, nothing

SIZES = [(60, 15), (80, 24), (100, 30), (160, 50), (220, 60)]
ENGINES = {"maps": CannedMaps(), "programs": CannedSuites()}


@pytest.mark.parametrize("pane", PANES)
def test_each_pane_is_the_same_in_every_theme(same: Same, pane: str) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.app.action_open_pane(pane)
        await stage.pilot.pause()  # what the pane asks for is in the samples from the next one on
        await stage.tick(2)
        for size in reversed(SIZES):  # the widest one asks for the most
            await stage.pilot.resize_terminal(*size)
            await stage.pilot.pause()
            await same_in_every_theme(stage, same, f"every-{pane}-{size[0]}x{size[1]}.txt", size)

    perform(scenario, size=SIZES[-1], rules=chosen(), engines=ENGINES)


async def same_in_every_theme(stage: Stage, same: Same, name: str, size: tuple[int, int]) -> None:
    stage.app.use_theme(theme())
    await stage.pilot.pause()
    drawn = stage.text()
    lines = drawn.splitlines()
    assert len(lines) == size[1]
    assert max(map(len, lines)) <= size[0]
    assert lines[-1].endswith("^p all  ? help  q quit")
    same(name, drawn)
    for theme_name in ("dark", "light"):
        stage.app.use_theme(theme(theme_name))
        await stage.pilot.pause()
        assert stage.text() == drawn
        known = {colour.lower() for colour in theme(theme_name).colours.values()}
        assert colours(stage) <= known
    stage.app.use_theme(theme().without_colour())
    await stage.pilot.pause()
    assert stage.text() == drawn
    assert colours(stage) <= {"default"}


def test_the_key_that_pauses_is_named_at_eighty_columns() -> None:
    async def scenario(stage: Stage) -> None:
        for pane in PANES:
            await stage.app.action_open_pane(pane)
            await stage.pilot.pause()
            assert ("p pause" in stage.line(-1)) == (pane != "measure"), pane

    perform(scenario)


def colours(stage: Stage) -> set[str]:
    """Return the names of all colours of text and ground on the screen."""
    styles = [style for strip in stage.app.screen_strips() for text, style, _ in strip if style and text.strip()]
    parts = itertools.chain.from_iterable((style.color, style.bgcolor) for style in styles)
    return {"default" if c.type is ColorType.DEFAULT else c.name for c in parts if c is not None}


def test_nothing_jumps_through_an_hour_of_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Findings come and go every five minutes; half an hour at each size, the first protocol stays in its line."""

    def hour(world: World, tick: int) -> None:
        nothing(world, tick)
        if tick % 300 in (3, 150):
            world.stack(UdpRcvbufErrors=500 if tick % 300 == 3 else 0, TcpInCsumErrors=9 if tick % 600 == 3 else 0)

    def source(cpus: int, interfaces: object, gate: threading.Semaphore) -> Scripted:
        return Scripted(cpus=2, gate=gate, script=hour)

    monkeypatch.setattr(conftest, "FakeSource", source)

    async def scenario(stage: Stage) -> None:
        for size in ((80, 24), (160, 50)):
            await stage.pilot.resize_terminal(*size)
            verdicts, places = set(), set()
            for _ in range(30):
                await stage.flood(60)
                verdicts.add(stage.line(2).split("  ")[0].strip())
                places.add(next(y for y, line in enumerate(stage.text().splitlines()) if line.startswith("TCP ")))
            assert len(verdicts) > 1, verdicts
            assert len(places) == 1, (size, places)

    perform(scenario, ticks=12, rules=chosen())
