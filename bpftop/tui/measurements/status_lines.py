"""The lines of a measurement: its progress or its summary."""

from __future__ import annotations

from bpftop.model.units import bar
from bpftop.render.columns import clipped
from bpftop.tui.measurements.measurement import RunStatus
from bpftop.tui.widgets.line import Line, clean, line, shortened, wrap

BAR_WIDTH = 16


def status_lines(status: RunStatus, stopping: bool, idle: str, width: int) -> list[Line]:
    """Return the progress in one line, or the summary in as many lines as it needs; ``idle`` before the first run."""
    if status.running:
        left = "" if status.left_s is None else f"  {status.left_s:3.0f} s left"
        end = "  cancelling" if stopping else "  esc cancels"
        room = width - BAR_WIDTH - len(left) - len(end) - 12
        progress = line(
            ("▕", "muted"), (bar(status.share, BAR_WIDTH), "bar"), ("▏", "muted"), f"{status.share:4.0%}", left,
            (f"  {clipped(status.step, room)}" if room > 0 else "", "name"), (end, "key"),
        )  # fmt: skip
        return [shortened(progress, width)]
    role = {"failed": "alarm", "cancelled": "notice"}.get(status.phase, "muted")
    return [line((part, role)) for part in wrap(clean(status.sentence or idle), width)]
