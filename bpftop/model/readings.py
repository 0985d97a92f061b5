"""Readings that are no traffic of an interface, each with what it gained: what Path, CPUs and the rules look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from bpftop.model.families import FAMILIES, Family
from bpftop.model.rates import ReadingPair, per_sec
from bpftop.model.sample import Key, Reading


@dataclass(frozen=True)
class RatedReading:
    """One reading of a moment. ``paired`` is None where no rate may be taken, and always for a gauge that stood still.

    A row that is absent from a sparse family is zero; from any other family it is unknown.
    """

    reading: Reading
    paired: ReadingPair | None

    @property
    def family(self) -> Family:
        return FAMILIES[self.reading.family]

    @property
    def keys(self) -> tuple[Key, ...]:
        return self.reading.keys

    def value(self, key: Key, column: str) -> int | None:
        """The cell as it was read."""
        return self._cell(self.reading.totals, key, column, 0)

    def gained(self, key: Key, column: str) -> int | None:
        """What the cell gained over ``elapsed_ns``."""
        return None if self.paired is None else self._cell(self._gains, key, column, 0)

    def per_sec(self, key: Key, column: str) -> float | None:
        return None if self.paired is None else per_sec(self.gained(key, column), self.paired.elapsed_ns)

    @property
    def elapsed_ns(self) -> int | None:
        return None if self.paired is None else self.paired.elapsed_ns

    def rates(self, column: str) -> Iterator[tuple[Key, float | None]]:
        """Every row with the rate of one column."""
        for key in self.keys:
            yield key, self.per_sec(key, column)

    def _cell(self, rows: dict[Key, tuple[int | None, ...]], key: Key, column: str, absent: int) -> int | None:
        row = rows.get(key)
        if row is None:
            return absent if self.family.sparse else None
        return row[self.family.columns.index(column)]

    @cached_property
    def _gains(self) -> dict[Key, tuple[int | None, ...]]:
        return self.paired.gains() if self.paired is not None else {}
