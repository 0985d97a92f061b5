"""Private parts of Textual that bpftop uses: each is where it was, and means what it meant."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import signal
import threading
import tty
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual import _compositor
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.containers import Container
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Region, Size
from textual.message import Message
from textual.messages import Update
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from bpftop.tui.moment_app import TOASTS_AT_ONCE
from bpftop.tui.seams import LineAnswered, SeamedApp, SleepingDriver, TerminalFile
from bpftop.tui.terminal import writer as terminal_writer
from bpftop.tui.terminal.traits import TerminalTraits
from bpftop.tui.terminal.writer import SmallerUpdate, TerminalWriter
from bpftop.tui.widgets.canvas import Canvas
from bpftop.tui.widgets.key_line import KeyLine
from bpftop.tui.widgets.tab_line import TabLine
from tests.tui.conftest import Stage, perform
from tests.waiting import until_async


def test_every_seam_is_where_it_was() -> None:
    assert list(inspect.signature(App._display).parameters) == ["self", "screen", "renderable"]
    assert list(inspect.signature(App._fatal_error).parameters) == ["self"]
    assert list(inspect.signature(App._close_messages_no_wait).parameters) == ["self"]
    assert "self" in inspect.signature(_compositor.Compositor.render_strips).parameters
    assert vars(terminal_writer)["ChopsUpdate"] is _compositor.ChopsUpdate
    assert vars(terminal_writer)["LayoutUpdate"] is _compositor.LayoutUpdate
    assert {"spans", "chops"} <= set(inspect.signature(_compositor.ChopsUpdate.__init__).parameters)
    assert {"strips", "region"} <= set(inspect.signature(_compositor.LayoutUpdate.__init__).parameters)
    assert list(inspect.signature(Widget._set_dirty).parameters) == ["self", "regions"]
    assert list(inspect.signature(_compositor.Compositor.update_widgets).parameters) == ["self", "widgets"]
    assert isinstance(inspect.getattr_static(_compositor.Compositor, "visible_widgets"), property)
    assert _compositor.Compositor().size == Size(0, 0)
    assert list(inspect.signature(Screen._compositor_refresh).parameters) == ["self"]
    assert list(inspect.signature(LinuxDriver.run_input_thread).parameters) == ["self"]
    assert LinuxDriver._get_terminal_size.__annotations__["return"] == "tuple[int, int]"
    assert "not self._in_band_window_resize" in inspect.getsource(LinuxDriver.start_application_mode)
    assert "WriterThread(self._file)" in inspect.getsource(LinuxDriver.start_application_mode)
    assert XTermParser()._timeout_time is None


def test_textual_uses_the_writer_and_knows_background_screens() -> None:
    async def scenario(stage: Stage) -> None:
        displayed: list[Any] = []
        smaller = stage.app.writer.smaller_update

        def counted(update: Any) -> Any:
            displayed.append(update)
            return smaller(update)

        stage.app.writer.smaller_update = counted  # type: ignore[method-assign]
        stage.app.frame.refresh(Region(0, 0, 1, 1))
        await stage.pilot.pause()
        assert any(isinstance(update, _compositor.ChopsUpdate) for update in displayed)
        await stage.press("ctrl+p")
        assert "web-17" in stage.line(1)  # behind the palette

    perform(scenario)


def test_a_tick_is_one_update_without_messages_of_widgets(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(stage: Stage) -> None:
        updates: list[Any] = []
        asked: list[Widget] = []
        smaller = stage.app.writer.smaller_update
        on_update = stage.app.frame._on_update

        def kept(update: Any) -> Any:
            updates.append(update)
            return smaller(update)

        async def counted(message: Update) -> None:
            asked.append(message.widget)
            await on_update(message)

        monkeypatch.setattr(stage.app.writer, "smaller_update", kept)
        monkeypatch.setattr(stage.app.frame, "_on_update", counted)
        await stage.tick(3)
        assert [type(update) for update in updates] == [SmallerUpdate] * 3
        assert asked == []

    perform(scenario, size=(160, 50))


def test_a_tick_renders_no_widget_without_a_toast(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(stage: Stage) -> None:
        rendered: list[Widget] = []
        render_lines = Widget.render_lines

        def kept(widget: Canvas, crop: Region) -> list[Strip]:
            rendered.append(widget)
            return render_lines(widget, crop)

        monkeypatch.setattr(Canvas, "render_lines", kept)
        await stage.tick(3)
        assert rendered == []
        stage.app.say("a toast")
        await stage.pilot.pause()
        rendered.clear()
        await stage.tick()
        assert rendered != []
        assert "a toast" in stage.text()

    perform(scenario, size=(160, 50), toasts=True)


def test_a_tick_below_a_toast_drops_no_repaint_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A widget has asked for a repaint, and the screen waits for its timer: the tick comes in between."""

    async def scenario(stage: Stage) -> None:
        app = stage.app
        updates: list[Any] = []
        app.say(" ".join(["a toast"] * 40))
        await stage.pilot.pause()
        keys, tabs = app.frame.query_one(KeyLine), app.frame.query_one(TabLine)
        below = next(region for region in app.frame.query(Canvas) if _is_covered(app, region))
        app.frame._update_timer.pause()
        app.frame._dirty_widgets.update({keys, tabs})
        keys._set_dirty()
        tabs._set_dirty()
        smaller = app.writer.smaller_update

        def kept(update: Any) -> Any:
            updates.append(update)
            return smaller(update)

        monkeypatch.setattr(app.writer, "smaller_update", kept)
        with app.painting():
            app.repaint(below, [(Region(0, 0, 1, 1), [("x", None)])])
        await stage.pilot.pause()
        chops = (update for update in updates if isinstance(update, _compositor.ChopsUpdate))
        written = {line for update in chops for line, _, _ in update.spans}
        assert {tabs.region.y, keys.region.y} <= written

    perform(scenario, size=(100, 30), toasts=True)


def test_toasts_that_give_way_leave_nothing_behind() -> None:
    async def scenario(stage: Stage) -> None:
        for number in range(3 * TOASTS_AT_ONCE + 1):
            stage.app.say(f"toast {number}")
            await stage.pilot.pause()
        assert [toast.parent for toast in stage.app.screen.query("Toast")] == list(
            stage.app.screen.query("ToastHolder")
        )
        assert "toast 9" in stage.text()
        assert "toast 8" not in stage.text()

    perform(scenario, size=(160, 50), toasts=True)


def _is_covered(app: SeamedApp, widget: Widget) -> bool:
    """Return True if something stands before a part of a widget of the screen."""
    screen = app.screen
    return widget in screen._compositor.visible_widgets and widget not in app._uncovered_widgets(screen)


def test_the_last_size_counts_where_an_older_one_is_told_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second SIGWINCH interrupts the handler of the first one between its look at the size and its message."""

    async def scenario(stage: Stage) -> None:
        monkeypatch.setattr(stage.app, "terminal_size", lambda: Size(100, 30))
        await stage.pilot.resize_terminal(100, 30)
        await stage.pilot.resize_terminal(120, 40)
        await until_async(lambda: stage.app.screen.size == (100, 30), lambda: stage.app.screen.size)

    perform(scenario, size=(80, 24))


class Listening(SleepingDriver):
    """A driver on a pseudo-terminal that keeps what it reads."""

    def __init__(self, terminal: int) -> None:
        super().__init__(App(), size=(80, 24))
        self.fileno = terminal
        self.heard: list[str] = []
        self._key_thread = threading.Thread(target=self.run_input_thread, daemon=True)
        self._key_thread.start()

    def process_message(self, message: Message) -> None:
        self.heard.append(str(getattr(message, "key", message)))

    def write(self, data: str) -> None:
        """Show nothing: only the input is tested."""

    def woken(self) -> int:
        """Return how often the thread of the input has gone to sleep so far."""
        assert self._key_thread is not None
        status = Path(f"/proc/self/task/{self._key_thread.native_id}/status").read_text()
        return int(re.findall(r"^voluntary_ctxt_switches:\t(\d+)", status, re.MULTILINE)[0])

    def has_heard(self, keys: list[str]) -> bool:
        return self.heard == keys

    def is_asleep(self) -> bool:
        assert self._key_thread is not None
        return Path(f"/proc/self/task/{self._key_thread.native_id}/stat").read_text().split()[2] == "S"


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Return the person's end and the program's end of a terminal. A driver changes handlers of signals."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)}
    ends = os.openpty()
    tty.setraw(ends[1])
    yield ends
    for end in ends:
        os.close(end)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_driver_sleeps_until_a_key_is_pressed_and_ends_at_once(terminal: tuple[int, int]) -> None:
    async def scenario() -> None:
        driver = Listening(terminal[1])
        await until_async(driver.is_asleep, "the thread sleeps")
        before = driver.woken()
        await asyncio.sleep(0.5)  # five looks of Textual's driver
        assert driver.woken() == before
        umlaut = "ä".encode()
        for typed, heard in (
            ((b"q",), ["q"]),
            ((b"\x1b[A",), ["q", "up"]),
            ((b"\x1b",), ["q", "up", "escape"]),
            ((umlaut[:1], umlaut[1:]), ["q", "up", "escape", "ä"]),
        ):
            for part in typed:
                os.write(terminal[0], part)
            await until_async(partial(driver.has_heard, heard), lambda: driver.heard)
        driver.disable_input()
        assert driver._key_thread is not None
        assert not driver._key_thread.is_alive()

    asyncio.run(scenario())


def test_the_position_of_the_cursor_is_an_answer_and_no_key(terminal: tuple[int, int]) -> None:
    async def scenario() -> None:
        driver = Listening(terminal[1])
        line = driver._line
        line.begin()
        os.write(terminal[0], b"a\x1b[12;40Rb")
        expected = ["a", str(LineAnswered()), "b"]
        await until_async(partial(driver.has_heard, expected), lambda: driver.heard)
        assert line.answers
        assert not line.is_awaited
        driver.disable_input()

    asyncio.run(scenario())


def test_answers_under_way_are_read_before_the_end(terminal: tuple[int, int]) -> None:
    """The shell would take them for typed text."""

    async def scenario() -> None:
        driver = Listening(terminal[1])
        driver._line.begin()
        driver._line.heard()
        assert driver._line.wrote(1_000)
        late = threading.Timer(0.2, os.write, (terminal[0], b"\x1b[1;1R"))
        late.start()
        driver._await_last_answers()
        assert not driver._line.is_awaited
        driver.disable_input()
        late.join()

    asyncio.run(scenario())


def test_what_is_written_to_a_terminal_that_is_gone_is_dropped() -> None:
    person, program = os.openpty()
    with open(program, "w") as file:
        to_terminal = TerminalFile(file)
        to_terminal.write("seen")
        to_terminal.flush()
        assert os.read(person, 10) == b"seen"
        os.close(person)
        for _ in range(2):
            to_terminal.write("lost")
            to_terminal.flush()
        assert to_terminal.is_gone
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), program)  # takes what the file still keeps
    with open("/dev/full", "w") as full, open(os.devnull, "w") as null:
        with pytest.raises(OSError, match="No space left"):
            TerminalFile(full).write("x" * 100_000)
        os.dup2(null.fileno(), full.fileno())


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


def test_an_app_may_end_right_after_a_change_of_size() -> None:
    apps: list[SeamedApp] = []

    async def scenario(stage: Stage) -> None:
        await stage.pilot.resize_terminal(100, 30)
        apps.append(stage.app)

    perform(scenario, ticks=1)
    apps[0]._repaint()  # as its timer may call it while the screens are taken away
    assert apps[0].failure is None


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
