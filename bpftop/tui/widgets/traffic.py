"""The traffic of the selected interface: a chart of ten minutes with its numbers, or two lines on a low screen."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from bpftop.history.history import TickRanges
from bpftop.model.sample import DIRECTIONS, Direction
from bpftop.model.snapshot import InterfaceSnapshot
from bpftop.model.timestamps import clock_time
from bpftop.model.units import UNKNOWN, compact, pct, si, spark
from bpftop.render.columns import FEW_PPS, change_look, change_text, size_text
from bpftop.tui.messages import MomentRequested
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.chart import AXIS, Plot, cell_count, cell_seconds, chart_lines
from bpftop.tui.widgets.line import Line, beside, length, line, shortened
from bpftop.tui.widgets.region import Region

CHART_FROM = 4
"""Height from which there is a chart."""
NUMBERS = 33
NUMBERS_GAP = 4
"""Cells between the numbers and a chart that ends far from the right edge."""
TREND_CELL_S = 5.0

RateCell = tuple["float | None", "float | None", bool]
"""Highest packets per second of RX and of TX, and whether packets were lost."""


class Traffic(Region):
    """RX above the axis, TX below it; a click on the chart pauses at that moment, and the mouse reads values out."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._hovered: int | None = None
        self._over: tuple[object, int, list[RateCell]] = (None, 0, [])
        """Owner of the chart, number of its first cell, and the cells that are over."""
        self._chart: tuple[Plot | None, tuple[int, int], list[Line]] = (None, (0, 0), [])

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        if height < CHART_FROM or width < AXIS + NUMBERS + 10:
            return [direction_line(moment, direction, width) for direction in DIRECTIONS]
        columns = cell_count(width - AXIS - NUMBERS)
        rx, tx, lost = zip(*self._columns(moment, columns), strict=True)
        plot = Plot(rx, tx, lost, columns * cell_seconds(columns), self._cursor(moment, columns))
        if self._chart[:2] != (plot, (width, height)):
            self._chart = (plot, (width, height), chart_lines(plot, width - NUMBERS, height))
        chart = self._chart[2]
        numbers = [part for d in DIRECTIONS for part in _numbers(moment, d, columns, height)]
        if self._hovered is not None and self._hovered < columns:
            numbers = _read_out(moment, plot, self._hovered)
        left, near = width - NUMBERS, AXIS + columns + NUMBERS_GAP
        left = near if left - near > NUMBERS else left
        return beside(chart, [shortened(spans, NUMBERS - 2) for spans in numbers], left, 2)

    def _columns(self, moment: Moment, columns: int) -> list[RateCell]:
        """Return the cells of the chart. Those that are over are kept: only the newest two are worked out again."""
        history, label, seconds = moment.history, moment.interface.label, cell_seconds(columns)
        newest = newest_ns(moment) // (seconds * 10**9)
        oldest = newest + 1 - columns
        owner, first, cells = self._over
        is_same = owner == (id(history), label, seconds) and first <= oldest
        cells = cells[oldest - first : newest - 1 - first] if is_same else []
        ranges = history.tick_ranges(newest_ns(moment), seconds, columns - len(cells))
        rx, tx = (history.highs((label, d, "packets"), ranges) for d in DIRECTIONS)
        cells += zip(rx, tx, _lost(moment, ranges), strict=True)
        self._over = (id(history), label, seconds), oldest, cells[:-2]
        return cells

    def _cursor(self, moment: Moment, columns: int) -> int | None:
        """Return the cell under the mouse, else the cell of the moment on the screen if the screen is paused."""
        if self._hovered is not None:
            return self._hovered
        if moment.choices.paused is None:
            return None
        cell_ns = cell_seconds(columns) * 10**9
        return columns - 1 - (newest_ns(moment) // cell_ns - moment.snapshot.mono_ns // cell_ns)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        inside = AXIS <= event.x < self.size.width - NUMBERS and self.size.height >= CHART_FROM
        self._hover(event.x - AXIS if inside else None)

    def on_leave(self) -> None:
        self._hover(None)

    def _hover(self, column: int | None) -> None:
        if column != self._hovered:
            self._hovered = column
            self.redraw()

    def on_click(self, event: events.Click) -> None:
        columns = cell_count(self.size.width - AXIS - NUMBERS)
        at = event.x - AXIS
        if self.moment is not None and self.size.height >= CHART_FROM and 0 <= at < columns:
            event.stop()
            self.post_message(MomentRequested(_begin_ns(self.moment, columns, at)))


def newest_ns(moment: Moment) -> int:
    """Return the end of the chart: the newest sample, although the screen may be paused at an older one."""
    return max(moment.newest_ns, moment.snapshot.mono_ns)


def _begin_ns(moment: Moment, columns: int, at: int) -> int:
    """Return the CLOCK_MONOTONIC time at which a cell begins."""
    cell_ns = cell_seconds(columns) * 10**9
    return (newest_ns(moment) // cell_ns + 1 - columns + at) * cell_ns


def _lost(moment: Moment, ranges: TickRanges) -> list[bool]:
    """Return in which cells packets were lost."""
    lines = [each for each in moment.stages if each.stage.group == "lost"]
    rows = [row for each in lines if each.since_start for row in each.rows]
    lost = [False] * len(ranges)
    for row in rows:
        for i, rate in enumerate(moment.history.stages.means(row, ranges)):
            lost[i] = lost[i] or bool(rate)
    return lost


def _numbers(moment: Moment, direction: Direction, columns: int, height: int) -> list[Line]:
    """Return the numbers beside the chart: two lines, three or five, by the height of the chart."""
    totals, past = moment.interface.traffic(direction).totals, moment.past_of(direction)
    role = "name" if direction == moment.direction else "muted"
    first = line(
        (direction.upper(), role, "direction"),
        f"{si(totals.packets_per_sec, 'pps'):>11}{si(totals.bits_per_sec, 'b/s'):>11}",
    )
    row = (moment.interface.label, direction, "packets")
    peak = moment.history.peak(row, _begin_ns(moment, columns, 0), newest_ns(moment))
    change = change_words(totals.packets_per_sec, past.then("packets"), since_mark=moment.mark is not None)
    look = change_look(totals.packets_per_sec, past.then("packets"), FEW_PPS)
    changed = line((f"   {change}" if change else "", look))
    highest = "" if peak is None or not peak[0] else f"peak {si(peak[0])}"
    if height < 6:
        both = f"{change}, {highest}"
        fits = change and highest and len(both) <= NUMBERS - 2
        return [first, line((both, look)) if fits else changed]
    peaked = line(
        (f"   {highest} {clock_time(moment.snapshot.wall_time_ns(peak[1]))}" if peak and highest else "", "muted")
    )
    use = utilisation(moment.interface, direction)
    sized = line((f"   {size_text(totals.mean_size_bytes)} a frame{f', {use}' if use else ''}", "muted"))
    return [first, peaked, changed] if height < 10 else [first, peaked, changed, sized, ()]


def _read_out(moment: Moment, plot: Plot, at: int) -> list[Line]:
    """Return the time and the values of the cell under the mouse."""
    columns = len(plot.above)
    begin_ns = _begin_ns(moment, columns, at)
    seconds = cell_seconds(columns)
    return [
        line((f"{clock_time(moment.snapshot.wall_time_ns(begin_ns))} and {seconds} s", "key")),
        line(("RX", "name"), f"{si(plot.above[at], 'pps'):>11}", (" highest", "muted")),
        line(("TX", "name"), f"{si(plot.below[at] if plot.below else None, 'pps'):>11}", (" highest", "muted")),
        line(
            ("packets were lost", "notice") if at < len(plot.marked) and plot.marked[at] else ("nothing lost", "muted")
        ),
    ]


def direction_line(moment: Moment, direction: Direction, width: int) -> Line:
    """Return ``RX   1.24 Mpps   812 Mb/s   82 B a frame  11 % of 10G  ▁▂▃  12 x a minute ago``.

    The trend takes the cells that are left.
    """
    totals, past = moment.interface.traffic(direction).totals, moment.past_of(direction)
    use = utilisation(moment.interface, direction)
    change = change_words(totals.packets_per_sec, past.then("packets"), since_mark=moment.mark is not None)
    a_frame = " a frame" if width >= (100 if use else 80) else ""  # on a narrower screen the trend takes these cells
    parts = [
        line(
            (direction.upper(), "name" if direction == moment.direction else "muted", "direction"),
            f"{si(totals.packets_per_sec, 'pps'):>12}{si(totals.bits_per_sec, 'b/s'):>11}",
        ),
        line(f"{size_text(totals.mean_size_bytes):>8}{a_frame}{use:>{len(use) and 15}}"),
        line((f"{change:>{CHANGE_WIDTH}}", change_look(totals.packets_per_sec, past.then("packets"), FEW_PPS))),
    ]
    while sum(map(length, parts)) > width and len(parts) > 1:
        del parts[1]
    cells = min(60, width - sum(map(length, parts)) - 2)
    if cells >= 10 and len(parts) > 1:
        parts.insert(-1, line("  ", (spark(past.trend("packets", cells, TREND_CELL_S), cells), "trend")))
    return tuple([span for part in parts for span in part])


CHANGE_WIDTH = 20
"""Cells of a change such as ``  1.4 x a minute ago``."""


def change_words(now: float | None, then: float | None, *, since_mark: bool) -> str:
    """Return ``1.4 x a minute ago``, or ``new (nothing at the mark)``; empty where a value is unknown."""
    change, before = change_text(now, then), "at the mark" if since_mark else "a minute ago"
    if change == UNKNOWN:
        return ""
    return f"new (nothing {before})" if change == "new" else f"{change} {'the mark' if since_mark else before}"


def utilisation(interface: InterfaceSnapshot, direction: Direction) -> str:
    """Return ``11 % of 10G``; empty if the speed is unknown or implausible."""
    speed = interface.interface.speed_bits_per_sec
    return f"{pct(interface.utilisation(direction))} of {compact(speed)}" if speed else ""
