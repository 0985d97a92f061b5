"""Results of a profile: costs by cell, from user space and inside the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from bpftop.errors import BpftopError
from bpftop.measure.api import Report
from bpftop.measure.maps.plan import SINGLE_OF, Cell, MeasurePlan
from bpftop.measure.run_store import HIGH, LOW, FigureChange
from bpftop.measure.statistics import Spread, Summary

MeasuredSide = Literal["user", "inside"]
"""The place from which an operation is called: from user space, or inside the kernel."""

USER_NS, INSIDE_NS = "user_p50_ns", "inside_p50_ns"
"""Names of stored figures."""


class WrongValue(BpftopError):
    """A map lost a value or returned a wrong one. All results are worthless."""


@dataclass(frozen=True)
class OperationCost:
    """Cost of an entry. ``summary`` covers single calls from user space, or runs of many operations in a program.

    ``per_sec`` is the mean number of entries per second of all threads together, and ``spread`` the spread of the
    medians of the runs. A time below ``resolution_ns`` cannot be told from 0.
    """

    summary: Summary
    per_sec: float
    spread: Spread
    resolution_ns: float = 0.0

    @property
    def below_resolution(self) -> bool:
        return self.summary.p50_ns < self.resolution_ns


@dataclass(frozen=True)
class CellResult:
    """Result of a cell. ``user_why`` and ``inside_why`` give the reason for a missing cost.

    ``checked`` values and keys were compared; ``missed`` keys had been evicted from an LRU map. ``grown_to`` is the
    size of a batch after ENOSPC made it grow; 0: it could not grow enough, and the rest was read by single calls.
    """

    cell: Cell
    user: OperationCost | None
    user_why: str
    inside: OperationCost | None
    inside_why: str
    checked: int
    missed: int
    grown_to: int | None = None
    notes: tuple[str, ...] = ()

    def cost(self, side: MeasuredSide) -> OperationCost | None:
        """Return the cost from user space, or inside the kernel."""
        return self.user if side == "user" else self.inside


@dataclass(frozen=True)
class MapReport(Report[CellResult]):
    """A profile of map operations.

    ``clock_ns`` was taken off every time; ``clock_step_ns`` is the resolution of the clock. ``changes`` compares with
    earlier profiles, by name of the cell and of the figure. ``verdict``: sentences about choosing a map.
    """

    plan: MeasurePlan
    clock_ns: float
    clock_step_ns: int
    changes: Mapping[tuple[str, str], FigureChange]
    verdict: tuple[str, ...] = ()


def batch_factors(results: Iterable[CellResult]) -> Mapping[str, float]:
    """Return, by name of a batch cell, how many times cheaper an entry is than by single operations (medians).

    A cell has no factor if one of the costs is below the resolution.
    """
    results = list(results)
    by_cell = {r.cell: r.user.summary.p50_ns for r in results if r.user is not None and not r.user.below_resolution}
    singles: dict[tuple[object, ...], float] = {}
    for cell, p50_ns in by_cell.items():
        singles.setdefault((cell.geometry, cell.operation, cell.threads), p50_ns)  # the first requested access
    factors = {}
    for cell, p50_ns in by_cell.items():
        names = SINGLE_OF.get(cell.operation, ())
        single_ns = [
            by_cell.get(
                Cell(cell.geometry, name, cell.access, None, cell.threads),
                singles.get((cell.geometry, name, cell.threads)),
            )
            for name in names
        ]
        known = [ns for ns in single_ns if ns is not None]
        if known and len(known) == len(names):
            factors[cell.name] = sum(known) / p50_ns
    return factors


def best_batches(results: Iterable[CellResult]) -> tuple[CellResult, ...]:
    """Return the result with the least median of each sweep of batch sizes."""
    best: dict[tuple[object, ...], CellResult] = {}
    for result in results:
        cell = result.cell
        if cell.batch is None or result.user is None:
            continue
        sweep = (cell.geometry, cell.operation, cell.access, cell.threads)
        other = best.get(sweep)
        if other is None or other.user is None or result.user.summary.p50_ns < other.user.summary.p50_ns:
            best[sweep] = result
    return tuple(best.values())


def figures(results: Iterable[CellResult]) -> dict[str, dict[str, float]]:
    """Return the figures to store: name of a cell -> medians in nanoseconds, each with the range of its rounds."""
    medians: dict[str, dict[str, float]] = {}
    for result in results:
        for name, cost in ((USER_NS, result.user), (INSIDE_NS, result.inside)):
            if cost is not None and not cost.below_resolution:
                values = {name: cost.summary.p50_ns, name + LOW: cost.spread.low, name + HIGH: cost.spread.high}
                medians.setdefault(result.cell.name, {}).update({key: round(ns, 3) for key, ns in values.items()})
    return medians
