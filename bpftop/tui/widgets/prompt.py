"""A line of input above the keys: the filter as it is typed, or a moment to go to."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from bpftop.tui.widgets.line import clean

PLACEHOLDERS = {"/": "enter keeps the filter, esc ends it", "@": "03:12, 03:12:44, -90, +5m; enter goes there"}


class PromptInput(Input):
    """An input that can be given up."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,ctrl+c", "give_up", show=False)]

    class GivenUp(Message):
        """The person discards the typed text."""

    def on_paste(self, event: events.Paste) -> None:
        """Insert the first line that was pasted; nothing in it may reach the terminal as an escape sequence."""
        event.prevent_default()
        event.stop()
        self.insert_text_at_cursor(clean(event.text.partition("\n")[0]))

    def action_give_up(self) -> None:
        self.post_message(self.GivenUp())


class PromptLine(Horizontal):
    """Is on the screen only while it is asked for something."""

    DEFAULT_CSS = """
    PromptLine Static { width: 1; }
    PromptLine Input { width: 1fr; }
    """

    async def ask(
        self, label: str, text: str, changed: Callable[[str], object], done: Callable[[str | None], object]
    ) -> None:
        """Let the person type a line. It has the focus afterwards, so that no key goes elsewhere.

        Args:
            label: "/" or "@", before the line.
            text: What stands in the line at first.
            changed: Called with the text as it is typed.
            done: Called with the text at the end, with None after esc.
        """
        self._changed, self._done = changed, done
        self.display = True
        await self.remove_children()
        line = PromptInput(text, placeholder=PLACEHOLDERS.get(label, ""), select_on_focus=False, compact=True)
        await self.mount(Static(label, markup=False), line)
        self.screen.set_focus(line, scroll_visible=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._changed(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._end(event.value)

    def on_prompt_input_given_up(self, event: PromptInput.GivenUp) -> None:
        event.stop()
        self._end(None)

    def _end(self, text: str | None) -> None:
        self.display = False
        self.remove_children()
        self._done(text)

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """Keep the typed text when the person clicks elsewhere."""
        if self.display:
            self.display = False
