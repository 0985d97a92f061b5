"""The columns of the table of measured map operations."""

from __future__ import annotations

from bpftop.measure.maps.results import OperationCost
from bpftop.measure.statistics import Summary
from bpftop.model.units import UNKNOWN, ns, pct
from bpftop.render.columns import Column, clipped
from bpftop.render.measure.operation_rows import OperationRow


def _bar(row: OperationRow, width: int) -> str:
    return "" if row.cost is None else whiskers(row.cost.summary, row.longest_ns, width)


def _change(row: OperationRow) -> str:
    if row.change is None:
        return UNKNOWN
    return f"{row.change.pct:+.0f} %" if row.change.clear else "none"


def p50_text(cost: OperationCost | None) -> str:
    """Write a median; ``<0.08`` for a median below the resolution."""
    if cost is None:
        return UNKNOWN
    return f"<{ns(cost.resolution_ns)}" if cost.below_resolution else ns(cost.summary.p50_ns)


_LOOPS = "a loop in C around the system call, timed by CLOCK_MONOTONIC"

OPERATION_COLUMNS: tuple[Column[OperationRow], ...] = (
    Column("name", "ns per entry", "", 19, "The operation.", lambda r: r.label,
          lambda r, width: clipped(f"  {r.label}", width), gap=0, left=True, look="name",
          source="the list of operations"),
    Column("p50_ns", "p50", "ns", 7, "Median of single calls from user space, per entry.",
          lambda r: r.p50_ns, lambda r, _: p50_text(r.cost), source=_LOOPS),
    Column("p99_ns", "p99", "ns", 7, "One call in a hundred takes longer.",
          lambda r: r.cost.summary.p99_ns if r.cost else None, form=ns, source=_LOOPS),
    Column("per_sec", "op/s", "1/s", 8, "Mean of the entries per second, all threads together.",
          lambda r: r.cost.per_sec if r.cost else None, source=_LOOPS),
    Column("batch_factor", "factor", "times", 7, "How many times cheaper an entry is in a batch than by single calls.",
          lambda r: r.factor, lambda r, _: "" if r.factor is None else f"{r.factor:.1f}x", rank=1, source=_LOOPS),
    Column("batch", "batch", "entries", 6, "Entries in a batch; of a sweep the best size.",
          lambda r: r.result.cell.batch, lambda r, _: str(r.result.cell.batch or ""), rank=6,
          source="what was asked for"),
    Column("inside_ns", "kernel", "ns", 7, "The same operation in a loop of a BPF program, median.",
          lambda r: r.inside_ns, lambda r, _: "" if r.result.cell.batch else p50_text(r.result.inside), rank=4,
          source="a loop in a BPF program, timed by the kernel"),
    Column("spread", "spread", "%", 7, "From the least to the largest median of the rounds.",
          lambda r: r.cost.spread.pct if r.cost else None,
          lambda r, _: pct(r.cost.spread.pct / 100 if r.cost else None), rank=2, source=_LOOPS),
    Column("checked", "checked", "values", 8, "Values and keys that were compared with what was written.",
          lambda r: r.result.checked, rank=2, source="the values that were read back"),
    Column("bar", "p10 ┼ p90", "ns", 12,
          "A bar that ends in a whisker from p10 to p90, with a cross at p50; the longest is the dearest operation.",
          lambda r: None, _bar, rank=3, gap=2, left=True, stretch=24, look="bar", sortable=False, source=_LOOPS),
    Column("before_ns", "before", "ns", 7, "The p50 of the latest run before, on this machine.",
          lambda r: r.change.then if r.change else None, form=ns, rank=5,
          source="the stored runs in ~/.local/state/bpftop"),
    Column("change", "change", "%", 8, "How the p50 has changed since; none where the ranges of both runs overlap.",
          lambda r: r.change.pct if r.change else None, lambda r, _: _change(r), rank=1, look="factor",
          source="the stored runs in ~/.local/state/bpftop"),
)  # fmt: skip


LEFT, MEDIAN, RIGHT = "├", "┼", "┤"


def whiskers(summary: Summary, longest_ns: float, width: int) -> str:
    """Return a bar on a scale from 0 to ``longest_ns``: full until p10, then a whisker to p90, with a cross at p50.

    ``█████├─┼──┤``; where all three fall into one cell the bar ends in the cross.
    """
    if longest_ns <= 0 or width < 1:
        return ""
    low, middle, high = (
        min(width - 1, int(ns / longest_ns * width)) for ns in (summary.p10_ns, summary.p50_ns, summary.p90_ns)
    )
    text = "█" * low + LEFT + "─" * (high - low - 1) + RIGHT if high > low else "█" * low + MEDIAN
    return text[:middle] + MEDIAN + text[middle + 1 :]
