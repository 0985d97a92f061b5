"""What a profile comes to: costs by cell, from user space and inside the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bpftop.errors import BpftopError
from bpftop.measure.api import Report
from bpftop.measure.maps.plan import SINGLE_OF, Cell, MeasurePlan
from bpftop.measure.run_store import FigureChange
from bpftop.measure.statistics import Spread, Summary

USER_NS, INSIDE_NS = "user_p50_ns", "inside_p50_ns"
"""Names of figures that are kept."""


class WrongValue(BpftopError):
    """A map gave what was not written to it, or lost it: nothing that was measured there is worth anything."""


@dataclass(frozen=True)
class OperationCost:
    """What one entry costs. ``summary`` is over calls from user space, and over runs of many operations in programs.

    ``per_sec`` is entries per second, all threads together, while they do nothing else; ``spread`` is that of the
    median over the runs.
    """

    summary: Summary
    per_sec: float
    spread: Spread


@dataclass(frozen=True)
class CellResult:
    """One cell. Where there is no cost, ``user_why`` or ``inside_why`` says why; ``checked`` values and keys compared.

    ``grown_to`` is the size to which a batch that met ENOSPC has grown; 0: it could not grow enough, and what was left
    was read singly. ``missed`` keys had been evicted from an LRU map.
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


@dataclass(frozen=True)
class MapReport(Report[CellResult]):
    """A profile of map operations.

    ``clock_ns`` was taken off every time; ``clock_step_ns`` is the resolution of the clock. ``changes`` compares with
    earlier profiles, by name of the cell and of the figure.
    """

    plan: MeasurePlan
    clock_ns: float
    clock_step_ns: int
    changes: Mapping[tuple[str, str], FigureChange]


def batch_factors(results: Iterable[CellResult]) -> Mapping[str, float]:
    """Name of a batch's cell -> how many times cheaper an entry is than by single operations, by the medians."""
    results = list(results)
    by_cell = {r.cell: r.user.summary.p50_ns for r in results if r.user is not None}
    singles: dict[tuple[object, ...], float] = {}
    for cell, p50_ns in by_cell.items():
        singles.setdefault((cell.geometry, cell.operation, cell.threads), p50_ns)  # the first access that was asked for
    factors = {}
    for cell, p50_ns in by_cell.items():
        against = []
        for single in SINGLE_OF.get(cell.operation, ()):
            alike = Cell(cell.geometry, single, cell.access, None, cell.threads)
            found = by_cell.get(alike, singles.get((cell.geometry, single, cell.threads)))
            against.append(found)
        known = [ns for ns in against if ns is not None]
        if known and len(known) == len(against) and p50_ns > 0:
            factors[cell.name] = sum(known) / p50_ns
    return factors


def best_batches(results: Iterable[CellResult]) -> tuple[CellResult, ...]:
    """Of each sweep of batch sizes the result with the least cost per entry, by the median."""
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
    """What is kept to be compared with: name of a cell -> medians in nanoseconds."""
    found: dict[str, dict[str, float]] = {}
    for result in results:
        for name, cost in ((USER_NS, result.user), (INSIDE_NS, result.inside)):
            if cost is not None:
                found.setdefault(result.cell.name, {})[name] = round(cost.summary.p50_ns, 3)
    return found
