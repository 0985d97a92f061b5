"""The base of everything that bpftop draws itself: a widget of lines, of which only the changed cells are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress, count
from operator import ne
from typing import Any

from rich.segment import Segment
from textual import getters
from textual.cache import FIFOCache
from textual.geometry import Region as Cells
from textual.strip import Strip
from textual.widget import Widget

from bpftop.tui.role_styles import RoleStyles
from bpftop.tui.seams import ChangedCells
from bpftop.tui.themed_app import ThemedApp
from bpftop.tui.widgets.line import Line, Span, clean, fit, is_one_cell, length, shortened, text


class _NoCache(FIFOCache[Any, Any]):
    """A cache that keeps nothing."""

    def set(self, key: Any, value: Any) -> None:
        pass

    __setitem__ = set


_NO_CACHE = _NoCache(0)


class UncutStrip(Strip):
    """A strip that returns itself when all of it is requested.

    Textual's Strip then stores itself in its own cache. Only the garbage collector frees such a cycle, one per line and
    tick.
    """

    def __init__(self, segments: Iterable[Segment], cell_length: int) -> None:
        """Share one set of caches that stay empty: seven of its own take 0.9 kB, and a line is mostly drawn once."""
        super().__init__(segments, cell_length)
        self._divide_cache = self._crop_cache = self._style_cache = self._filter_cache = _NO_CACHE
        self._line_length_cache = self._crop_extend_cache = self._offsets_cache = _NO_CACHE

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        positions = list(cuts)
        return [self] if positions == [self.cell_length] else super().divide(positions)


class Canvas(Widget):
    """Shows the lines that ``paint`` was given last."""

    ALLOW_SELECT = False
    app = getters.app(ThemedApp)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: list[Line] = []
        """The lines on the screen, of the widget's width."""
        self._drawn: list[Line] = []
        self._fitted_to = (0, 0)
        self._strips: dict[int, Strip] = {}
        self._role_styles: RoleStyles | None = None

    def redraw(self) -> None:
        """Paint the lines for the size of now."""
        raise NotImplementedError

    def on_resize(self) -> None:
        self.redraw()

    def on_show(self) -> None:
        self.redraw()

    def span_at(self, x: int, y: int) -> Span:
        """Return the span that covers a cell."""
        for span in self.lines[y] if 0 <= y < len(self.lines) else ():
            x -= len(span.text)
            if x < 0:
                return span
        return Span("")

    def paint(self, lines: Sequence[Line]) -> None:
        """Take over the lines, cropped and padded to the size of the widget, and request a repaint of what changed."""
        width, height = self.size
        drawn = [*lines[:height], *[()] * (height - len(lines))]
        if self._fitted_to != (width, height):
            self._fitted_to, self._drawn = (width, height), drawn
            self.lines = [_fitted(spans, width) for spans in drawn]
            self._strips.clear()
            self.refresh()
            return
        changed: list[ChangedCells] = []
        styles = self.app.role_styles
        for y in compress(range(height), map(ne, self._drawn, drawn)):
            before, after = self.lines[y], _fitted(drawn[y], width)
            self.lines[y] = after
            self._strips.pop(y, None)
            first, end = changed_spans(before, after)
            if first < end:
                x = length(after[:first])
                cells = Cells(x, y, width - x - length(after[end:]), 1)
                changed.append((cells, [(part, styles[role]) for part, role, _ in after[first:end]]))
        self._drawn = drawn
        if changed:
            self.app.repaint(self, changed)

    def render_lines(self, crop: Cells) -> list[Strip]:
        """Return the strips without Textual's borders and filters, which these widgets do not use."""
        width = self.size.width
        if self._fitted_to != self.size:  # before the message about the new size comes, else the old lines are shown
            self.redraw()
        strips = [
            strip if strip.cell_length == width else strip.adjust_cell_length(width)
            for strip in map(self.render_line, crop.line_range)
        ]
        return strips if crop.column_span == (0, width) else [strip.crop(*crop.column_span) for strip in strips]

    def render_line(self, y: int) -> Strip:
        if self._role_styles is not self.app.role_styles:
            self._role_styles = self.app.role_styles
            self._strips.clear()
        strip = self._strips.get(y)
        if strip is None:
            spans: Line = self.lines[y] if y < len(self.lines) else (Span(" " * self.size.width),)
            styles = self._role_styles
            segments = [Segment(part, styles[role]) for part, role, _ in spans]
            strip = self._strips[y] = UncutStrip(segments, sum(len(part) for part, _, _ in spans))
        return strip

    def text(self) -> str:
        """Return the lines as plain text."""
        return "\n".join(text(line).rstrip() for line in self.lines)


def _fitted(spans: Line, width: int) -> Line:
    """Return a line of exactly ``width`` cells; a longer one is cut at a word."""
    whole = text(spans)
    if len(whole) <= width and _is_clean(whole):  # nearly all lines
        return spans if len(whole) == width else (*spans, Span(" " * (width - len(whole))))
    return _cleaned(fit(shortened(spans, width), width))


def _cleaned(spans: Line) -> Line:
    """Return the line with every character one visible cell: names come from outside."""
    return spans if _is_clean(text(spans)) else tuple(span._replace(text=clean(span.text)) for span in spans)


def _is_clean(line: str) -> bool:
    """Return True if every character is one visible cell."""
    return line.isprintable() if line.isascii() else all(map(is_one_cell, set(line)))


def changed_spans(before: Line, after: Line) -> tuple[int, int]:
    """Return first and end of the spans of ``after`` outside of which two lines of equal length are the same.

    The terminal's cells within them are compared one by one later (terminal.shown_cells).
    """
    first = _equal_spans(before, after)
    return first, max(first, len(after) - _equal_spans(before[::-1], after[::-1]))


def _equal_spans(before: Line, after: Line) -> int:
    """Return the number of spans before the first that differs."""
    return next(compress(count(), map(ne, before, after)), min(len(before), len(after)))
