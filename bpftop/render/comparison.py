"""Two moments side by side: for each row the factor and the difference, sorted by what changed most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

RowT = TypeVar("RowT")


@dataclass(frozen=True)
class RowDifference(Generic[RowT]):
    """One row before and after; None is unknown."""

    row: RowT
    before: float | None
    after: float | None

    @property
    def factor(self) -> float | None:
        """How many times as much; None where one is unknown, or there was nothing before."""
        return ratio(self.after, self.before)

    @property
    def difference(self) -> float | None:
        return None if self.before is None or self.after is None else self.after - self.before


def ratio(now: float | None, then: float | None) -> float | None:
    """``now`` in terms of ``then``; None where one is unknown, or ``then`` was nothing."""
    return now / then if now is not None and then else None


def compare(before: Mapping[RowT, float | None], after: Mapping[RowT, float | None]) -> list[RowDifference[RowT]]:
    """Every row of either side. A row that one side does not have is unknown there.

    What changed most comes first: by the difference, as long as both are known; a factor alone would put a row that
    went from one packet to ten above one that lost a million. Rows that stayed the same keep their order at the end.
    """
    changes = [RowDifference(row, before.get(row), after.get(row)) for row in dict.fromkeys((*after, *before))]
    return sorted(changes, key=lambda change: -abs(change.difference or 0.0))
