"""Rows and columns of a profile: one per operation and map, a sweep of batch sizes by its best one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bpftop.measure.maps.plan import Cell
from bpftop.measure.maps.results import USER_NS, CellResult, OperationCost, batch_factors, best_batches, figures
from bpftop.measure.run_store import FigureChange, StoredRun, changes
from bpftop.model.units import UNKNOWN, bar, compact, ns, pct, si
from bpftop.render.columns import Field
from bpftop.tui.widgets.table import TextTable

SHORT = {"lookup_and_delete_batch": "lookup+del_batch"}
"""Operations by a shorter name."""


@dataclass(frozen=True)
class OperationRow:
    """One result in its group. ``change`` is that of its p50 since an earlier run; ``most_ns`` scales the chart."""

    group: str
    label: str
    result: CellResult
    factor: float | None
    change: FigureChange | None
    most_ns: float

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
        """Why there is nothing to show."""
        return self.result.user_why if self.cost is None and self.result.inside is None else ""


def rows(results: Sequence[CellResult], earlier: tuple[StoredRun, ...], by_operation: bool) -> list[OperationRow]:
    """Grouped by map, as they were measured; or by operation, so that maps stand below each other."""
    best = {result.cell for result in best_batches(results)}
    swept = {_sweep(cell) for cell in best}
    shown = [r for r in results if r.cell.batch is None or r.cell in best or _sweep(r.cell) not in swept]
    if by_operation:
        operations = list(dict.fromkeys(r.cell.operation for r in shown))
        shown.sort(key=lambda r: operations.index(r.cell.operation))
    factors, changed = batch_factors(results), changes(figures(shown), earlier)
    most_ns = max((r.user.summary.p50_ns for r in shown if r.user is not None), default=0.0)
    return [
        OperationRow(
            _operation(r.cell) if by_operation else _map(r.cell),
            _short_map(r.cell) if by_operation else _operation(r.cell),
            r,
            factors.get(r.cell.name),
            changed.get((r.cell.name, USER_NS)),
            most_ns,
        )
        for r in {_row_of(r.cell): r for r in shown}.values()
    ]


def _sweep(cell: Cell) -> tuple[object, ...]:
    return cell.geometry, cell.operation, cell.access, cell.threads


def _row_of(cell: Cell) -> tuple[object, ...]:
    """What a row stands for: batches of one sweep share one."""
    return (*_sweep(cell), cell.batch is None)


def _operation(cell: Cell) -> str:
    return SHORT.get(cell.operation, cell.operation)


def _short_map(cell: Cell) -> str:
    return cell.geometry.kind


def _map(cell: Cell) -> str:
    g = cell.geometry
    threads = "1 thread" if cell.threads == 1 else f"{cell.threads} threads on it"
    used = f"{compact(g.population)} of {compact(g.entries)} entries"
    return f"{g.kind}: {used}, key {g.key_bytes} B, value {g.value_bytes} B, {threads}"


def _bar(row: OperationRow, width: int) -> str:
    return bar(row.p50_ns / row.most_ns if row.p50_ns is not None and row.most_ns else None, width)


def _change(row: OperationRow) -> str:
    return UNKNOWN if row.change is None else f"{row.change.pct:+.0f} %"


FIELDS: tuple[Field[OperationRow], ...] = (
    Field("name", "ns per entry", "", 19, "The operation.", lambda r: r.label,
          lambda r, width: f"  {r.label}"[:width], gap=0, left=True, look="name"),
    Field("p50_ns", "p50", "ns", 7, "Median of single calls from user space, per entry.",
          lambda r: r.p50_ns, lambda r, _: ns(r.p50_ns)),
    Field("p99_ns", "p99", "ns", 7, "One call in a hundred takes longer.",
          lambda r: r.cost.summary.p99_ns if r.cost else None,
          lambda r, _: ns(r.cost.summary.p99_ns if r.cost else None)),
    Field("per_sec", "op/s", "1/s", 8, "Entries per second, all threads together.",
          lambda r: r.cost.per_sec if r.cost else None, lambda r, _: si(r.cost.per_sec if r.cost else None)),
    Field("batch_factor", "factor", "", 7, "How many times cheaper an entry is in a batch than by single calls.",
          lambda r: r.factor, lambda r, _: "" if r.factor is None else f"{r.factor:.1f}x", rank=1),
    Field("batch", "batch", "", 6, "Entries in a batch; of a sweep the best size.",
          lambda r: r.result.cell.batch, lambda r, _: str(r.result.cell.batch or ""), rank=6),
    Field("inside_ns", "kernel", "ns", 7, "The same operation in a loop of a BPF program, median.",
          lambda r: r.inside_ns, lambda r, _: "" if r.result.cell.batch else ns(r.inside_ns), rank=4),
    Field("spread", "spread", "%", 7, "From the least to the largest median of five runs.",
          lambda r: r.cost.spread.pct if r.cost else None,
          lambda r, _: pct(r.cost.spread.pct / 100 if r.cost else None), rank=2),
    Field("checked", "checked", "", 8, "Values and keys that were compared with what was written.",
          lambda r: r.result.checked, lambda r, _: si(r.result.checked), rank=2),
    Field("bar", "p50", "ns", 9, "The p50, the longest bar being the dearest operation.",
          lambda r: None, _bar, rank=3, gap=2, left=True, stretch=24, look="bar", sortable=False),
    Field("before_ns", "before", "ns", 7, "The p50 of the latest run before, on this machine.",
          lambda r: r.change.then if r.change else None, lambda r, _: ns(r.change.then if r.change else None), rank=5),
    Field("change", "change", "%", 8, "How the p50 has changed since.",
          lambda r: r.change.pct if r.change else None, lambda r, _: _change(r), rank=1, look="factor"),
)  # fmt: skip

TABLE: TextTable[OperationRow] = TextTable(FIELDS, lambda row: row.key)
