"""Readings of each CPU as columns by the CPU's number: softirq time, backlog, softirqs and interrupts.

Columns are cut out of the readings: 512 CPUs take 0.1 ms a column, a tenth of the time of a lookup per CPU.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from bpftop.fields import computed_once, frozen
from bpftop.model.readings import Key, RatedReading, per_sec
from bpftop.model.snapshot import Snapshot, sum_known

Value = TypeVar("Value")

CpuValues = Sequence[float | None]
"""A value per possible CPU; None: offline, or not known."""


def cpu_values(reading: RatedReading | None, column: str, cpus: int) -> list[int | None]:
    """Return a column, as it was read, of a family whose rows are CPUs."""
    return _by_cpu(reading.keys, reading.reading.column(column), cpus) if reading is not None else [None] * cpus


def cpu_rates(reading: RatedReading | None, column: str, cpus: int) -> list[float | None]:
    """Return a column, per second, of a family whose rows are CPUs."""
    if reading is None or reading.pair is None:
        return [None] * cpus
    elapsed_ns = reading.pair.elapsed_ns
    return _by_cpu(reading.keys, (per_sec(g, elapsed_ns) for g in reading.pair.column_gains(column)), cpus)


def _by_cpu(keys: Sequence[Key], values: Iterable[Value | None], cpus: int) -> list[Value | None]:
    column: list[Value | None] = [None] * cpus
    for key, value in zip(keys, values, strict=True):
        cpu = int(key[0])
        if cpu < cpus:
            column[cpu] = value
    return column


def irq_rates(reading: RatedReading | None, cpus: int) -> list[float | None]:
    """Return the interrupts per second of one interface on every CPU, all its interrupts together."""
    pair = reading.pair.with_cpu_cells() if reading is not None and reading.pair is not None else None
    if pair is None:
        return [None] * cpus
    return [per_sec(moved, pair.elapsed_ns) for moved in pair.moved_by_cpu(cpus)]


def softirq_share(snapshot: Snapshot, cpu: int) -> float | None:
    """Return the part of its time that one CPU spent in softirqs."""
    reading = snapshot.reading("cpu_times")
    if reading is None or reading.pair is None:
        return None
    gained = reading.pair.cell_gain((cpu,), "softirq_ns")
    return None if gained is None else min(1.0, gained / reading.pair.elapsed_ns)


@frozen
class CpuReadings:
    """Columns of one moment, each computed at its first access. ``labels``: the interfaces whose interrupts count."""

    snapshot: Snapshot
    labels: tuple[str, ...]

    @computed_once
    def softirq(self) -> CpuValues:
        """The part of its time that each CPU spent in softirqs."""
        return [None if rate is None else min(1.0, rate / 1e9) for rate in self._rates("cpu_times", "softirq_ns")]

    @computed_once
    def backlog_drops(self) -> CpuValues:
        return self._rates("softnet", "dropped")

    @computed_once
    def squeezes(self) -> CpuValues:
        return self._rates("softnet", "time_squeeze")

    @computed_once
    def net_rx(self) -> CpuValues:
        return self._rates("softirqs", "net_rx")

    @computed_once
    def irqs(self) -> CpuValues:
        cpus = self.snapshot.possible_cpus
        columns = [irq_rates(self.snapshot.reading("irqs", label), cpus) for label in self.labels]
        return columns[0] if len(columns) == 1 else [sum_known(cells) for cells in zip(*columns, strict=True)]

    def _rates(self, family: str, column: str) -> CpuValues:
        return cpu_rates(self.snapshot.reading(family), column, self.snapshot.possible_cpus)
