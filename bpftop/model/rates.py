"""Rates: two readings of one family, paired by key. The one place where a difference of counters is taken."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from bpftop.model.sample import FAMILIES, Key, Reading


def gain(before: int | None, after: int | None, wrap_bits: int) -> int | None:
    """What a counter gained, or None where that cannot be known.

    A counter that went backwards was reset, unless it is narrower than 64 bits and was in the upper half of its
    range: then it wrapped.
    """
    if before is None or after is None:
        return None
    if after >= before:
        return after - before
    if wrap_bits < 64 and 1 << wrap_bits > before >= 1 << (wrap_bits - 1) > after:
        return after - before + (1 << wrap_bits)
    return None


@dataclass(frozen=True)
class ReadingPair:
    """One reading against the one before it: same family, same epoch, later in time."""

    before: Reading
    after: Reading

    @property
    def elapsed_ns(self) -> int:
        return self.after.read_ns - self.before.read_ns

    def gains(self) -> dict[Key, tuple[int | None, ...]]:
        """Row key -> gain per column, all CPUs together."""
        family = FAMILIES[self.after.family]
        old, new = self.before.totals, self.after.totals
        absent: tuple[int | None, ...] = (0 if family.sparse else None,) * len(family.columns)
        return {
            key: tuple(map(gain, old.get(key, absent), values, (family.wrap_bits,) * len(values)))
            for key, values in new.items()
        }

    def cpu_totals(self, cpus: int) -> list[tuple[list[int], list[int | None]]]:
        """Per column: the value and the gain of every possible CPU, all rows together."""
        nothing = ([0] * cpus,) * len(FAMILIES[self.after.family].columns)
        before, after = self.before.cpu_totals or nothing, self.after.cpu_totals or nothing
        return [(new, list(map(_gain64, old, new))) for old, new in zip(before, after, strict=True)]

    def cpu_cells(self, cpu: int) -> dict[Key, tuple[tuple[int, ...], tuple[int | None, ...]]]:
        """Row key -> the values of one CPU per column, and their gains."""
        result = {}
        for key, columns in self._after_rows.items():
            old = self._before_rows.get(key)
            values = tuple(column[cpu] for column in columns)
            before = tuple(column[cpu] for column in old) if old else (0,) * len(values)
            result[key] = (values, tuple(map(_gain64, before, values)))
        return result

    @cached_property
    def _before_rows(self) -> dict[Key, tuple[memoryview, ...]]:
        return dict(self.before.per_cpu())

    @cached_property
    def _after_rows(self) -> dict[Key, tuple[memoryview, ...]]:
        return dict(self.after.per_cpu())


def _gain64(before: int, after: int) -> int | None:
    return after - before if after >= before else None


def change(before: Reading | None, after: Reading | None) -> ReadingPair | None:
    """Pair two readings; None where no rate may be taken: first tick, new epoch, a clock that did not move on."""
    if before is None or after is None or before.epoch != after.epoch or after.read_ns <= before.read_ns:
        return None
    return ReadingPair(before, after)


def per_sec(gained: int | None, elapsed_ns: int) -> float | None:
    return None if gained is None else gained * 1e9 / elapsed_ns
