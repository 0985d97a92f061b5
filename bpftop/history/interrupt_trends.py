"""Interrupts and receive softirqs of one CPU over the last minutes, worked out of kept samples when somebody looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bpftop.history.history import History
from bpftop.model.families import FAMILIES
from bpftop.model.readings import gain, pair_readings, per_sec
from bpftop.model.sample import Reading, Sample, reading_key

CELL_S, CELLS = 5, 24
_CELL_NS = CELL_S * 10**9


class InterruptRow(NamedTuple):
    """An interrupt of an interface on the CPU; ``irq`` None: the receive softirqs of the CPU."""

    label: str
    irq: int | None


NET_RX = InterruptRow("", None)


class InterruptTrends:
    """Rates of the interrupts of some interfaces on one CPU, in cells of ``CELL_S``.

    Nothing is kept for a CPU that nobody looks at: the past comes from the samples of the history, one per cell. Then
    a new cell takes one sample more.
    """

    def __init__(self, labels: Sequence[str], cpu: int) -> None:
        self.labels, self.cpu = tuple(labels), cpu
        self._cells: dict[int, Mapping[InterruptRow, float]] = {}
        self._edge: Sample | None = None  # of the last cell that was worked out

    def rows(self, history: History, until_ns: int) -> Mapping[InterruptRow, Sequence[float | None]]:
        """Return the rates of each row in the ``CELLS`` cells that ended before ``until_ns``; None where unknown.

        The lock of the history must be held.
        """
        end = until_ns // _CELL_NS
        numbers = range(end - CELLS, end)
        for number in numbers:
            if number not in self._cells:
                self._add(history, number)
        self._cells = {number: cell for number, cell in self._cells.items() if number >= end - 2 * CELLS}
        known = [self._cells.get(number) for number in numbers]
        keys = dict.fromkeys(key for rates in known if rates is not None for key in rates)
        return {key: [None if rates is None else rates.get(key) for rates in known] for key in keys}

    def _add(self, history: History, number: int) -> None:
        """Work out a cell: from the last sample before it to the last sample in it."""
        begin_ns, end_ns = number * _CELL_NS, (number + 1) * _CELL_NS
        last = history.sample_until(end_ns)
        if last is None or last.mono_ns <= begin_ns:
            return
        first = self._edge
        if first is None or first.mono_ns != (history.time_until(begin_ns) or 0):
            first = history.sample_until(begin_ns)
        self._edge = last
        if first is not None:
            self._cells[number] = dict(self._rates(first, last))

    def _rates(self, first: Sample, last: Sample) -> Iterator[tuple[InterruptRow, float]]:
        softirqs = pair_readings(first.readings.get("softirqs"), last.readings.get("softirqs"))
        if softirqs is not None:
            rate = per_sec(softirqs.cell_gain((self.cpu,), "net_rx"), softirqs.elapsed_ns)
            if rate is not None:
                yield NET_RX, rate
        for label in self.labels:
            name = reading_key("irqs", label)
            pair = pair_readings(first.readings.get(name), last.readings.get(name))
            pair = None if pair is None else pair.with_cpu_cells()
            if pair is None:
                continue
            for irq, gained in _gains(pair.before, pair.after, self.cpu):
                rate = per_sec(gained, pair.elapsed_ns)
                if rate is not None:
                    yield InterruptRow(label, irq), rate


def _gains(before: Reading, after: Reading, cpu: int) -> Iterator[tuple[int, int | None]]:
    """Yield each interrupt and its gain on a CPU."""
    if cpu >= min(before.cpus, after.cpus):
        return
    wrap_bits = FAMILIES[after.family].wrap_bits
    old_rows = {key: row for row, key in enumerate(before.keys)}
    for row, key in enumerate(after.keys):
        if key in old_rows:
            old = before.values[old_rows[key] * before.stride + cpu]
            yield int(key[1]), gain(old, after.values[row * after.stride + cpu], wrap_bits)
