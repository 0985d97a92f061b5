"""The rows of a profile: a row per operation and map; a sweep of batch sizes is one row, its best size."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.fields import frozen
from bpftop.measure.maps.plan import Cell
from bpftop.measure.maps.results import USER_NS, CellResult, OperationCost, batch_factors, best_batches, figures
from bpftop.measure.run_store import FigureChange, StoredRun, changes
from bpftop.model.units import compact

_SHORT = {"lookup_and_delete_batch": "lookup+del_batch"}
"""Shorter names of operations."""


@frozen
class OperationRow:
    """A result of its group.

    ``change`` compares its p50 with an earlier run; ``longest_ns``, the largest p90, scales the bar.
    """

    group: str
    label: str
    result: CellResult
    factor: float | None
    change: FigureChange | None
    longest_ns: float

    @property
    def key(self) -> str:
        return self.result.cell.name

    @property
    def cost(self) -> OperationCost | None:
        return self.result.user

    @property
    def p50_ns(self) -> float | None:
        return None if self.cost is None else self.cost.summary.p50_ns

    @property
    def inside_ns(self) -> float | None:
        inside = self.result.inside
        return None if inside is None else inside.summary.p50_ns

    @property
    def absent(self) -> str:
        """The reason why the operation has no cost at all, or nothing."""
        return self.result.user_why if self.cost is None and self.result.inside is None else ""


def operation_rows(
    results: Sequence[CellResult], earlier: tuple[StoredRun, ...], by_operation: bool
) -> list[OperationRow]:
    """Return a row per result, grouped by map in the order of measuring, or by operation to compare the maps."""
    best = {result.cell for result in best_batches(results)}
    swept = {_sweep(cell) for cell in best}
    selected = [r for r in results if r.cell.batch is None or r.cell in best or _sweep(r.cell) not in swept]
    if by_operation:
        operations = list(dict.fromkeys(r.cell.operation for r in selected))
        selected.sort(key=lambda r: operations.index(r.cell.operation))
    factors, changed = batch_factors(results), changes(figures(selected), earlier)
    longest_ns = max((r.user.summary.p90_ns for r in selected if r.user is not None), default=0.0)
    return [
        OperationRow(
            _operation(r.cell) if by_operation else _map(r.cell),
            r.cell.geometry.kind if by_operation else _operation(r.cell),
            r,
            factors.get(r.cell.name),
            changed.get((r.cell.name, USER_NS)),
            longest_ns,
        )
        for r in {_row_of(r.cell): r for r in selected}.values()
    ]


def _sweep(cell: Cell) -> tuple[object, ...]:
    return cell.geometry, cell.operation, cell.access, cell.threads


def _row_of(cell: Cell) -> tuple[object, ...]:
    """Identify the row of a cell; all batches of a sweep have the same row."""
    return (*_sweep(cell), cell.batch is None)


def _operation(cell: Cell) -> str:
    return _SHORT.get(cell.operation, cell.operation)


def _map(cell: Cell) -> str:
    g = cell.geometry
    threads = "1 thread" if cell.threads == 1 else f"{cell.threads} threads on it"
    used = f"{compact(g.population)} of {compact(g.entries)} entries"
    return f"{g.kind}: {used}, key {g.key_bytes} B, value {g.value_bytes} B, {threads}"
