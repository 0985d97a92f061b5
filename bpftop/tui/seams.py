"""Every private part of Textual that bpftop uses. tests/tui/test_seams.py fails when one of them moves."""

from __future__ import annotations

import errno
import os
import select
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from io import TextIOWrapper
from threading import Event
from time import monotonic
from typing import Any, TextIO, cast

from textual._context import visible_screen_stack
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.events import CursorPosition, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.screen import Screen
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from bpftop.tui.terminal.line_speed import LineSpeed
from bpftop.tui.terminal.traits import BELOW_SCREEN
from bpftop.tui.terminal.writer import Piece, SmallerUpdate, TerminalWriter

_READ_BYTES = 4096
_ESCAPE_LOOK_S = 0.1
ChangedCells = tuple[Region, list[Piece]]
"""Cells of a widget in one line, and what they are to show: written without Textual's compositor where that can be."""

_LAST_ANSWERS_S = 2.0
"""Time at the end in which the terminal gives the answers that it still owes."""
SETTLED_S = 0.1
"""Time after the last change of size in which all screens have taken it."""


class TerminalFile:
    """The file that Textual's thread writes to. Texts for a terminal that is gone are dropped.

    An error would end the thread, and the queue of 30 texts before it would fill and block the end of the program,
    which SIGHUP begins.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.is_gone = False

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, text: str) -> None:
        self._unless_gone(partial(self._file.write, text))

    def flush(self) -> None:
        self._unless_gone(self._file.flush)

    def _unless_gone(self, action: Callable[[], object]) -> None:
        try:
            if not self.is_gone:
                action()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self.is_gone = True


class LineAnswered(Message, bubble=False):
    """The terminal has answered a question of the writer: it has read all output before the question."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, LineAnswered)


class SleepingDriver(LinuxDriver):
    """Textual's driver for Linux, which sleeps until a key is pressed. Textual's own wakes up ten times a second."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        if self._file is not None:
            self._file = cast(TextIOWrapper, TerminalFile(self._file))
        self._line = app.writer.line if isinstance(app, SeamedApp) else LineSpeed()
        self._heard = Event()

    def start_application_mode(self) -> None:
        start: Callable[[], None] = super().start_application_mode
        start()
        if self._writer_thread is not None:  # None: the shell has put the program into the background
            self.write(self._line.begin())

    def size_now(self) -> Size | None:
        """Return the size of the terminal; None where the terminal itself tells it, in what it sends."""
        return None if self._in_band_window_resize else Size(*self._get_terminal_size())

    def disable_input(self) -> None:
        os.eventfd_write(self._wake_fd, 1)
        super().disable_input()  # waits for the thread
        os.eventfd_read(self._wake_fd)

    def stop_application_mode(self) -> None:
        self._await_last_answers()
        self.write(BELOW_SCREEN)
        super().stop_application_mode()

    def _await_last_answers(self) -> None:
        """Wait for answers on their way, which the shell would take for typed text."""
        end_s = monotonic() + _LAST_ANSWERS_S
        while self._line.is_awaited and (left_s := end_s - monotonic()) > 0:
            if self._key_thread is None or not self._key_thread.is_alive():
                return  # the terminal is gone
            self._heard.clear()
            if self._line.is_awaited:
                self._heard.wait(min(left_s, _ESCAPE_LOOK_S))

    def _take(self, event: Message) -> None:
        """Pass an event on; the position of the cursor is the answer to a question of the writer."""
        if not isinstance(event, CursorPosition):
            self.process_message(event)
            return
        self._line.heard()
        self._heard.set()
        self.process_message(LineAnswered())

    def run_input_thread(self) -> None:
        """Parse what comes from the terminal until ``disable_input``."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        while True:
            # An escape is a key of its own only if nothing follows for a moment.
            wait_s = None if parser._timeout_time is None else _ESCAPE_LOOK_S
            ready, _, _ = select.select([self.fileno, self._wake_fd], [], [], wait_s)
            received = os.read(self.fileno, _READ_BYTES) if self.fileno in ready else b""
            for event in (*(parser.feed(text) if (text := decode(received)) else ()), *parser.tick()):
                self._take(event)
            if self._wake_fd in ready or (ready and not received):  # without a byte: the terminal is gone
                return


class SeamedApp(App[None]):
    """An app that writes to the terminal by a TerminalWriter, and that does not print its exceptions."""

    def __init__(self, writer: TerminalWriter) -> None:
        # ansi_color: the theme's colours reach the terminal unconverted
        super().__init__(ansi_color=True, driver_class=SleepingDriver)
        self.writer = writer
        self._painted: dict[Widget, list[ChangedCells]] | None = None
        self._uncovered: tuple[object, Mapping[Widget, Region]] = (None, {})
        self._built = False
        self._after_first_paint: Callable[[], object] | None = None
        self._quit_wanted = False
        self._settling: Timer | None = None

    def screen_built(self) -> None:
        """Note that the first screen has all its widgets. A program that was asked to quit before quits now."""
        self._built = True
        if self._quit_wanted:
            self.exit()
        if self._after_first_paint is not None:
            self.call_after_refresh(self._after_first_paint)

    def after_first_paint(self, action: Callable[[], object]) -> None:
        """Call ``action`` once the first screen has been painted. An app that ends before never calls it."""
        self._after_first_paint = action

    def quit_once_built(self) -> None:
        """Quit; an exit while the first screen is being built would take widgets away below those that mount them."""
        self._quit_wanted = True
        if self._built:
            self.exit()

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        update = self.writer.smaller_update(renderable)
        if isinstance(update, SmallerUpdate) and screen._compositor.size != self.size:  # the screen has an older size
            update.crop(*self.size)
        super()._display(screen, update)

    def on_line_answered(self) -> None:
        """Write the cells that wait for the line; draw all again if the line has turned out to be slow, or fast."""
        if self.writer.follow_line():
            self.line_changed()
            return
        if self.writer.late and self.screen_stack:
            self._display(self.screen, SmallerUpdate((), self.writer))
        if not self.writer.is_behind:
            self.line_free()

    def line_changed(self) -> None:
        """Draw everything again, with the traits of now."""
        raise NotImplementedError

    def line_free(self) -> None:
        """Draw a tick that has waited for the line. This app draws no ticks."""

    @contextmanager
    def painting(self) -> Iterator[None]:
        """Write what ``repaint`` is called for meanwhile at the end, as one update.

        Textual passes a message from each widget to the screen, and the screen waits for a timer. Its compositor then
        renders every line of the screen on which a cell has changed, all widgets beside that cell included.
        """
        painted: dict[Widget, list[ChangedCells]] = {}
        self._painted = painted
        try:
            yield
        finally:
            self._painted = None
        self._paint(painted)

    def repaint(self, widget: Widget, changed: Sequence[ChangedCells]) -> None:
        """Paint cells of a widget: now if called during ``painting``, else when the app is idle."""
        if self._painted is None:
            widget.refresh(*[cells for cells, _ in changed])
        else:
            self._painted.setdefault(widget, []).extend(changed)

    def _paint(self, painted: Mapping[Widget, Sequence[ChangedCells]]) -> None:
        screen = next((widget.screen for widget in painted), None)
        if screen is None:
            return
        if self._batch_count or not screen.is_active or screen._layout_required or screen not in screen._compositor:
            for widget, changed in painted.items():
                widget._set_dirty(*[cells for cells, _ in changed])
                widget._repaint_required = True
                widget.check_idle()
            return
        uncovered = self._uncovered_widgets(screen)
        rows = [
            (place.y + cells.y, place.x + cells.x, pieces)
            for widget, changed in painted.items()
            if (place := uncovered.get(widget)) is not None
            for cells, pieces in changed
        ]
        if rows:
            self._display(screen, SmallerUpdate(rows, self.writer))
        covered: set[Widget] = {widget for widget in painted if widget not in uncovered}
        for widget, changed in painted.items():
            if widget in covered:
                widget._set_dirty(*[cells for cells, _ in changed])
        if covered:
            # _compositor_refresh forgets the widgets that wait for the screen's timer
            screen._compositor.update_widgets(covered | screen._dirty_widgets)
            screen._compositor_refresh()

    def _uncovered_widgets(self, screen: Screen[Any]) -> Mapping[Widget, Region]:
        """Return the widgets that are on the screen as a whole, with nothing before them, and their places."""
        visible = screen._compositor.visible_widgets
        if self._uncovered[0] is not visible:
            before: list[Region] = []
            uncovered: dict[Widget, Region] = {}
            for widget, (place, clip) in visible.items():
                if clip.contains_region(place) and not any(map(place.overlaps, before)):
                    uncovered[widget] = place
                before.append(place)
            self._uncovered = visible, uncovered
        return self._uncovered[1]

    def on_resize(self) -> None:
        self.writer.forget()  # what a terminal shows after a change of its size is up to the terminal
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(SETTLED_S, self._settled)

    def _settled(self) -> None:
        """Take the size that the terminal has now, if it is another one, else write every cell again.

        A second SIGWINCH interrupts Textual's handler of the first one, which then tells its older size last.
        """
        size = self.terminal_size()
        if size is None or size == self.size:
            self._repaint()
        else:
            self.post_message(Resize(size, size))

    def terminal_size(self) -> Size | None:
        """Return the size of the terminal; None without a terminal, or one that tells its size unasked."""
        return self._driver.size_now() if isinstance(self._driver, SleepingDriver) else None

    def _repaint(self) -> None:
        """Write every cell again.

        Screens take a new size one after another. What the screen in front writes meanwhile has the old size, and a
        narrower terminal puts it elsewhere.
        """
        if self.screen_stack:  # none: the app is ending
            self.writer.forget()
            self.screen.refresh(layout=True)

    def _fatal_error(self) -> None:
        """End the app without a traceback on the terminal: ``failure`` has the exception."""
        self._close_messages_no_wait()

    @property
    def failure(self) -> Exception | None:
        """The exception that ended the app."""
        return self._exception

    def screen_strips(self) -> list[Strip]:
        """Return the lines of the screen as they are drawn, with what stands behind a dialogue."""
        visible_screen_stack.set(self._background_screens)
        return self.screen._compositor.render_strips()

    def screen_text(self) -> str:
        """Return the screen as plain text."""
        return "\n".join(strip.text.rstrip() for strip in self.screen_strips())
