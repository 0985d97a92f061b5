"""A Textual app of the size of a live screen: tabs, footer, header, chart, and two tables that change every second.

What the toolkit takes for such a screen on this machine; bpftop's own screen is compared with that. The tables draw
lines (render_line), and half of their cells change per tick, by a generator with a fixed seed.
"""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Footer, Static, Tab, Tabs

PANES = ("Overview", "CPUs", "Path", "Flows", "Programs", "Maps", "Findings")
COLOURS = [Style.parse(colour) for colour in ("cyan", "white", "green", "yellow")]
BARS = " ▁▂▃▄▅▆▇█"
KEYS = {"p": "pause", "m": "mark", "f": "filter", "s": "sort", "r": "record", "h": "help"}
CELL_WIDTH, CHART_POINTS, HEADER_LINES = 10, 300, 5


class Numbers(ScrollView):
    """A table of numbers, one line per row."""

    def __init__(self, rows: int, columns: int, random: Random) -> None:
        super().__init__()
        self._random = random
        self._rows = [[0] * columns for _ in range(rows)]
        self.virtual_size = Size(columns * CELL_WIDTH, rows)

    def change(self) -> None:
        """Change half of the cells and refresh their regions."""
        for y, row in enumerate(self._rows):
            for column in range(len(row)):
                if self._random.random() < 0.5:
                    row[column] = self._random.randrange(100_000)
                    self.refresh(Region(column * CELL_WIDTH, y - self.scroll_offset.y, CELL_WIDTH, 1))

    def render_line(self, y: int) -> Strip:
        y += self.scroll_offset.y
        if y >= len(self._rows):
            return Strip.blank(self.size.width)
        cells = (
            Segment(f"{number:{CELL_WIDTH - 1}d} ", COLOURS[column % len(COLOURS)])
            for column, number in enumerate(self._rows[y])
        )
        return Strip(cells).crop_extend(0, self.size.width, None)


class Chart(Widget):
    """A bar per tick, the newest on the right."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self._shares = [0.0] * CHART_POINTS

    def change(self) -> None:
        self._shares = [*self._shares[1:], self._random.random()]
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        eighths = [int(8 * (share * height - (height - 1 - y))) for share in self._shares[-width:]]
        return Strip([Segment("".join(BARS[min(8, max(0, each))] for each in eighths).ljust(width), COLOURS[2])])


class Toolkit(App[None]):
    """The whole screen, one change a second."""

    CSS = f"#header {{ height: {HEADER_LINES}; }} Chart {{ height: 8; }} Numbers {{ height: 1fr; }}"
    BINDINGS: ClassVar[Any] = [Binding(key, "app.bell", word) for key, word in KEYS.items()]

    def __init__(self) -> None:
        super().__init__()
        random = Random(13)
        self._header = Static(id="header")
        self._changing = (Chart(random), Numbers(12, 8, random), Numbers(18, 4, random))
        self._random = random

    def compose(self) -> ComposeResult:
        chart, left, right = self._changing
        yield Tabs(*(Tab(pane) for pane in PANES))
        yield self._header
        yield chart
        yield Horizontal(left, right)
        yield Footer()

    def on_mount(self) -> None:
        self.set_interval(1.0, self.change)
        self.change()

    def change(self) -> None:
        for widget in self._changing:
            widget.change()
        lines = (f"line {i}  {self._random.random():.15f} of it  " * 3 for i in range(HEADER_LINES))
        self._header.update("\n".join(lines))


if __name__ == "__main__":
    Toolkit().run()
