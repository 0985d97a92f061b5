"""Pane 2: which CPU does the work, with one row per CPU or all CPUs as a strip."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

from textual.widget import Widget

from bpftop.history.cpu_trends import CELL_S
from bpftop.history.interrupt_trends import CELLS, NET_RX, InterruptRow, InterruptTrends
from bpftop.model.cpu_readings import CpuValues
from bpftop.model.units import UNKNOWN, bar, pct, si, spark
from bpftop.render.columns import Column, clipped
from bpftop.render.comparison import ratio
from bpftop.render.queue_summary import queue_phrases
from bpftop.render.traffic_columns import CPU_COLUMNS
from bpftop.render.traffic_rows import CpuLine, CpuTable, effective_cpus
from bpftop.tui.bindings import bindings
from bpftop.tui.moment import Moment
from bpftop.tui.panes.pane import Pane
from bpftop.tui.widgets.chart import Plot, chart_lines
from bpftop.tui.widgets.cpu_charts import LEAST_LINES, CpuCharts, cpu_values, trend_columns
from bpftop.tui.widgets.cpu_strip import CpuStrip
from bpftop.tui.widgets.line import Line, clean, line, shortened, wrapped
from bpftop.tui.widgets.region import Region
from bpftop.tui.widgets.table import Rows, Table
from bpftop.tui.widgets.traffic import direction_line

NO_PROGRAM = "Packets per CPU are not counted: no program is attached. `bpftop doctor` says what is missing."

SORTED_BY: Mapping[str, Callable[[CpuTable], CpuValues]] = {
    "packets_per_sec": lambda cpus: cpus.rates,
    "bits_per_sec": lambda cpus: cpus.bits,
    "softirq": lambda cpus: cpus.readings.softirq,
    "backlog_drops_per_sec": lambda cpus: cpus.readings.backlog_drops,
    "squeezes_per_sec": lambda cpus: cpus.readings.squeezes,
    "net_rx_per_sec": lambda cpus: cpus.readings.net_rx,
    "irqs_per_sec": lambda cpus: cpus.readings.irqs,
}
"""Columns that can be sorted by: their values exist for all CPUs, not only for the CPUs on the screen."""


def cpus_of(moment: Moment) -> CpuTable:
    """Return the CPUs of the selected direction."""
    return CpuTable(moment.past)


class CpuSummary(Region):
    """The direction, how many CPUs carry it, and how packets reach the CPUs."""

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        spread = wrapped(NO_PROGRAM, "notice", width)[0] if moment.without_program else _spread(moment, width)
        return [direction_line(moment, moment.direction, width), spread, _queues(moment, width)]


class CpuRows(Table[CpuLine]):
    """A row per CPU."""

    def columns(self, moment: Moment) -> Sequence[Column[CpuLine]]:
        return CPU_COLUMNS

    def rows(self, moment: Moment) -> Rows[CpuLine]:
        cpus = cpus_of(moment)
        numbers = self._ordered(cpus)
        return Rows(
            [str(cpu) for cpu in numbers],
            lambda keys: cpus.lines([int(key) for key in keys]),
            len(cpus.visible_cpus),
        )

    def row_title(self, key: str) -> str:
        return f"CPU {key}"

    def _ordered(self, cpus: CpuTable) -> list[int]:
        """Return the CPUs that pass the filter, in screen order."""
        numbers = _matching(cpus, self.words())
        if self.sort not in SORTED_BY:
            return numbers[::-1] if self.reverse else numbers
        values = SORTED_BY[self.sort](cpus)
        known = [cpu for cpu in numbers if values[cpu] is not None]
        known.sort(key=lambda cpu: values[cpu] or 0.0, reverse=not self.reverse)
        return known + [cpu for cpu in numbers if values[cpu] is None]


SUMMARY_LINES, ROWS_AROUND = 3, 2
"""Lines of the summary, and of the rows' titles and the blank line below them."""
FACT_WIDTH, BAR_WIDTH = 14, 20
"""Cells of a title among the details of a CPU, and of its value."""
INTERRUPT_WIDTH = 24
LEAST_INTERRUPTS, LEAST_PROTOCOLS = 3, 3
"""Lines of the interrupts of a CPU, with their title, and protocols, that have room on a small screen too."""
LEAST_CHART, HEADINGS = 4, 4
"""Lines of the details of a CPU: of the lowest chart, and of the headings with the empty lines above them."""


class CpuDetail(Region):
    """One CPU: its trend, its protocols, its interrupts and its counters."""

    def __init__(self) -> None:
        super().__init__()
        self._interrupts = InterruptTrends((), 0)

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        cpu = int(moment.frame.place.row or 0)
        cpus = cpus_of(moment)
        if cpu >= len(cpus.rates):
            return [line((f"There is no CPU {cpu} here.", "muted"))]
        (row,) = cpus.lines([cpu])
        columns = [column for column in CPU_COLUMNS if column.id not in ("trend", "protocols")]
        facts = [
            line(
                (f"{column.title:<{FACT_WIDTH}}", "title"), f"{column.cell(row, BAR_WIDTH).strip():<{BAR_WIDTH}}  ",
                (clean(column.help), "muted"),
            )
            for column in columns
        ]  # fmt: skip
        protocols = [
            line((f"{name:<{FACT_WIDTH}}", "name"), f"{si(rate, 'pps'):>12}  ", (bar(ratio(rate, row.now), 20), "bar"),
                 f" {pct(ratio(rate, row.now)):>5}")
            for name, rate in cpus.protocols(cpu)
        ]  # fmt: skip
        apart: list[Line] = [()]
        if LEAST_CHART + len(facts) + len(protocols) + HEADINGS > height:  # without their meanings, beside each other
            apart = []
            across = max(1, width // (FACT_WIDTH + BAR_WIDTH + 2))
            short = [fact[:2] for fact in facts]
            facts = [tuple(chain.from_iterable(short[at : at + across])) for at in range(0, len(short), across)]
            protocols = protocols[: max(LEAST_PROTOCOLS, height - LEAST_CHART - len(facts) - 2 - LEAST_INTERRUPTS)]
        below = [*apart, line(("This CPU now", "title")), *facts]
        below += [*apart, line(("Protocols on this CPU", "title")), *protocols]
        left = height - LEAST_CHART - len(below) - len(apart)
        if left >= LEAST_INTERRUPTS:
            below += [*apart, *self._interrupt_lines(moment, cpu, left)]
        room = max(LEAST_CHART, min(height // 3, height - len(below)))
        return [*self._chart(moment, cpu, width, room), *(shortened(spans, width) for spans in below)]

    def _interrupt_lines(self, moment: Moment, cpu: int, height: int) -> list[Line]:
        """Return the trends of this CPU's interrupts in at most ``height`` lines, the busiest first.

        The first row is the softirqs that take packets from the queues.
        """
        labels = moment.past.labels
        if (self._interrupts.labels, self._interrupts.cpu) != (labels, cpu):
            self._interrupts = InterruptTrends(labels, cpu)
        rows = self._interrupts.rows(moment.history, moment.snapshot.mono_ns)
        ordered = sorted(rows.items(), key=lambda row: (row[0] != NET_RX, -sum(filter(None, row[1]))))
        shown = [row for row in ordered if row[0] == NET_RX or any(row[1])][: height - 1]
        title = f"Interrupts on this CPU, last {CELLS * CELL_S // 60} min, {CELL_S} s a cell, each row on its own scale"
        lines = [
            line(
                (f"{_interrupt_name(moment, row):<{INTERRUPT_WIDTH}}", "name"), f"{si(rates[-1], '/s'):>10}  ",
                (f"{spark(rates, CELLS):>{CELLS}}", "trend"),
                (f"  peak {si(max(filter(None, rates), default=None), '/s')}", "muted"),
            )
            for row, rates in shown
        ]  # fmt: skip
        none = line((f"not known yet: the first {CELL_S} s are not over", "muted"))
        return [line((title, "title")), *(lines or [none])]

    def _chart(self, moment: Moment, cpu: int, width: int, height: int) -> list[Line]:
        columns = trend_columns(width)
        values = cpu_values(moment.past.cpu_cells(columns), cpu)
        return chart_lines(Plot(values, span_s=columns * CELL_S), width, height)


def _interrupt_name(moment: Moment, row: InterruptRow) -> str:
    """Return ``IRQ 43 eth0-3``, as /proc/interrupts calls it; ``NET_RX`` for the softirqs."""
    if row.irq is None:
        return "NET_RX softirq"
    facts = moment.snapshot.interface(row.label).interface.facts
    named = (irq.name for irq in (facts.irqs if facts is not None else None) or () if irq.number == row.irq)
    return clipped(clean(f"IRQ {row.irq} {next(named, row.label)}"), INTERRUPT_WIDTH - 1)


class CpusPane(Pane):
    """A table of CPUs above their charts, where there is room for both, or a strip with a cell per CPU."""

    DEFAULT_CSS = """
    CpusPane CpuSummary { height: 3; }
    CpusPane CpuCharts { height: 1fr; display: none; }
    CpusPane CpuStrip { height: 1fr; display: none; }
    CpusPane.-wide CpuStrip { display: block; }
    CpusPane.-wide CpuRows { display: none; }
    CpusPane CpuRows, CpusPane CpuDetail { height: 1fr; }
    """
    BINDINGS = bindings("wide")
    source = (
        "Packets and bits: the counting program, which counts per CPU; the rest: the files that "
        "each column names, and /proc/interrupts."
    )
    hints = (("choose", "this CPU"), ("wide", "strip"), ("direction", "RX/TX"), ("pause", "pause"),
             ("filter", "filter"), ("sort", "sort"), ("mark", "mark"))  # fmt: skip
    columns = CPU_COLUMNS

    def compose_list(self) -> Iterator[Widget]:
        self._rows, self._charts = CpuRows(), CpuCharts()
        yield from (CpuSummary(), self._rows, self._charts, CpuStrip())

    def compose_detail(self) -> Iterator[Widget]:
        yield CpuDetail()

    def table(self) -> CpuRows:
        return self._rows

    def divide(self, moment: Moment, width: int, height: int) -> None:
        """Give the rows the lines that they need, and the rest to the charts, unless there are too many CPUs."""
        count = len(cpus_of(moment).visible_cpus)
        room = height - SUMMARY_LINES - count - ROWS_AROUND
        fits = not moment.without_program and 0 < count * LEAST_LINES <= room and not self.has_class("-wide")
        if self._charts.display != fits:
            self._charts.display = fits
        lines = str(count + ROWS_AROUND) if fits else "1fr"
        if str(self._rows.styles.height) != lines:
            self._rows.styles.height = lines

    def action_wide(self) -> None:
        self.toggle_class("-wide")
        self.on_resize()
        self.take_focus()


def _spread(moment: Moment, width: int) -> Line:
    """Return ``1.1 of 16 CPUs carry RX   busiest: CPU 3, 97 %, 1.13 Mpps``."""
    cpus = cpus_of(moment)
    online, direction = moment.snapshot.online_cpus, moment.direction.upper()
    effective = effective_cpus(cpus.rates)
    carry = f"{UNKNOWN if effective is None else f'{effective:.1f}'} of {len(online)} CPUs carry {direction}"
    spans = line(("CPU  ", "muted"), carry)
    if cpus.whole:
        busiest, rate = max(enumerate(cpus.rates), key=lambda pair: pair[1] or 0.0)
        spans = line(*spans, f"   busiest: CPU {busiest}, {pct(ratio(rate, cpus.whole))}, {si(rate, 'pps')}")
    return shortened(spans, width)


def _queues(moment: Moment, width: int) -> Line:
    """Return how packets reach the CPUs; nothing if the device is unknown or the total is selected."""
    facts = moment.interface.interface.facts
    if facts is None:
        return ()
    summary, *parts = queue_phrases(facts, moment.direction)
    for part in parts:
        if len(summary) + len(part) + 7 <= width:
            summary = f"{summary}, {part}"
    return shortened(line(("IRQ  ", "muted"), clean(summary)), width)


def _matching(cpus: CpuTable, words: Sequence[str]) -> list[int]:
    """Return the CPUs that the filter names: by number (``0-3``), or by a protocol with packets on the CPU."""
    if not words:
        return cpus.visible_cpus
    matches = (re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", word) for word in words)
    ranges = [(int(match[1]), int(match[2] or match[1])) for match in matches if match]
    names = [word for word in words if not word[0].isdigit()]
    return [
        cpu
        for cpu in cpus.visible_cpus
        if any(first <= cpu <= last for first, last in ranges)
        or (names and any(name in protocol.lower() for protocol, _ in cpus.protocols(cpu) for name in names))
    ]
