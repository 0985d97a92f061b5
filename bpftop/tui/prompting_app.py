"""The app as a table knows it: it has a line in which the person types."""

from __future__ import annotations

from collections.abc import Callable

from bpftop.tui.themed_app import ThemedApp


class PromptingApp(ThemedApp):
    """An app with a prompt."""

    async def ask(
        self, label: str, text: str, changed: Callable[[str], object], done: Callable[[str | None], object]
    ) -> None:
        """Let the person type a line.

        Args:
            label: "/" or "@", before the line.
            text: What stands in the line at first.
            changed: Called with the text as it is typed.
            done: Called with the text at the end, with None after esc.
        """
        raise NotImplementedError
