"""Rates: two readings of one family, paired by key. The one place where a difference of counters is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bpftop.model.sample import FAMILIES, Key, Reading


def gain(before: int | None, after: int | None, wrap_bits: int) -> int | None:
    """What a counter gained, or None where that cannot be known.

    A counter that went backwards was reset, unless it is narrower than 64 bits and was in the upper half of its range: then it wrapped.
    """
    if before is None or after is None:
        return None
    if after >= before:
        return after - before
    if wrap_bits < 64 and before >= 1 << (wrap_bits - 1) > after:
        return after - before + (1 << wrap_bits)
    return None


@dataclass(frozen=True)
class Change:
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

    def cpu_gains(self) -> dict[Key, tuple[list[int | None], ...]]:
        """Row key -> per column, the gain of every possible CPU. Only for families that are per CPU."""
        family = FAMILIES[self.after.family]
        before = dict(self.before.per_cpu())
        result: dict[Key, tuple[list[int | None], ...]] = {}
        for key, columns in self.after.per_cpu():
            previous: Sequence[Sequence[int]] = before.get(key) or ((0,) * len(columns[0]),) * len(columns)
            result[key] = tuple(
                [b - a if b >= a else gain(a, b, family.wrap_bits) for a, b in zip(old, new)]
                for old, new in zip(previous, columns)
            )
        return result


def change(before: Reading | None, after: Reading | None) -> Change | None:
    """Pair two readings; None where no rate may be taken: first tick, new epoch, a clock that did not move on."""
    if before is None or after is None or before.epoch != after.epoch or after.read_ns <= before.read_ns:
        return None
    return Change(before, after)


def per_sec(gained: int | None, elapsed_ns: int) -> float | None:
    return None if gained is None else gained * 1e9 / elapsed_ns
