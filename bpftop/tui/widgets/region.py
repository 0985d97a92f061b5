"""The base of every region of the screen: it draws the lines of a moment."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.widget import Widget

from bpftop.tui.messages import ActionRequested
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.canvas import Canvas
from bpftop.tui.widgets.line import Line

LEAST_WIDTH = 20
"""Narrower regions exist only between two sizes of a terminal that is being resized. They are not drawn."""


class Region(Canvas):
    """Draws the lines of a moment. Between two moments, only the spans that differ are painted.

    A click on a span with an action does the action.
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.moment: Moment | None = None
        self._drawn_from: object = None

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        """Return the lines of a moment; further lines are empty, longer ones are cut at a word.

        Called with the lock held.
        """
        raise NotImplementedError

    def depends_on(self, moment: Moment) -> object:
        """Return all that ``draw`` makes the lines from; it is not called again while that is equal. None: always."""
        return None

    def show(self, moment: Moment) -> None:
        """Draw a moment; where the region is hidden and has no size, when it comes back."""
        self.moment = moment
        self.redraw()

    @property
    def is_displayed(self) -> bool:
        """Return True if the region and all around it are displayed."""
        return all(node.display for node in self.ancestors_with_self if isinstance(node, Widget))

    def redraw(self) -> None:
        """Draw the same moment again, after a change of the region's own state."""
        if self.moment is None:
            return
        width, height = self.size  # once: Textual computes the size from borders and scrollbars at each access
        if width >= LEAST_WIDTH and height:
            depends_on = self.depends_on(self.moment)
            if depends_on is None or self._drawn_from != (depends_on, width, height):
                self._drawn_from = (depends_on, width, height)
                with self.moment.lock:
                    self.paint(self.draw(self.moment, width, height))

    def on_click(self, event: events.Click) -> None:
        action = self.span_at(event.x, event.y).action
        if action:
            event.stop()
            self.post_message(ActionRequested(action))
