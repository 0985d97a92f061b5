"""The bench document, ``bpftop.bench/1``, and its long form as CSV. Its members are described in programs_types.

Unknown is None (in CSV: empty), never 0. Times are rounded to a picosecond, finer than any measurement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpftop.export.csv_writing import csv_lines
from bpftop.export.json_writing import rounded
from bpftop.export.measure.measurement_object import measurement_object
from bpftop.measure.programs.costs import BUDGETS, LINE_RATE_PPS, ProgramCost, ProgramRow, SuiteTable
from bpftop.measure.programs.report import ProgramReport
from bpftop.measure.statistics import Spread
from bpftop.model.json_dump import json_value

if TYPE_CHECKING:
    from bpftop.export.measure.programs_types import (
        BenchDocument,
        ProgramCostObject,
        ProgramRowObject,
        SpreadObject,
        SuiteObject,
    )

SCHEMA: Final = "bpftop.bench/1"
_DIGITS = 3

COLUMNS = (
    "taken_at",
    "kernel",
    "cpu",
    "suite",
    "name",
    "unit",
    "cpus",
    "ns",
    "gross_ns",
    "spread_pct",
    "ops_per_sec",
    "factor",
    "run",
    "counted",
    "lost_pct",
    "xlated_insns",
    "jited_bytes",
    "returns",
    "partial",
    "skipped",
)
"""Columns of the CSV: a row per program and number of CPUs. ``skipped``: why the kernel refused a program."""


def document(report: ProgramReport) -> BenchDocument:
    """Return the whole document, its members in the order in which people read them."""
    return {
        "schema": SCHEMA,
        **measurement_object(report),
        "warnings": list(report.warnings),
        "conditions": json_value(report.conditions),
        "budgets_ns": {budget.hook: budget.ns for budget in BUDGETS},
        "line_rate": {"bits_per_sec": 10_000_000_000, "frame_bytes": 64, "packets_per_sec": round(LINE_RATE_PPS)},
        "suites": [_suite(table) for table in report.results],
    }


def _suite(table: SuiteTable) -> SuiteObject:
    return {
        "name": table.suite,
        "title": table.title,
        "unit": table.unit,
        "partial": table.partial,
        "verdict": table.verdict or None,
        "reference": table.reference,
        "taken_off": table.taken_off or None,
        "budget": table.budget.hook if table.budget else None,
        "rows": [_row(table, row) for row in table.rows],
        "skipped": [{"name": each.name, "reason": each.reason} for each in table.skipped],
    }


def _row(table: SuiteTable, row: ProgramRow) -> ProgramRowObject:
    return {
        "name": row.name,
        "what": row.what,
        "ns": round(row.ns, _DIGITS),
        "spread_pct": round(row.spread_pct, _DIGITS),
        "ops_per_sec": rounded(row.alone.ops_per_sec),
        "factor": rounded(table.factor(row)),
        "xlated_insns": row.size.xlated_insns if row.size else None,
        "jited_bytes": row.size.jited_bytes if row.size else None,
        "returns": row.returns or None,
        "by_cpus": [_cost(cost) for cost in row.costs],
        "remark": row.remark or None,
    }


def _cost(cost: ProgramCost) -> ProgramCostObject:
    return {
        "cpus": cost.cpus,
        "ns": round(cost.ns, _DIGITS),
        "net_ns": _spread(cost.net),
        "gross_ns": _spread(cost.gross),
        "rounds": cost.gross.runs,
        "spread_pct": round(cost.gross.pct, _DIGITS),
        "ops_per_sec": rounded(cost.ops_per_sec),
        "run": cost.counted_runs.run if cost.counted_runs else None,
        "counted": cost.counted_runs.counted if cost.counted_runs else None,
        "lost_pct": rounded(cost.counted_runs.lost_pct, 6) if cost.counted_runs else None,
    }


def _spread(spread: Spread) -> SpreadObject:
    low, median, high = (round(ns, _DIGITS) for ns in (spread.low, spread.median, spread.high))
    return {"median": median, "low": low, "high": high}


def csv_text(report: ProgramReport) -> str:
    """Write a row per program and number of CPUs, behind a line of column names. Lines end in LF."""
    whole = document(report)
    rows: list[dict[str, object]] = []
    about = {"taken_at": whole["taken_at"], "kernel": whole["machine"]["kernel"], "cpu": whole["machine"]["cpu_model"]}
    for suite in whole["suites"]:
        where = {**about, "suite": suite["name"], "unit": suite["unit"], "partial": suite["partial"]}
        for row in suite["rows"]:
            for cost in row["by_cpus"]:
                gross_ns = cost["gross_ns"]["median"]
                rows.append({**where, **row, **cost, "gross_ns": gross_ns})
        for each in suite["skipped"]:
            rows.append({**where, "name": each["name"], "skipped": each["reason"]})
    return csv_lines([COLUMNS, *([row.get(column) for column in COLUMNS] for row in rows)])
