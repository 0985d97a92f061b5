"""The widget that shows the lines of a pane and repaints only the cells that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from bpftop.tui.themes import ROLES
from bpftop.tui.widgets.line import Line, clean, fit, text
from bpftop.tui.widgets.role_styles import RoleStyles

_ROLE_CHARACTERS = {
    f"{role}{suffix}": chr(33 + i) for i, (role, suffix) in enumerate((r, s) for s in ("", "!") for r in ROLES)
}
"""Role -> a character of its own, so that the roles of two lines are compared as strings."""
MERGE_GAP = 8
"""Unchanged cells that are rewritten rather than skipped: moving the cursor takes 6 to 8 bytes."""


class UncutStrip(Strip):
    """A strip that returns itself when all of it is requested.

    Textual's Strip then stores itself in its own cache. Only the garbage collector frees such a cycle, one per line and
    tick.
    """

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        positions = list(cuts)
        return [self] if positions == [self.cell_length] else super().divide(positions)


class Canvas(Widget):
    """Shows lines, one strip per line, and requests a repaint of the spans that differ from the lines before.

    Args:
        role_styles: Styles of the roles.
        on_resized: Called when the size has changed and the lines must be drawn again.
    """

    def __init__(self, role_styles: RoleStyles, on_resized: Callable[[], None]) -> None:
        super().__init__()
        self._on_resized = on_resized
        self.styles.width = "100%"
        self.styles.height = "100%"
        self.role_styles = role_styles
        self.lines: list[Line] = []
        self._strips: dict[int, Strip] = {}

    def on_resize(self) -> None:
        self._on_resized()

    def show(self, lines: Sequence[Line]) -> None:
        """Draw the lines, cropped and padded to the size of the canvas."""
        width, height = self.size
        blank: Line = ((" " * width, "text"),)
        fitted = [fit(lines[y], width) if y < len(lines) else blank for y in range(height)]
        for y, spans in enumerate(fitted):
            if not all(part.isprintable() for part, _ in spans):  # a second guard: panes clean the names they draw
                fitted[y] = tuple((clean(part), role) for part, role in spans)
        old, self.lines = self.lines, fitted
        if len(old) != height or (old and sum(len(part) for part, _ in old[0]) != width):
            self._strips.clear()
            self.refresh()
            return
        regions = []
        for y, (before, after) in enumerate(zip(old, fitted, strict=True)):
            if before != after:
                self._strips.pop(y, None)
                regions += [Region(x, y, end - x, 1) for x, end in changed_spans(before, after)]
        if regions:
            self.refresh(*regions)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the strips without Textual's borders and filters, which the canvas does not use."""
        width = self.size.width
        strips = [self.render_line(y).adjust_cell_length(width) for y in crop.line_range]
        return strips if crop.column_span == (0, width) else [strip.crop(*crop.column_span) for strip in strips]

    def render_line(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None:
            spans: Line = self.lines[y] if y < len(self.lines) else ((" " * self.size.width, "text"),)
            style = self.role_styles.style
            segments = [Segment(part, style(role)) for part, role in spans]
            strip = self._strips[y] = UncutStrip(segments, sum(len(part) for part, _ in spans))
        return strip

    def text(self) -> str:
        """Return the lines as plain text."""
        return "\n".join(text(line).rstrip() for line in self.lines)


def changed_spans(before: Line, after: Line) -> list[tuple[int, int]]:
    """Return (begin, end) of the spans of cells that differ between two lines of equal length."""
    old, new = _characters_and_roles(before), _characters_and_roles(after)
    changed = [i for i, (a, b) in enumerate(zip(old[0], new[0], strict=True)) if a != b]
    if old[1] != new[1]:
        changed_roles = (i for i, (a, b) in enumerate(zip(old[1], new[1], strict=True)) if a != b)
        changed = sorted({*changed, *changed_roles})
    spans: list[tuple[int, int]] = []
    for x in changed:
        if spans and x - spans[-1][1] <= MERGE_GAP:
            spans[-1] = (spans[-1][0], x + 1)
        else:
            spans.append((x, x + 1))
    return spans


def _characters_and_roles(line: Line) -> tuple[str, str]:
    return text(line), "".join([_ROLE_CHARACTERS[role] * len(part) for part, role in line])
