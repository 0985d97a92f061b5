"""Pane 2: which CPU does the work, with one row per CPU or all CPUs as a strip."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from bpftop.model.cpu_readings import CpuValues
from bpftop.model.units import UNKNOWN, pct, si
from bpftop.render.comparison import ratio
from bpftop.render.queue_summary import queue_phrases
from bpftop.render.rows import CpuLine, CpuTable, effective_cpus
from bpftop.render.traffic_columns import CPU_COLUMNS
from bpftop.tui.panes.pane import Pane
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.cpu_strip import cpu_strip
from bpftop.tui.widgets.header import header, notice_line
from bpftop.tui.widgets.line import Line, clean, crop, line, wrap
from bpftop.tui.widgets.table import TextTable, rule, visible
from bpftop.tui.widgets.traffic_lines import direction_line

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

TABLE: TextTable[CpuLine] = TextTable(CPU_COLUMNS, lambda row: str(row.cpu))


class CpusPane(Pane):
    """A table of CPUs, or a strip with a cell per CPU."""

    def lines(self, pane_input: PaneInput, height: int) -> list[Line]:
        head = [header(pane_input), *notice_line(pane_input), direction_line(pane_input, pane_input.view.direction)]
        cpus = CpuTable(pane_input.past)
        if pane_input.without_program:
            head += [line((part, "notice")) for part in wrap(NO_PROGRAM, min(pane_input.width, 100))]
        else:
            head.append(_spread(pane_input, cpus))
        head += _queues(pane_input)
        room = max(1, height - len(head) - (1 if pane_input.view.wide else 2))
        if pane_input.view.wide:
            strip = cpu_strip(cpus.visible_cpus, cpus.rates, pane_input.width, room)
            return [*head, rule(pane_input, (), slice(0, room), None), *strip][:height]
        numbers = _ordered(pane_input, cpus)
        keys = [str(cpu) for cpu in numbers]
        visible_rows = visible(keys, pane_input.view.cursor, room)
        body = TABLE.lines(cpus.lines(numbers[visible_rows]), pane_input, pane_input.width)
        return [*head, rule(pane_input, keys, visible_rows, len(cpus.visible_cpus)), *body][:height]

    def keys(self, pane_input: PaneInput) -> list[str]:
        if pane_input.view.wide:
            return []
        return [str(cpu) for cpu in _ordered(pane_input, CpuTable(pane_input.past))]

    def sort_ids(self, pane_input: PaneInput) -> list[str]:
        return [] if pane_input.view.wide else TABLE.sort_ids(pane_input, pane_input.width)

    def row_text(self, pane_input: PaneInput, key: str) -> str:
        cpus = CpuTable(pane_input.past)
        return TABLE.text(cpus.lines([int(key)]), pane_input, max(100, pane_input.width))


PANE = CpusPane()


def _spread(pane_input: PaneInput, cpus: CpuTable) -> Line:
    """Return ``1.1 of 16 CPUs carry RX   busiest: CPU 3, 97 %, 1.13 Mpps``."""
    online, direction = pane_input.snapshot.online_cpus, pane_input.view.direction.upper()
    effective = effective_cpus(cpus.rates)
    carry = f"{UNKNOWN if effective is None else f'{effective:.1f}'} of {len(online)} CPUs carry {direction}"
    spans = line(("CPU  ", "muted"), carry)
    if cpus.whole:
        busiest, rate = max(enumerate(cpus.rates), key=lambda pair: pair[1] or 0.0)
        spans = line(*spans, f"   busiest: CPU {busiest}, {pct(ratio(rate, cpus.whole))}, {si(rate, 'pps')}")
    return crop(spans, pane_input.width)


def _queues(pane_input: PaneInput) -> list[Line]:
    """Return how packets reach the CPUs; nothing if the device is unknown or the total is selected."""
    facts = pane_input.interface.interface.facts
    if facts is None:
        return []
    summary, *parts = queue_phrases(facts, pane_input.view.direction)
    for part in parts:
        if len(summary) + len(part) + 7 <= pane_input.width:
            summary = f"{summary}, {part}"
    return [crop(line(("IRQ  ", "muted"), clean(summary)), pane_input.width)]


def _ordered(pane_input: PaneInput, cpus: CpuTable) -> list[int]:
    """Return the CPUs that pass the filter, in screen order."""
    view = pane_input.view
    numbers = _matching(cpus, view.filter)
    if view.sort not in SORTED_BY:
        return numbers[::-1] if view.reverse else numbers
    values = SORTED_BY[view.sort](cpus)
    known = [cpu for cpu in numbers if values[cpu] is not None]
    known.sort(key=lambda cpu: values[cpu] or 0.0, reverse=not view.reverse)
    return known + [cpu for cpu in numbers if values[cpu] is None]


def _matching(cpus: CpuTable, filter_text: str) -> list[int]:
    """Return the CPUs that the filter names: by number (``0-3,8``), or by a protocol with packets on the CPU."""
    words = filter_text.lower().replace(",", " ").split()
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
