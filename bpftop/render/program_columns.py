"""The columns of a bench table, declared once for the screen and for text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bpftop.measure.programs.costs import LINE_RATE_PPS, ProgramCost, ProgramRow, SuiteTable
from bpftop.model.units import UNKNOWN, si
from bpftop.render.columns import Field


@dataclass(frozen=True)
class Line:
    """A row in its table; without a row, a budget that the rows are held against."""

    table: SuiteTable
    name: str
    ns: float
    row: ProgramRow | None = None

    @property
    def crowded(self) -> ProgramCost | None:
        return self.row.crowded if self.row else None


BenchField = Field[Line]


def lines(table: SuiteTable) -> list[Line]:
    """The rows in their order, and behind them what their hook may take, where programs of one hook are compared."""
    found = [Line(table, row.name, row.ns, row) for row in table.rows]
    if table.budget is not None:
        found.append(Line(table, f"budget: {table.budget.hook}", table.budget.ns))
        found.append(Line(table, "10 Gb/s of 64 B", 1e9 / LINE_RATE_PPS))
    return found


def fields(table: SuiteTable) -> list[BenchField]:
    """The columns that this table has something for."""
    found = [NAME, NS, MICROSECONDS, OPS, FACTOR, *crowd_fields(table)]
    if any(row.crowded.kept for row in table.rows):
        found += [KEPT, LOST]
    if any(row.size for row in table.rows):
        found += [INSTRUCTIONS, JITED]
    found.append(SPREAD)
    if any(row.returns for row in table.rows):
        found.append(RETURNS)
    width = max([*(len(line.name) for line in lines(table)), NAME.width])
    return [replace(field, width=width) if field is NAME else field for field in found]


def crowd_fields(table: SuiteTable) -> list[BenchField]:
    """A column for each number of CPUs above one."""
    crowds = sorted({cost.cpus for row in table.rows for cost in row.costs if cost.cpus > 1})
    return [_crowd_field(cpus) for cpus in crowds]


def _ns_on(line: Line, cpus: int) -> float | None:
    costs: Sequence[ProgramCost] = line.row.costs if line.row else ()
    return next((cost.ns for cost in costs if cost.cpus == cpus), None)


def _number(value: float | None, digits: int = 2) -> str:
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def _crowd_field(cpus: int) -> BenchField:
    def ns(line: Line) -> float | None:
        return _ns_on(line, cpus)

    def text(line: Line, _width: int) -> str:
        return _number(ns(line)) if line.row else ""

    return Field(
        f"ns_{cpus}", f"{cpus} CPUs", "ns", 9, f"nanoseconds when {cpus} CPUs run it at once", ns, text, rank=1
    )


def _ops(line: Line) -> float | None:
    return line.row.alone.ops_per_sec if line.row else 1e9 / line.ns


def _factor(line: Line) -> float | None:
    return line.table.factor(line.row) if line.row else None


def _kept(line: Line) -> str:
    kept = line.crowded.kept if line.crowded else None
    return f"{si(kept.counted)}/{si(kept.run)}" if kept else ""


def _lost(line: Line) -> float | None:
    kept = line.crowded.kept if line.crowded else None
    return kept.lost_pct if kept else None


def _lost_text(line: Line) -> str:
    lost = _lost(line)
    if lost is None:
        return ""
    return "none" if lost == 0 else f"{lost:.1f} %" if abs(lost) >= 0.05 else f"{lost:.4f} %"


def _size(line: Line, name: str) -> int | None:
    found: int | None = getattr(line.row.size, name) if line.row and line.row.size else None
    return found


def _whole(value: int | None) -> str:
    return "" if value is None else str(value)


NAME: BenchField = Field(
    "name",
    "",
    "",
    16,
    "the contestant",
    lambda line: line.name,
    lambda line, width: line.name[:width],
    left=True,
    gap=0,
)
NS: BenchField = Field(
    "ns",
    "avg ns",
    "ns",
    9,
    "nanoseconds on one CPU, above an empty body",
    lambda line: line.ns,
    lambda line, _: _number(line.ns),
)
MICROSECONDS: BenchField = Field(
    "us",
    "avg µs",
    "µs",
    9,
    "the same in microseconds",
    lambda line: line.ns / 1000,
    lambda line, _: _number(line.ns / 1000, 4),
    rank=5,
)
OPS: BenchField = Field(
    "ops", "op/s", "1/s", 8, "so many a second on one CPU", _ops, lambda line, _: si(_ops(line)), rank=3
)
FACTOR: BenchField = Field(
    "factor",
    "factor",
    "",
    8,
    "how many times as fast as the reference",
    _factor,
    lambda line, _: _number(_factor(line)) if line.row else "",
    rank=2,
)
KEPT: BenchField = Field(
    "kept",
    "counted/run",
    "",
    16,
    "what the maps know of, of what ran, on as many CPUs as were tried",
    lambda line: line.crowded.kept.counted if line.crowded and line.crowded.kept else None,
    lambda line, _: _kept(line),
    rank=4,
)
LOST: BenchField = Field(
    "lost", "lost", "%", 8, "counts lost to races, in percent", _lost, lambda line, _: _lost_text(line)
)
INSTRUCTIONS: BenchField = Field(
    "insns",
    "insns",
    "",
    7,
    "instructions after the verifier's rewriting",
    lambda line: _size(line, "xlated_insns"),
    lambda line, _: _whole(_size(line, "xlated_insns")),
    rank=3,
)
JITED: BenchField = Field(
    "jited",
    "JITed B",
    "B",
    8,
    "bytes of machine code",
    lambda line: _size(line, "jited_bytes"),
    lambda line, _: _whole(_size(line, "jited_bytes")),
    rank=4,
)
SPREAD: BenchField = Field(
    "spread",
    "spread",
    "%",
    8,
    "from the least to the largest round, in percent of the median; the widest of all numbers of CPUs",
    lambda line: line.row.spread_pct if line.row else None,
    lambda line, _: f"{line.row.spread_pct:.0f} %" if line.row else "",
    rank=2,
)
RETURNS: BenchField = Field(
    "returns",
    "returns",
    "",
    20,
    "what the program returned; how often, where frames differ",
    lambda line: line.row.returns if line.row else None,
    lambda line, _: line.row.returns if line.row else "",
    left=True,
    gap=2,
)
