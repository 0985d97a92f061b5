"""Pane 2: which CPU does the work. A row per CPU, or all of them as one strip."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from bpftop.model.cpu_readings import CpuValues
from bpftop.model.units import UNKNOWN, pct, si
from bpftop.render.queue_summary import queue_words
from bpftop.render.rows import CpuLine, CpuTable, effective_cpus, share
from bpftop.render.traffic_columns import CPU_COLUMNS
from bpftop.tui.panes.cpus.heat import heat_lines
from bpftop.tui.panes.overview.links import direction_line
from bpftop.tui.panes.overview.protocols import observing
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.header import header, notice_line
from bpftop.tui.widgets.line import Line, clean, crop, line, text, wrap
from bpftop.tui.widgets.table import TextTable, rule, visible

OBSERVER = "Packets per CPU are not counted: no program is attached. `bpftop doctor` says what is missing."

SORTED_BY: Mapping[str, Callable[[CpuTable], CpuValues]] = {
    "packets_per_sec": lambda cpus: cpus.rates,
    "bits_per_sec": lambda cpus: cpus.bits,
    "softirq": lambda cpus: cpus.readings.softirq,
    "backlog_drops_per_sec": lambda cpus: cpus.readings.backlog_drops,
    "squeezes_per_sec": lambda cpus: cpus.readings.squeezes,
    "net_rx_per_sec": lambda cpus: cpus.readings.net_rx,
    "irqs_per_sec": lambda cpus: cpus.readings.irqs,
}
"""Columns that are worked out for all CPUs at once."""

TABLE: TextTable[CpuLine] = TextTable(CPU_COLUMNS, lambda row: str(row.cpu))


def lines(frame: PaneInput, height: int) -> list[Line]:
    """The pane in ``height`` lines."""
    head = [header(frame), *notice_line(frame), direction_line(frame, frame.view.direction)]
    cpus = CpuTable(frame.traffic, frame.past)
    if observing(frame):
        head += [line((part, "notice")) for part in wrap(OBSERVER, min(frame.width, 100))]
    else:
        head.append(_spread(frame, cpus))
    head += _queues(frame)
    room = max(1, height - len(head) - (1 if frame.view.wide else 2))
    if frame.view.wide:
        strip = heat_lines(cpus.shown, cpus.rates, frame.width, room)
        return [*head, rule(frame, (), slice(0, room), None), *strip][:height]
    numbers = _ordered(frame, cpus)
    keys = [str(cpu) for cpu in numbers]
    shown = visible(keys, frame.view.cursor, room)
    drawn = TABLE.lines(cpus.lines(numbers[shown]), frame, frame.width)
    return [*head, rule(frame, keys, shown, len(cpus.shown)), *drawn][:height]


def keys(frame: PaneInput) -> list[str]:
    """The rows a cursor can be on, in order."""
    if frame.view.wide:
        return []
    return [str(cpu) for cpu in _ordered(frame, CpuTable(frame.traffic, frame.past))]


def sort_ids(frame: PaneInput) -> list[str]:
    return [] if frame.view.wide else TABLE.sort_ids(frame, frame.width)


def row_text(frame: PaneInput, key: str) -> str:
    """The row as text, with its heading, for the clipboard."""
    cpus = CpuTable(frame.traffic, frame.past)
    drawn = TABLE.lines(cpus.lines([int(key)]), frame, max(100, frame.width))
    return "\n".join(text(one).rstrip() for one in drawn)


def _spread(frame: PaneInput, cpus: CpuTable) -> Line:
    """``1.1 of 16 CPUs carry RX   busiest: CPU 3, 97 %, 1.13 Mpps``."""
    online, direction = frame.shown.online_cpus, frame.view.direction.upper()
    effective = effective_cpus(cpus.rates)
    carry = f"{UNKNOWN if effective is None else f'{effective:.1f}'} of {len(online)} CPUs carry {direction}"
    spans = line(("CPU  ", "muted"), carry)
    if cpus.whole:
        busiest, rate = max(enumerate(cpus.rates), key=lambda pair: pair[1] or 0.0)
        spans = line(*spans, f"   busiest: CPU {busiest}, {pct(share(rate, cpus.whole))}, {si(rate, 'pps')}")
    return crop(spans, frame.width)


def _queues(frame: PaneInput) -> list[Line]:
    """How packets come to the CPUs; no line where nothing is known of the interface, or several are looked at."""
    facts = frame.watched.interface.facts
    if facts is None:
        return []
    said, *more = queue_words(facts, frame.view.direction)
    for part in more:
        if len(said) + len(part) + 7 <= frame.width:
            said = f"{said}, {part}"
    return [crop(line(("IRQ  ", "muted"), clean(said)), frame.width)]


def _ordered(frame: PaneInput, cpus: CpuTable) -> list[int]:
    """The CPUs that pass the filter, sorted. Only what is cheap for all CPUs can be sorted by."""
    view = frame.view
    numbers = _kept(cpus, view.filter)
    if view.sort not in SORTED_BY:
        return numbers[::-1] if view.reverse else numbers
    by = SORTED_BY[view.sort](cpus)
    known = [cpu for cpu in numbers if by[cpu] is not None]
    known.sort(key=lambda cpu: by[cpu] or 0.0, reverse=not view.reverse)
    return known + [cpu for cpu in numbers if by[cpu] is None]


def _kept(cpus: CpuTable, typed: str) -> list[int]:
    """``0-3,8`` are CPUs; words are protocols: a CPU passes when one of them moved there. Nothing typed: all pass."""
    words = typed.lower().replace(",", " ").split()
    if not words:
        return cpus.shown
    ranges = [
        (int(m[1]), int(m[2] or m[1])) for word in words if (m := re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", word))
    ]
    names = [word for word in words if not word[0].isdigit()]
    return [
        cpu
        for cpu in cpus.shown
        if any(first <= cpu <= last for first, last in ranges)
        or (names and any(name in moved.lower() for moved, _ in cpus.protocols(cpu) for name in names))
    ]
