"""The one widget: a sheet of lines that repaints only the cells that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from bpftop.tui.themes import ROLES
from bpftop.tui.widgets.line import Line, clean, fit, text
from bpftop.tui.widgets.palette import Palette

_MARKS = {f"{role}{suffix}": chr(33 + i) for i, (role, suffix) in enumerate((r, s) for s in ("", "!") for r in ROLES)}
MERGE_GAP = 8
"""So many unchanged cells are rewritten rather than jumped over: a jump of the cursor takes 6 to 8 bytes."""


class Whole(Strip):
    """A strip that is not cut. One that is asked for all of itself keeps itself in its own cache: a cycle that only the
    garbage collector takes apart, for every line of every tick."""

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        wanted = list(cuts)
        return [self] if wanted == [self.cell_length] else super().divide(wanted)


class Sheet(Widget):
    """Show it lines; it keeps them, one strip each, and asks for a repaint of the spans that differ.

    ``resized`` is called when there is another size to draw for.
    """

    def __init__(self, palette: Palette, resized: Callable[[], None]) -> None:
        super().__init__()
        self._resized = resized
        self.styles.width = "100%"
        self.styles.height = "100%"
        self.palette = palette
        self.lines: list[Line] = []
        self._strips: dict[int, Strip] = {}

    def on_resize(self) -> None:
        self._resized()

    def show(self, lines: Sequence[Line]) -> None:
        """Draw these lines, as many as there is room for."""
        width, height = self.size
        blank: Line = ((" " * width, "text"),)
        fitted = [fit(lines[y], width) if y < len(lines) else blank for y in range(height)]
        for y, fresh in enumerate(fitted):
            if not all(part.isprintable() for part, _ in fresh):  # names are cleaned where they come in: a second lock
                fitted[y] = tuple((clean(part), role) for part, role in fresh)
        old, self.lines = self.lines, fitted
        if len(old) != height or (old and sum(len(part) for part, _ in old[0]) != width):
            self._strips.clear()
            self.refresh()
            return
        regions = []
        for y, (before, after) in enumerate(zip(old, fitted, strict=True)):
            if before != after:
                self._strips.pop(y, None)
                regions += [Region(x, y, end - x, 1) for x, end in changed(before, after)]
        if regions:
            self.refresh(*regions)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Every cell has its style from the palette, so there is nothing to add to the lines: no border, no filter."""
        width = self.size.width
        strips = [self.render_line(y).adjust_cell_length(width) for y in crop.line_range]
        return strips if crop.column_span == (0, width) else [strip.crop(*crop.column_span) for strip in strips]

    def render_line(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None:
            spans: Line = self.lines[y] if y < len(self.lines) else ((" " * self.size.width, "text"),)
            style = self.palette.style
            strip = Whole([Segment(part, style(role)) for part, role in spans], sum(len(part) for part, _ in spans))
            self._strips[y] = strip
        return strip

    def text(self) -> str:
        """What can be read on the screen."""
        return "\n".join(text(line).rstrip() for line in self.lines)


def changed(before: Line, after: Line) -> list[tuple[int, int]]:
    """The spans of cells that differ, from and to, between two lines of equal length."""
    old, new = _cells(before), _cells(after)
    differing = [i for i, (a, b) in enumerate(zip(old[0], new[0], strict=True)) if a != b]
    if old[1] != new[1]:
        marks = (i for i, (a, b) in enumerate(zip(old[1], new[1], strict=True)) if a != b)
        differing = sorted({*differing, *marks})
    spans: list[tuple[int, int]] = []
    for x in differing:
        if spans and x - spans[-1][1] <= MERGE_GAP:
            spans[-1] = (spans[-1][0], x + 1)
        else:
            spans.append((x, x + 1))
    return spans


def _cells(line: Line) -> tuple[str, str]:
    """The characters, and a mark for the role of each."""
    return text(line), "".join([_MARKS[role] * len(part) for part, role in line])
