"""A chart per CPU, all on one scale: which CPU takes the packets, and since when, without opening each."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.history.cpu_trends import CELL_S
from bpftop.render.traffic_rows import CpuTable
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.chart import AXIS, SPAN_S, Plot, cell_count, chart_lines
from bpftop.tui.widgets.line import Line, line, shortened
from bpftop.tui.widgets.region import Region

LEAST_LINES, MOST_LINES = 5, 16
"""Lines of one CPU: its title, its chart, and the chart's axis."""


class CpuCharts(Region):
    """The packets per second of every CPU over the last minutes."""

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        cpus = CpuTable(moment.past).visible_cpus
        lines = min(MOST_LINES, height // len(cpus)) if cpus else 0
        if lines < LEAST_LINES:
            return []
        columns = trend_columns(width)
        cells = moment.past.cpu_cells(columns)
        values = [cpu_values(cells, cpu) for cpu in cpus]
        highest = max((value for row in values for value in row if value is not None), default=0.0)
        drawn: list[Line] = []
        scale = f"  {moment.direction.upper()} pps, one scale for all CPUs"
        for cpu, row in zip(cpus, values, strict=True):
            title = line((f"CPU {cpu}", "title"), (scale if cpu == cpus[0] else "", "muted"))
            plot = Plot(row, span_s=columns * CELL_S, least=max(1.0, highest))
            drawn += [shortened(title, width), *chart_lines(plot, width, lines - 1)]
        return drawn


def trend_columns(width: int) -> int:
    """Return how many cells of a CPU's trend a chart of this width shows."""
    return min(SPAN_S // CELL_S, cell_count(width - AXIS - 2))


def cpu_values(cells: Sequence[Sequence[float] | None], cpu: int) -> list[float | None]:
    """Return the packets per second of one CPU by cell; None where they are not known."""
    values = [None if cell is None or cpu >= len(cell) else cell[cpu] for cell in cells]
    return [None if value is None or value != value else value for value in values]
