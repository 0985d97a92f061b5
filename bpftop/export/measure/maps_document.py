"""A profile of map operations as ``bpftop.profile/1`` (JSON) and as CSV, a row per cell. Unknown is null, or empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from bpftop.export.csv_writing import csv_lines
from bpftop.export.json_writing import rounded
from bpftop.export.measure.measurement_object import measurement_object
from bpftop.measure.maps.results import (
    INSIDE_NS,
    USER_NS,
    CellResult,
    MapReport,
    MeasuredSide,
    OperationCost,
    batch_factors,
    best_batches,
)
from bpftop.measure.run_store import FigureChange
from bpftop.model.timestamps import rfc3339

if TYPE_CHECKING:
    from bpftop.export.measure.maps_types import (
        CellObject,
        ChangeObject,
        LiveMapObject,
        OperationCostObject,
        ProfileDocument,
    )

SCHEMA: Final = "bpftop.profile/1"

_COST_COLUMNS = ("times", "p50_ns", "p90_ns", "p99_ns", "max_ns", "mean_ns", "per_sec", "runs", "spread_pct")


def document(report: MapReport) -> ProfileDocument:
    """Return the whole document."""
    request = report.plan.request
    return {
        "schema": SCHEMA,
        **measurement_object(report),
        "clock": {"cost_ns": round(report.clock_ns, 3), "step_ns": report.clock_step_ns},
        "seed": request.seed,
        "runs": request.runs,
        "run_ms": request.run_ms,
        "live_map": _live_map(report),
        "cells": _cells(report),
        "verdict": list(report.verdict),
    }


def csv_text(report: MapReport) -> str:
    """Write a line of column names, and a line per cell. Lines end in LF."""
    when = {"taken_at": rfc3339(report.begun_ns), "partial": report.partial}
    columns = [*when, *_flat_columns()]
    rows = [{**when, **_flat(cell)} for cell in _cells(report)]
    return csv_lines([columns, *([row[column] for column in columns] for row in rows)])


def _live_map(report: MapReport) -> LiveMapObject | None:
    live = report.plan.live
    if live is None:
        return None
    return {
        "map_id": live.info.map_id,
        "name": live.info.name,
        "flags": live.info.flags,
        "max_entries": live.info.max_entries,
        "keys": live.count,
        "keys_complete": live.complete,
        "real_keys": len(live.real_keys) // live.info.key_bytes,
        "reads": live.reads,
    }


def _cells(report: MapReport) -> list[CellObject]:
    results = report.results
    factors = batch_factors(results)
    best = {result.cell for result in best_batches(results)}
    return [_cell(report, result, factors.get(result.cell.name), result.cell in best) for result in results]


def _cell(report: MapReport, result: CellResult, factor: float | None, best: bool) -> CellObject:
    cell, geometry = result.cell, result.cell.geometry
    return {
        "type": geometry.kind,
        "flags": geometry.flags,
        "entries": geometry.entries,
        "population": geometry.population,
        "key_bytes": geometry.key_bytes,
        "value_bytes": geometry.value_bytes,
        "operation": cell.operation,
        "access": cell.access,
        "batch": cell.batch,
        "threads": cell.threads,
        "user": _cost(result.user),
        "user_why": result.user_why or None,
        "inside": _cost(result.inside),
        "inside_why": result.inside_why or None,
        "factor_to_single": rounded(factor),
        "best_batch": best,
        "checked": result.checked,
        "missed": result.missed,
        "grown_to": result.grown_to,
        "notes": list(result.notes),
        "earlier": {
            "user": _change(report.changes.get((cell.name, USER_NS))),
            "inside": _change(report.changes.get((cell.name, INSIDE_NS))),
        },
    }


def _cost(cost: OperationCost | None) -> OperationCostObject | None:
    if cost is None:
        return None
    summary = cost.summary
    return {
        "times": summary.count,
        "p50_ns": round(summary.p50_ns, 3),
        "p90_ns": round(summary.p90_ns, 3),
        "p99_ns": round(summary.p99_ns, 3),
        "max_ns": round(summary.max_ns, 3),
        "mean_ns": round(summary.mean_ns, 3),
        "per_sec": round(cost.per_sec),
        "runs": cost.spread.runs,
        "spread_pct": round(cost.spread.pct, 2),
        "resolution_ns": round(cost.resolution_ns, 3),
        "below_resolution": cost.below_resolution,
    }


def _change(change: FigureChange | None) -> ChangeObject | None:
    if change is None:
        return None
    return {
        "taken_at": change.taken_at,
        "kernel": change.kernel,
        "p50_ns": change.then,
        "change_pct": round(change.pct, 2),
        "beyond_ranges": change.clear,
    }


_SIDES: tuple[MeasuredSide, ...] = ("user", "inside")
_PLAIN = (
    *("type", "flags", "entries", "population", "key_bytes", "value_bytes", "operation", "access", "batch", "threads"),
    *("factor_to_single", "best_batch", "checked", "missed", "grown_to"),
)


def _flat_columns() -> list[str]:
    sides = [f"{side}_{column}" for side in _SIDES for column in ("why", *_COST_COLUMNS, "change_pct")]
    return [*_PLAIN, *sides, "notes"]


def _flat(cell: CellObject) -> dict[str, Any]:
    members: Mapping[str, Any] = cell
    row = {name: members[name] for name in _PLAIN}
    for side in _SIDES:
        cost: Mapping[str, Any] = cell[side] or {}
        row |= {f"{side}_{column}": cost.get(column) for column in _COST_COLUMNS}
        row[f"{side}_why"] = members[f"{side}_why"]
        change = cell["earlier"][side]
        row[f"{side}_change_pct"] = None if change is None else change["change_pct"]
    row["notes"] = "; ".join(cell["notes"])
    return row
