"""The last ten minutes of a BPF program: percent of one CPU, runs per second, and the mean time of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bpftop.fields import frozen
from bpftop.history.bpf_trends import ProgramRuns
from bpftop.history.cpu_trends import CELL_S
from bpftop.model.units import UNKNOWN, ns, si
from bpftop.render.bpf.loaded_programs import LoadedProgramLine, recorded_program_lines
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.chart import AXIS, SPAN_S, Plot, cell_count, chart_lines
from bpftop.tui.widgets.line import Line, beside, line, shortened
from bpftop.tui.widgets.region import Region

CHART_WIDTH = 50
"""Least width of a chart beside another one."""


@frozen
class _Chart:
    title: str
    number: Callable[[float | None], str]
    now: Callable[[LoadedProgramLine], float | None]
    past: Callable[[ProgramRuns], float | None]
    least: float


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3g}"


_CHARTS = (
    _Chart("% of one CPU", _percent, lambda row: row.rates.cpu_pct, lambda runs: runs.cpu_pct, 0.01),
    _Chart("runs/s", si, lambda row: row.rates.runs_per_sec, lambda runs: runs.runs_per_sec, 1.0),
    _Chart("ns of a run", ns, lambda row: row.rates.ns_per_run, lambda runs: runs.ns_per_run, 1.0),
)


class ProgramCharts(Region):
    """Draws as many charts of the chosen program as fit beside each other. The last cell is the last interval."""

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        key = moment.frame.place.row
        row = next((each for each in recorded_program_lines(moment.snapshot) if each.key == key), None)
        across = max(1, min(len(_CHARTS), width // CHART_WIDTH))
        each_width = width // across
        columns = cell_count(each_width - AXIS - 2)
        step = max(1, SPAN_S // CELL_S // columns)
        columns = min(columns, SPAN_S // CELL_S // step)
        trends = moment.history.bpf_trends
        past = trends.program(int(key), moment.snapshot.mono_ns, columns * step) if key.isdecimal() else []
        lines: list[Line] = []
        for at, chart in enumerate(_CHARTS[:across]):
            block = _chart(
                chart, row, _means([None if r is None else chart.past(r) for r in past], step), each_width, height
            )
            lines = beside(lines, block, each_width * at, 0) if at else block
        return lines


def _means(values: Sequence[float | None], step: int) -> list[float | None]:
    """Return the mean of every ``step`` values; None where none of them is known."""
    known = ([v for v in values[at : at + step] if v is not None] for at in range(0, len(values), step))
    return [sum(each) / len(each) if each else None for each in known]


def _chart(
    chart: _Chart, row: LoadedProgramLine | None, past: Sequence[float | None], width: int, height: int
) -> list[Line]:
    now = None if row is None else chart.now(row)
    cells = [*past[1:], now]
    peak = max((value for value in cells if value is not None), default=None)
    title = line((chart.title, "title"), f"  {chart.number(now)}", (f"   peak {chart.number(peak)}", "muted"))
    plot = Plot(cells, least=chart.least, label=chart.number)
    return [shortened(title, width), *chart_lines(plot, width, height - 1)]
