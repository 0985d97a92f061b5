"""Every private part of Textual that bpftop uses. tests/tui/test_seams.py fails when one of them moves."""

from __future__ import annotations

from typing import Any

from textual._context import visible_screen_stack
from textual.app import App
from textual.screen import Screen
from textual.strip import Strip

from bpftop.tui.terminal_diff import TerminalWriter


class SeamedApp(App[None]):
    """An app that writes to the terminal by a TerminalWriter, and that does not print its exceptions.

    Args:
        writer: Writes the updates of the screen.
    """

    def __init__(self, writer: TerminalWriter) -> None:
        super().__init__(ansi_color=True)  # the theme's colours reach the terminal unconverted
        self.writer = writer
        self._built = False
        self._quit_wanted = False

    def screen_built(self) -> None:
        """Note that the first screen has all its widgets. A program that was asked to quit before quits now."""
        self._built = True
        if self._quit_wanted:
            self.exit()

    def quit_once_built(self) -> None:
        """Quit; an exit while the first screen is being built would take widgets away below those that mount them."""
        self._quit_wanted = True
        if self._built:
            self.exit()

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        super()._display(screen, self.writer.smaller_update(renderable))

    def on_resize(self) -> None:
        self.writer.shown.forget()  # what a terminal shows after a change of its size is up to the terminal

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
