"""Private parts of Textual that bpftop uses: each is where it was, and means what it meant."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from textual import _compositor
from textual.app import App
from textual.containers import Container
from textual.widgets import Static

from bpftop.tui import terminal_diff
from bpftop.tui.seams import SeamedApp
from bpftop.tui.terminal_diff import TerminalWriter
from bpftop.tui.terminal_traits import TerminalTraits
from tests.tui.conftest import Stage, perform


def test_every_seam_is_where_it_was() -> None:
    assert list(inspect.signature(App._display).parameters) == ["self", "screen", "renderable"]
    assert list(inspect.signature(App._fatal_error).parameters) == ["self"]
    assert list(inspect.signature(App._close_messages_no_wait).parameters) == ["self"]
    assert "self" in inspect.signature(_compositor.Compositor.render_strips).parameters
    assert vars(terminal_diff)["ChopsUpdate"] is _compositor.ChopsUpdate
    assert vars(terminal_diff)["LayoutUpdate"] is _compositor.LayoutUpdate
    assert {"spans", "chops"} <= set(inspect.signature(_compositor.ChopsUpdate.__init__).parameters)
    assert {"strips", "region"} <= set(inspect.signature(_compositor.LayoutUpdate.__init__).parameters)


def test_textual_writes_through_the_writer_and_knows_the_background_screens() -> None:
    async def scenario(stage: Stage) -> None:
        displayed: list[Any] = []
        smaller = stage.app.writer.smaller_update

        def counted(update: Any) -> Any:
            displayed.append(update)
            return smaller(update)

        stage.app.writer.smaller_update = counted  # type: ignore[method-assign]
        await stage.tick()
        assert any(isinstance(update, _compositor.ChopsUpdate) for update in displayed)
        await stage.press("ctrl+p")
        assert "web-17" in stage.line(1)  # behind the palette

    perform(scenario)


def test_an_exception_ends_the_app_and_is_kept() -> None:
    class Failing(SeamedApp):
        def on_mount(self) -> None:
            raise LookupError("lost")

    app = Failing(TerminalWriter(TerminalTraits()))
    app.run(headless=True)
    assert isinstance(app.failure, LookupError)


class SlowlyBuilt(SeamedApp):
    """Mounts a widget below another once it is told to go on, as a screen that is built in steps does."""

    def __init__(self) -> None:
        super().__init__(TerminalWriter(TerminalTraits()))
        self.go_on = asyncio.Event()

    async def build(self) -> None:
        await self.go_on.wait()
        outer = Container()
        await self.mount(outer)
        await outer.mount(Static())
        self.screen_built()


def test_a_wish_to_quit_waits_until_the_screen_is_built() -> None:
    async def scenario() -> None:
        app = SlowlyBuilt()
        async with app.run_test() as pilot:
            building = asyncio.create_task(app.build())
            app.quit_once_built()
            await pilot.pause()
            assert app.is_running
            app.go_on.set()
            await building
            assert len(app.query(Static)) == 1
        assert app.failure is None
        assert app.return_code == 0

    asyncio.run(scenario())
