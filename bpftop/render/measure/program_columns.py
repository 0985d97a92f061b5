"""The rows and columns of a table of measured programs."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.fields import frozen, replace
from bpftop.measure.programs.costs import LINE_RATE_PPS, PACKET_BUDGETS, ProgramCost, ProgramRow, SuiteTable
from bpftop.model.units import UNKNOWN, si
from bpftop.render.columns import Column, clipped


@frozen
class ProgramLine:
    """A program with its figures; or, with ``row`` None, a budget to compare the programs with."""

    table: SuiteTable
    name: str
    ns: float
    row: ProgramRow | None = None

    @property
    def crowded(self) -> ProgramCost | None:
        return self.row.crowded if self.row else None

    @property
    def ops_per_sec(self) -> float | None:
        return self.row.alone.ops_per_sec if self.row else 1e9 / self.ns

    @property
    def factor(self) -> float | None:
        return self.table.factor(self.row) if self.row else None

    @property
    def lost_pct(self) -> float | None:
        counts = self.crowded.counted_runs if self.crowded else None
        return counts.lost_pct if counts else None

    def cost_on(self, cpus: int) -> ProgramCost | None:
        """Return the cost of one operation when ``cpus`` CPUs run the program at once."""
        costs: Sequence[ProgramCost] = self.row.costs if self.row else ()
        return next((cost for cost in costs if cost.cpus == cpus), None)

    def ns_on(self, cpus: int) -> float | None:
        cost = self.cost_on(cpus)
        return cost.ns if cost else None


ProgramColumn = Column[ProgramLine]


def program_lines(table: SuiteTable) -> list[ProgramLine]:
    """Return the rows of the table, the budget of their hook, and the time per frame at line rate for packet hooks."""
    lines = [ProgramLine(table, row.name, row.ns, row) for row in table.rows]
    if table.budget is not None:
        lines.append(ProgramLine(table, f"budget: {table.budget.hook}", table.budget.ns))
    if table.budget in PACKET_BUDGETS:
        lines.append(ProgramLine(table, "10 Gb/s of 64 B", 1e9 / LINE_RATE_PPS))
    return lines


def program_columns(table: SuiteTable) -> list[ProgramColumn]:
    """Return the columns that the table has values for."""
    lines = program_lines(table)
    crowds = sorted({cost.cpus for row in table.rows for cost in row.costs if cost.cpus > 1})
    name, *figures = PROGRAM_COLUMNS[:_USUAL]
    width = max(name.width, *(len(line.name) for line in lines))
    filled = [each for each in PROGRAM_COLUMNS[_USUAL:] if any(each.value(line) not in (None, "") for line in lines)]
    return [replace(name, width=width), *figures, *map(_crowd_column, crowds), *filled]


def _crowd_column(cpus: int) -> ProgramColumn:
    return Column(
        f"ns_{cpus}", f"{cpus} CPUs", "ns", 9, f"nanoseconds when {cpus} CPUs run it at once",
        lambda line: line.ns_on(cpus), lambda line, _: _cost_text(line.cost_on(cpus)) if line.row else "", rank=1,
    )  # fmt: skip


def _number(value: float | None, digits: int = 2) -> str:
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def _cost_text(cost: ProgramCost | None) -> str:
    """Write a cost; ``<0.05`` below the resolution."""
    if cost is None or cost.is_measurable:
        return _number(cost.ns if cost else None)
    return f"<{cost.resolution_ns:.2f}"


def _microseconds(line: ProgramLine) -> float | None:
    return line.ns / 1000 if line.row is None or line.row.alone.is_measurable else None


def _counted_text(line: ProgramLine) -> str:
    counts = line.crowded.counted_runs if line.crowded else None
    return f"{si(counts.counted)}/{si(counts.run)}" if counts else ""


def _lost_text(lost: float | None) -> str:
    if lost is None:
        return ""
    return "none" if lost == 0 else f"{lost:.1f} %" if abs(lost) >= 0.05 else f"{lost:.4f} %"


def _instructions(line: ProgramLine) -> int | None:
    return line.row.size.xlated_insns if line.row and line.row.size else None


def _jited_bytes(line: ProgramLine) -> int | None:
    return line.row.size.jited_bytes if line.row and line.row.size else None


def _whole(value: int | None) -> str:
    return "" if value is None else str(value)


_RUNS = "BPF_PROG_TEST_RUN; for programs without it, the kernel's run statistics"

PROGRAM_COLUMNS: tuple[ProgramColumn, ...] = (
    Column("name", "", "", 16, "the contestant", lambda line: line.name, lambda line, width: clipped(line.name, width),
          left=True, gap=0, source="the suite"),
    Column("ns", "avg ns", "ns", 9, "nanoseconds on one CPU, above an empty body",
          lambda line: line.ns, lambda line, _: _cost_text(line.row.alone) if line.row else _number(line.ns),
          source=_RUNS),
    Column("us", "avg µs", "µs", 9, "the same in microseconds",
          _microseconds, form=lambda us: _number(us, 4), rank=5, source=_RUNS),
    Column("ops", "op/s", "1/s", 8, "operations per second on one CPU",
          lambda line: line.ops_per_sec, rank=3, source=_RUNS),
    Column("factor", "factor", "times", 8, "how many times as fast as the reference",
          lambda line: line.factor, lambda line, _: _number(line.factor) if line.row else "", rank=2, source=_RUNS),
    Column("kept", "counted/run", "runs", 16, "runs that the map counted, on the largest number of CPUs tried",
          lambda line: line.crowded.counted_runs.counted if line.crowded and line.crowded.counted_runs else None,
          lambda line, _: _counted_text(line), rank=4, source="the counts in the map, of all runs"),
    Column("lost", "lost", "%", 8, "counts lost to races, in percent",
          lambda line: line.lost_pct, form=_lost_text, source="the counts in the map, of all runs"),
    Column("insns", "insns", "instructions", 7, "instructions after the verifier's rewriting",
          _instructions, form=_whole, rank=3, source="xlated_prog_len of bpf_prog_info"),
    Column("jited", "JITed B", "B", 8, "bytes of machine code",
          _jited_bytes, form=_whole, rank=4, source="jited_prog_len of bpf_prog_info"),
    Column("spread", "spread", "%", 8,
          "from the least to the largest round, in percent of the median; the widest of all numbers of CPUs",
          lambda line: line.row.spread_pct if line.row else None,
          lambda line, _: f"{line.row.spread_pct:.0f} %" if line.row else "", rank=2, source=_RUNS),
    Column("returns", "returns", "", 20, "what the program returned; how often, where frames differ",
          lambda line: line.row.returns if line.row else None,
          lambda line, _: line.row.returns if line.row else "", left=True, gap=2, source=_RUNS),
    Column("remark", "remark", "", 26, "the rank of a helper by its cost, and its rank in the usual list",
          lambda line: line.row.remark if line.row else None,
          lambda line, width: clipped(line.row.remark, width) if line.row else "", left=True, gap=2,
          source="the rank of the cost in the table"),
)  # fmt: skip

_USUAL = 5
"""The number of columns that every table has; then come the columns for several CPUs."""
