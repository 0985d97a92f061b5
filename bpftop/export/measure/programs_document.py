"""The bench document, ``bpftop.bench/1``: what ``bench.schema.json`` describes; and its long form as CSV.

Unknown is None (in CSV: empty), never 0. Times are rounded to a picosecond, which no measurement is good to.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from bpftop import __version__
from bpftop.measure.programs.costs import BUDGETS, LINE_RATE_PPS, ProgramCost, ProgramRow, SuiteTable
from bpftop.measure.programs.report import ProgramReport
from bpftop.model.timestamps import rfc3339
from bpftop.render.escaping import escaped_text

SCHEMA = "bpftop.bench/1"

Object = dict[str, Any]

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
"""CSV: a row per contestant and number of CPUs. ``skipped`` is the reason of one that this kernel refused."""


def document(report: ProgramReport) -> Object:
    """The whole document as plain dicts and lists, in the order in which people read it."""
    return {
        "schema": SCHEMA,
        "tool": {"name": "bpftop", "version": __version__},
        "taken_at": rfc3339(report.begun_ns),
        "took_s": round(report.took_s, 3),
        "partial": report.partial,
        "warnings": list(report.warnings),
        "machine": {**vars(report.machine), "mitigations": dict(report.machine.mitigations)},
        "conditions": vars(report.conditions),
        "budgets_ns": {budget.hook: budget.ns for budget in BUDGETS},
        "line_rate": {"bits_per_sec": 10_000_000_000, "frame_bytes": 64, "packets_per_sec": round(LINE_RATE_PPS)},
        "suites": [_suite(table) for table in report.results],
    }


def json_text(report: ProgramReport) -> str:
    """The document for people and programs: indented, ASCII only, with a newline at the end."""
    return json.dumps(document(report), indent=2, allow_nan=False) + "\n"


def _suite(table: SuiteTable) -> Object:
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


def _row(table: SuiteTable, row: ProgramRow) -> Object:
    return {
        "name": row.name,
        "what": row.what,
        "ns": _rounded(row.ns),
        "spread_pct": _rounded(row.spread_pct),
        "ops_per_sec": _rounded(row.alone.ops_per_sec),
        "factor": _rounded(table.factor(row)),
        "xlated_insns": row.size.xlated_insns if row.size else None,
        "jited_bytes": row.size.jited_bytes if row.size else None,
        "returns": row.returns or None,
        "by_cpus": [_cost(cost) for cost in row.costs],
    }


def _cost(cost: ProgramCost) -> Object:
    return {
        "cpus": cost.cpus,
        "ns": _rounded(cost.ns),
        "net_ns": _spread(cost.net.median, cost.net.low, cost.net.high),
        "gross_ns": _spread(cost.gross.median, cost.gross.low, cost.gross.high),
        "rounds": cost.gross.runs,
        "spread_pct": _rounded(cost.gross.pct),
        "ops_per_sec": _rounded(cost.ops_per_sec),
        "run": cost.kept.run if cost.kept else None,
        "counted": cost.kept.counted if cost.kept else None,
        "lost_pct": _rounded(cost.kept.lost_pct, 6) if cost.kept else None,
    }


def _spread(median: float, low: float, high: float) -> Object:
    return {"median": _rounded(median), "low": _rounded(low), "high": _rounded(high)}


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)


def csv_text(report: ProgramReport) -> str:
    """The same as rows, behind a line of column names. Lines end in LF."""
    whole = document(report)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    about = {"taken_at": whole["taken_at"], "kernel": whole["machine"]["kernel"], "cpu": whole["machine"]["cpu_model"]}
    for suite in whole["suites"]:
        where = {**about, "suite": suite["name"], "unit": suite["unit"], "partial": suite["partial"]}
        for row in suite["rows"]:
            for cost in row["by_cpus"]:
                gross_ns = cost["gross_ns"]["median"]
                writer.writerow({**where, **row, **cost, "gross_ns": gross_ns, "name": escaped_text(row["name"])})
        for each in suite["skipped"]:
            writer.writerow({**where, "name": each["name"], "skipped": escaped_text(each["reason"])})
    return text.getvalue()
