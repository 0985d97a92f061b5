"""The cost of an entry over the sizes of a batch, against single calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bpftop.fields import frozen
from bpftop.measure.maps.plan import SINGLE_OF, Cell
from bpftop.measure.maps.results import CellResult


@frozen
class BatchCurve:
    """The medians of one batch operation on one map, in ns per entry, by the size of the batch.

    ``single_ns``: the cost of an entry by the single operations ``singles``; None where they were not measured.
    """

    kind: str
    operation: str
    singles: tuple[str, ...]
    single_ns: float | None
    points: tuple[tuple[int, float], ...]


def batch_curves(results: Iterable[CellResult]) -> list[BatchCurve]:
    """Return a curve for each batch operation that was measured at several sizes, in the order of measuring."""
    known = {r.cell: r.user.summary.p50_ns for r in results if r.user is not None}
    points: dict[tuple[object, ...], dict[int, float]] = {}
    first: dict[tuple[object, ...], Cell] = {}
    for cell, p50_ns in known.items():
        if cell.batch is not None:
            sweep = (cell.geometry, cell.operation, cell.access, cell.threads)
            first.setdefault(sweep, cell)
            points.setdefault(sweep, {})[cell.batch] = p50_ns
    return [_curve(first[sweep], of_sweep, known) for sweep, of_sweep in points.items() if len(of_sweep) > 1]


def curve_of(curves: Sequence[BatchCurve], kind: str, operation: str) -> BatchCurve | None:
    """Return the curve of an operation on a map, or of the batch operation that does the same; else the first one."""
    of_kind = [curve for curve in curves if curve.kind == kind]
    exact = (curve for curve in of_kind if operation == curve.operation or operation in curve.singles)
    return next(exact, next(iter(curves), None))


def _curve(cell: Cell, points: dict[int, float], known: dict[Cell, float]) -> BatchCurve:
    singles = SINGLE_OF[cell.operation]
    costs = [
        next((ns for other, ns in known.items() if other.operation == name and _same_map(other, cell)), None)
        for name in singles
    ]
    of_singles = [ns for ns in costs if ns is not None]
    single_ns = sum(of_singles) if len(of_singles) == len(singles) else None
    return BatchCurve(cell.geometry.kind, cell.operation, singles, single_ns, tuple(sorted(points.items())))


def _same_map(cell: Cell, other: Cell) -> bool:
    return cell.batch is None and cell.geometry == other.geometry and cell.threads == other.threads
