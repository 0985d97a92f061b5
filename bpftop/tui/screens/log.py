"""The log: every message since the start, and the notices that stand."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from bpftop.model.timestamps import clock_time
from bpftop.tui.bindings import bindings


class LogScreen(Screen[None], inherit_bindings=False):
    """All messages, the newest first, whole.

    Args:
        said: Time, sentence and whether it is an error, of every message.
        notices: Sentences about missing parts and about changes that bpftop made by itself.
    """

    BINDINGS = bindings("log", "back")
    CSS = """
    LogScreen { overflow-y: auto; }
    LogScreen Static { height: auto; }
    """

    def __init__(self, said: Sequence[tuple[int, str, bool]], notices: Sequence[str]) -> None:
        super().__init__()
        self._said, self._notices = said, notices

    def compose(self) -> ComposeResult:
        standing = "".join(f"! {sentence}\n" for sentence in self._notices) or "none\n"
        messages = (
            "".join(f"{clock_time(ns)}  {sentence}\n" for ns, sentence, _ in reversed(self._said)) or "none yet\n"
        )
        yield Static(f"Messages; esc goes back\n\nNotices\n{standing}\nMessages\n{messages}", markup=False)

    def action_log(self) -> None:
        self.dismiss()

    def action_back(self) -> None:
        self.dismiss()
