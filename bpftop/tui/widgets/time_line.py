"""The time line of a recording: where the screen is, where findings were raised, and where ticks are missing."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from bpftop.model.timestamps import clock_time
from bpftop.tui.messages import WallTimeRequested
from bpftop.tui.moment import Moment, RecordedTimes
from bpftop.tui.widgets.line import Line, Span, length
from bpftop.tui.widgets.region import Region

GRAVITY = ("info", "warning", "critical")
MARKS = {"info": ("·", "muted"), "warning": ("▲", "notice"), "critical": ("▲", "alarm")}


class TimeLine(Region):
    """One line over the whole width; a click goes to that moment."""

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        times = moment.frame.recorded
        if times is None:
            return []
        left, right = f"{clock_time(times.begin_ns)} ", f" {clock_time(times.end_ns)}"
        cells = max(1, width - len(left) - len(right))
        line: list[Span] = [Span("─", "muted")] * cells
        for begin_ns, end_ns in times.gaps:
            for cell in range(_cell(times, begin_ns, cells), _cell(times, end_ns, cells) + 1):
                line[cell] = Span(" ", "muted")
        for wall_ns, severity, _ in sorted(times.findings, key=lambda each: GRAVITY.index(each[1])):
            line[_cell(times, wall_ns, cells)] = Span(*MARKS[severity])
        at = _cell(times, moment.snapshot.wall_ns, cells)
        line[at] = Span(line[at].text if line[at].text in "▲·" else "┃", "key~")
        return [(Span(left, "muted"), *line, Span(right, "muted"))]

    def on_click(self, event: events.Click) -> None:
        times = self.moment.frame.recorded if self.moment else None
        if times is None or not self.lines:
            return
        left, right = self.lines[0][0], self.lines[0][-1]
        cells = length(self.lines[0]) - length((left, right))
        cell = max(0, min(cells - 1, event.x - len(left.text)))
        event.stop()
        self.post_message(
            WallTimeRequested(times.begin_ns + (times.end_ns - times.begin_ns) * cell // max(1, cells - 1))
        )


def _cell(times: RecordedTimes, wall_ns: int, cells: int) -> int:
    """Return the cell of a moment."""
    share = (wall_ns - times.begin_ns) / max(1, times.end_ns - times.begin_ns)
    return max(0, min(cells - 1, round(share * (cells - 1))))
