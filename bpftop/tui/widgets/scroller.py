"""A region whose lines are more than its height: wheel, keys, and a bar at its right edge.

Textual's ScrollView lays the whole screen out again and repaints itself whenever its number of lines changes, which a
table of flows does with every tick. A scroller draws the lines on the screen alone and knows only the first of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from bpftop.tui.bindings import bindings
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.line import Line, Span, fit
from bpftop.tui.widgets.region import Region

WHEEL_LINES = 3
TRACK, THUMB = "│", "┃"


class Scroller(Region, can_focus=True):
    """``top`` is the first line on the screen below the heading."""

    BINDINGS = bindings("down", "up", "page_down", "page_up", "first", "last")

    @property
    def heading_lines(self) -> int:
        """Return the number of lines that stay above the scrolled ones."""
        return 0

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.top = 0
        self.total = 0

    @property
    def room(self) -> int:
        """Return how many lines are on the screen below the heading."""
        return max(1, self.size.height - self.heading_lines)

    def clamp_top(self, total: int) -> None:
        """Set the number of lines. No empty line is shown while a line is hidden above."""
        self.total = total
        self.top = max(0, min(self.top, total - self.room))

    def scroll_lines(self, lines: int) -> None:
        """Move down by some lines, or up if negative."""
        before = self.top
        self.top += lines
        self.clamp_top(self.total)
        if self.top != before:
            self.redraw()

    def with_bar(self, lines: Sequence[Line], width: int) -> list[Line]:
        """Return the lines with a bar at the right edge that shows which part is on the screen; none if all are."""
        if self.total <= self.room:
            return list(lines)
        height = max(1, round(self.room * self.room / self.total))
        begin = round((self.room - height) * self.top / max(1, self.total - self.room))
        barred = [*lines, *[()] * (self.room + self.heading_lines - len(lines))]
        for y in range(self.room):
            on_thumb = begin <= y < begin + height
            bar = Span(THUMB if on_thumb else TRACK, "key" if on_thumb else "muted")
            barred[self.heading_lines + y] = (*fit(barred[self.heading_lines + y], width - 1), bar)
        return barred

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_lines(WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_lines(-WHEEL_LINES)

    def move(self, lines: int) -> None:
        """Do what the keys for so many lines down, or up if negative, do."""
        self.scroll_lines(lines)

    def action_down(self) -> None:
        self.move(1)

    def action_up(self) -> None:
        self.move(-1)

    def action_page_down(self) -> None:
        self.move(max(1, self.room - 1))

    def action_page_up(self) -> None:
        self.move(-max(1, self.room - 1))

    def action_first(self) -> None:
        self.scroll_lines(-self.total)

    def action_last(self) -> None:
        self.scroll_lines(self.total)


class TextPanel(Scroller):
    """Scrolls through lines of text."""

    def text_lines(self, moment: Moment, width: int) -> list[Line]:
        """Return all lines, each at most ``width`` cells wide."""
        raise NotImplementedError

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        lines = self.text_lines(moment, width - 2)
        self.clamp_top(len(lines))
        return self.with_bar(lines[self.top : self.top + self.room], width)
