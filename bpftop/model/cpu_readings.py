"""What the signals say of each CPU: softirq time, backlog, softirqs and interrupts, as columns by the CPU's number.

Columns are cut out of the readings: 512 CPUs take 0.1 ms a column, a tenth of what a row for each would take.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from bpftop.model.families import FAMILIES
from bpftop.model.rates import gain
from bpftop.model.readings import RatedReading
from bpftop.model.sample import Reading
from bpftop.model.snapshot import Snapshot, total

CpuValues = Sequence[float | None]
"""A value per possible CPU; None: offline, or not known."""


def cpu_values(signal: RatedReading | None, column: str, cpus: int) -> list[int | None]:
    """A column of a family whose rows are CPUs, as it was read."""
    found: list[int | None] = [None] * cpus
    for cpu, value in _cells(signal.reading, column) if signal is not None else ():
        if cpu < cpus:
            found[cpu] = value
    return found


def cpu_rates(signal: RatedReading | None, column: str, cpus: int) -> list[float | None]:
    """Per second, of a family whose rows are CPUs."""
    found: list[float | None] = [None] * cpus
    if signal is None or signal.paired is None:
        return found
    before = dict(_cells(signal.paired.before, column))
    for cpu, value in _cells(signal.reading, column):
        gained = gain(before.get(cpu), value, signal.family.wrap_bits)
        if gained is not None and cpu < cpus:
            found[cpu] = gained * 1e9 / signal.paired.elapsed_ns
    return found


def _cells(reading: Reading, column: str) -> Iterator[tuple[int, int | None]]:
    at, stride = FAMILIES[reading.family].columns.index(column), reading.stride
    values: Sequence[int | None] = reading.values[at::stride] if stride else ()
    if reading.missing:
        values = [None if row * stride + at in reading.missing else value for row, value in enumerate(values)]
    return zip((int(key[0]) for key in reading.keys), values, strict=True)


def irq_rates(signal: RatedReading | None, cpus: int) -> list[float | None]:
    """Interrupts per second of one interface on every CPU, all its interrupts together."""
    if signal is None or signal.paired is None:
        return [None] * cpus
    before, after = signal.paired.before, signal.reading
    if after.cells is not None:  # of a recording: the last reading with a cell per CPU
        after = after.cells
        if after.previous is None:
            return [None] * cpus
        before = after.previous
    gains = [0] * cpus
    earlier = {key: row for row, key in enumerate(before.keys)}
    for row, key in enumerate(after.keys):
        old = earlier.get(key)
        if old is None:
            continue
        was = before.values[old * before.stride : (old + 1) * before.stride]
        now = after.values[row * after.stride : (row + 1) * after.stride]
        for cpu in _differing(was, now, 0, min(cpus, len(was), len(now))):
            gains[cpu] += gain(was[cpu], now[cpu], signal.family.wrap_bits) or 0
    return [count * 1e9 / (after.read_ns - before.read_ns) for count in gains]


def _differing(a: array[int], b: array[int], low: int, high: int) -> Iterator[int]:
    """The indexes at which two rows differ: an interrupt mostly counts on one of many CPUs."""
    if a[low:high] == b[low:high]:
        return
    if high - low <= 8:
        yield from (i for i in range(low, high) if a[i] != b[i])
        return
    middle = (low + high) // 2
    yield from _differing(a, b, low, middle)
    yield from _differing(a, b, middle, high)


def softirq_share(shown: Snapshot, cpu: int) -> float | None:
    """The part of its time that one CPU spent in softirqs."""
    signal = shown.reading("cpu_times")
    if signal is None or signal.paired is None:
        return None
    before, after = (dict(_cells(one, "softirq_ns")).get(cpu) for one in (signal.paired.before, signal.reading))
    gained = gain(before, after, signal.family.wrap_bits)
    return None if gained is None else min(1.0, gained / signal.paired.elapsed_ns)


@dataclass(frozen=True)
class CpuReadings:
    """Columns of one moment, worked out when they are asked for. ``labels``: whose interrupts are counted."""

    shown: Snapshot
    labels: tuple[str, ...]

    @cached_property
    def softirq(self) -> CpuValues:
        """The part of its time that each CPU spent in softirqs."""
        rates = cpu_rates(self.shown.reading("cpu_times"), "softirq_ns", self._cpus)
        return [None if rate is None else min(1.0, rate / 1e9) for rate in rates]

    @cached_property
    def backlog_drops(self) -> CpuValues:
        return cpu_rates(self.shown.reading("softnet"), "dropped", self._cpus)

    @cached_property
    def squeezes(self) -> CpuValues:
        return cpu_rates(self.shown.reading("softnet"), "time_squeeze", self._cpus)

    @cached_property
    def net_rx(self) -> CpuValues:
        return cpu_rates(self.shown.reading("softirqs"), "net_rx", self._cpus)

    @cached_property
    def irqs(self) -> CpuValues:
        columns = [irq_rates(self.shown.reading("irqs", label), self._cpus) for label in self.labels]
        return columns[0] if len(columns) == 1 else [total(cells) for cells in zip(*columns, strict=True)]

    @property
    def _cpus(self) -> int:
        return self.shown.possible_cpus
