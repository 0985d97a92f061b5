"""The comparison of two moments: for each row the factor and the difference, the largest difference first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from bpftop.fields import frozen

RowT = TypeVar("RowT")


@frozen
class RowDifference(Generic[RowT]):
    """The values of a row before and after; None is unknown."""

    row: RowT
    before: float | None
    after: float | None

    @property
    def factor(self) -> float | None:
        """Return after / before; None where a value is unknown, or before was 0."""
        return ratio(self.after, self.before)

    @property
    def difference(self) -> float | None:
        return None if self.before is None or self.after is None else self.after - self.before


def ratio(now: float | None, then: float | None) -> float | None:
    """Return ``now`` / ``then``, or a part / its whole; None where a value is unknown, or the divisor is 0."""
    return now / then if now is not None and then else None


def compare(before: Mapping[RowT, float | None], after: Mapping[RowT, float | None]) -> list[RowDifference[RowT]]:
    """Pair the rows of both sides, the largest known difference first; a row that a side lacks is unknown there.

    The order is not by factor: a row that went from one packet to ten would stand above a row that lost a million.
    """
    changes = [RowDifference(row, before.get(row), after.get(row)) for row in dict.fromkeys((*after, *before))]
    return sorted(changes, key=lambda change: -abs(change.difference or 0.0))
