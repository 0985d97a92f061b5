"""The contract between the app and a pane."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.line import Line

if TYPE_CHECKING:
    from bpftop.tui.measurements.measurement import Measurement  # imported with the first pane that measures


class Pane(ABC):
    """One full-screen view of a snapshot.

    A pane has no state: every method is a pure function of its PaneInput, so a replayed screen equals the live screen.
    """

    terms: Sequence[tuple[str, str]] = ()
    """Terms and their meanings. The help lists them while this pane is behind it."""
    terms_title = ""

    @abstractmethod
    def lines(self, pane_input: PaneInput, height: int) -> list[Line]:
        """Return at most ``height`` lines, each at most ``pane_input.width`` cells wide."""

    def keys(self, pane_input: PaneInput) -> list[str]:
        """Return the key of every row that the cursor can select, in screen order."""
        return []

    def sort_ids(self, pane_input: PaneInput) -> list[str]:
        """Return the ids of the columns on the screen that can be sorted by."""
        return []

    def row_text(self, pane_input: PaneInput, key: str) -> str:
        """Return the row as text for the clipboard. Empty: the row has none, and the whole screen is copied."""
        return ""

    def open_measurement(self, notify: Callable[[], object], engine: Any) -> Measurement | None:
        """Return what the pane measures with, or None if the pane measures nothing.

        Args:
            notify: Called from the measurement's thread when the pane has something new to draw.
            engine: Replaces the real engine in tests; None selects the real engine.
        """
        return None
