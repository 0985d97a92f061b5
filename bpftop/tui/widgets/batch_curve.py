"""The cost of an entry over the sizes of a batch as a chart, with the cost of single calls as a dotted line."""

from __future__ import annotations

from bpftop.model.units import compact, ns
from bpftop.render.measure.batch_curves import BatchCurve
from bpftop.tui.widgets.chart import UPWARDS
from bpftop.tui.widgets.line import Line, line, shortened

AXIS = 8
COLUMN, GAP = 4, 4
"""Cells of a size of the batch, and between two of them."""
LEAST_HEIGHT = 6


def batch_curve_lines(curve: BatchCurve, width: int, height: int) -> list[Line]:
    """Return a title, the columns, their axis with the sizes, and the values; nothing without room for that."""
    rows = height - 3
    fitting = max(2, (width - AXIS) // (COLUMN + GAP))
    points = curve.points[-fitting:]
    if height < LEAST_HEIGHT or not points:
        return []
    values = [value for _, value in points]
    top = max([*values, curve.single_ns or 0.0]) or 1.0
    level = None if curve.single_ns is None else min(rows - 1, int(curve.single_ns / top * rows))
    title = f"{curve.operation} on {curve.kind}: ns per entry, by entries in a batch"
    lines = [shortened(line((title, "title")), width)]
    for row in reversed(range(rows)):
        label = f"{ns(top):>6} ┤" if row == rows - 1 else "       │"
        cells = [UPWARDS[max(0, min(8, round((value / top * rows - row) * 8)))] * COLUMN for value in values]
        between = ("·" if row == level else " ") * GAP
        drawn = "".join(between + (between[:COLUMN] if cell.isspace() else cell) for cell in cells)
        single = f" {ns(curve.single_ns)} {' and '.join(curve.singles)}, single calls" if row == level else ""
        lines.append(line((label, "muted"), (drawn, "trend"), (single, "name")))
    sizes = "".join(f"{compact(size):─>{GAP + COLUMN}}" for size, _ in points)
    numbers = "".join(f"{ns(value):>{GAP + COLUMN}}" for value in values)
    lines += [line(("     0 ┼", "muted"), (sizes, "muted")), line((f"{'ns':>{AXIS - 1}} ", "muted"), numbers)]
    return [shortened(each, width) for each in lines]
