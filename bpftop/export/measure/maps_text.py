"""A profile of map operations as aligned text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from bpftop.measure.maps.plan import OPERATIONS, SINGLE_OF, WALK, Cell
from bpftop.measure.maps.results import (
    USER_NS,
    CellResult,
    MapReport,
    MeasuredSide,
    OperationCost,
    batch_factors,
    best_batches,
)
from bpftop.measure.statistics import NOISY_PCT
from bpftop.model.escaping import escaped_text
from bpftop.model.timestamps import rfc3339
from bpftop.model.units import UNKNOWN, ns, pct, si
from bpftop.render.measure.operation_columns import p50_text

_USER_COLUMNS = ("batch", "p50", "p90", "p99", "max", "mean", "op/s", "spread", "factor")
_COLUMNS = (*_USER_COLUMNS, "p50", "op/s", "checked", "change")
_WIDTHS = (6, 7, 6, 6, 6, 6, 8, 7, 7, 7, 8, 8, 8)
_USER_WIDTH = sum(_WIDTHS[: len(_USER_COLUMNS)])
_KERNEL_WIDTH = sum(_WIDTHS[len(_USER_COLUMNS) :][:2])
_SWEEP_TITLE, _SWEEP_WIDTH = "p50 by size of a batch", 7
_SHORT = {
    "lookup_and_delete_batch": "take*",
    "lookup_batch": "lookup*",
    "update_batch": "update*",
    "delete_batch": "delete*",
    "update_existing": "update",
    "update_new": "insert",
    "get_next_key": "next_key",
}
"""Titles of narrow columns."""


def table(report: MapReport) -> str:
    """Write a page: an overview where there are several maps, then each map in full."""
    sections = [list(group) for _, group in groupby(report.results, lambda r: (r.cell.geometry, r.cell.threads))]
    lines = [*_head(report), ""]
    if len(sections) > 1:
        lines += _overview(sections)
    for section in sections:
        lines += [*_section(report, section), ""]
    lines += _foot(report)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _head(report: MapReport) -> Iterator[str]:
    machine, plan = report.machine, report.plan
    request, live = plan.request, plan.live
    cpu = escaped_text(machine.cpu_model or "CPU unknown")
    when = rfc3339(report.begun_ns)
    yield f"{escaped_text(machine.host)}  Linux {machine.kernel}  {cpu}, {machine.possible_cpus} CPUs  {when}"
    clock = f"the clock's own {report.clock_ns:.1f} ns are taken off (it steps by {report.clock_step_ns} ns)"
    yield f"ns per entry; {request.runs} rounds of {request.run_ms} ms per cell, seed {request.seed}; {clock}"
    yield "op/s is a mean; spread: of the medians of the rounds; change: only beyond the ranges of both runs"
    if live is not None:
        keys = f"{'' if live.complete else 'at least '}{live.count} keys"
        real = len(live.real_keys) // live.info.key_bytes
        yield (
            f"a copy of map {live.info.map_id} {escaped_text(live.info.name)}: {keys} counted by {live.reads} reads, "
            f"{real} used as they are; the map itself was only read"
        )
    if report.partial:
        yield f"PARTIAL: stopped after {len(report.results)} of {len(plan.cells)} cells"


def _overview(sections: Sequence[Sequence[CellResult]]) -> Iterator[str]:
    """Compare the medians, a map per line: from user space, then inside the kernel."""
    rows = {_title(section): _by_operation(section) for section in sections}
    width = max(map(len, rows)) + 1
    sides: Mapping[MeasuredSide, str] = {
        "user": "from user space, * in batches of the best size",
        "inside": "in the kernel",
    }
    for side, what in sides.items():
        operations = [n for n in OPERATIONS if any(_cost(row.get(n), side) is not None for row in rows.values())]
        if not operations:
            continue
        yield f"p50 {what}"
        yield " " * width + "".join(f"{_SHORT.get(name, name):>9}" for name in operations)
        for title, row in rows.items():
            yield title.ljust(width) + "".join(f"{p50_text(_cost(row.get(name), side)):>9}" for name in operations)
        yield ""


def _by_operation(section: Sequence[CellResult]) -> dict[str, CellResult]:
    """Return the first access of each operation, at its best batch size."""
    best = {result.cell for result in best_batches(section)}
    first: dict[str, CellResult] = {}
    for result in section:
        if result.cell.batch is None or result.cell in best:
            first.setdefault(result.cell.operation, result)
    return first


def _title(section: Sequence[CellResult]) -> str:
    """Return a short title with the properties in which maps may differ."""
    cell = section[0].cell
    g = cell.geometry
    threads = f" x{cell.threads}" if cell.threads > 1 else ""
    entries = si(g.population).replace(" ", "")
    return f"{g.kind}{threads} {entries} of {si(g.entries).replace(' ', '')}, {g.key_bytes}+{g.value_bytes} B"


def _cost(result: CellResult | None, side: MeasuredSide) -> OperationCost | None:
    return None if result is None else result.cost(side)


def _section(report: MapReport, results: Sequence[CellResult]) -> Iterator[str]:
    cell = results[0].cell
    g = cell.geometry
    accesses = report.plan.request.accesses
    labels = {r.cell: _label(r, len(accesses) > 1) for r in results}
    width = max(map(len, (_SWEEP_TITLE, *labels.values())))
    threads = "1 thread" if cell.threads == 1 else f"{cell.threads} threads on one map"
    order = f", {accesses[0]} access" if len(accesses) == 1 else ""
    flags = f", flags {g.flags:#x}" if g.flags else ""
    yield (
        f"{g.kind}: {g.population} of {g.entries} entries, key {g.key_bytes} B, value {g.value_bytes} B{flags}, "
        f"{threads}{order}"
    )
    user, kernel = " from user space ", " in kernel "
    yield f"{'':{width + 6}}{user:─^{_USER_WIDTH - 6}}  {kernel:─^{_KERNEL_WIDTH - 2}}"
    yield "operation".ljust(width) + "".join(map(str.rjust, _COLUMNS, _WIDTHS))
    factors = batch_factors(report.results)
    best = {result.cell for result in best_batches(results)}
    absent: dict[str, str] = {}
    for result in results:
        if result.user is None and result.inside is None:
            absent.setdefault(labels[result.cell], result.user_why)
        elif result.cell.batch is None or result.cell in best:
            yield labels[result.cell].ljust(width) + _row(report, result, factors.get(result.cell.name))
    yield from (f"{label:<{width}}  {why}" for label, why in absent.items())
    yield from _sweep(results, labels, width)
    yield from _remarks(results, labels)


def _row(report: MapReport, result: CellResult, factor: float | None) -> str:
    user, inside = result.user, result.inside
    cells = ["" if result.cell.batch is None else str(result.cell.batch)]
    if user is None:
        cells += [""] * (len(_USER_COLUMNS) - 1)
    else:
        s = user.summary
        cells += [p50_text(user), *map(ns, (s.p90_ns, s.p99_ns, s.max_ns, s.mean_ns))]
        cells += [si(user.per_sec), pct(user.spread.pct / 100)]
        cells.append(f"{factor:.1f}x" if factor is not None else UNKNOWN if result.cell.batch else "")
    cells += ["", ""] if inside is None else [p50_text(inside), si(inside.per_sec)]
    change = report.changes.get((result.cell.name, USER_NS))
    cells += [si(result.checked), "" if change is None else f"{change.pct:+.0f} %" if change.clear else "none"]
    return "".join(map(str.rjust, cells, _WIDTHS))


def _label(result: CellResult, by_access: bool) -> str:
    access = result.cell.access
    return f"{result.cell.operation} {access}" if by_access and access != WALK else result.cell.operation


def _sweep(results: Sequence[CellResult], labels: Mapping[Cell, str], width: int) -> Iterator[str]:
    """List the p50 of each batch operation by batch size."""
    swept = [r for r in results if r.cell.operation in SINGLE_OF and r.user is not None]
    sizes = sorted({r.cell.batch or 0 for r in swept})
    if len(sizes) < 2:
        return
    yield _SWEEP_TITLE.ljust(width) + "".join(f"{size:>{_SWEEP_WIDTH}}" for size in sizes)
    for label, group in groupby(swept, lambda r: labels[r.cell]):
        by_size = {r.cell.batch: p50_text(r.user) for r in group}
        yield label.ljust(width) + "".join(f"{by_size.get(size, UNKNOWN):>{_SWEEP_WIDTH}}" for size in sizes)


def _remarks(results: Sequence[CellResult], labels: Mapping[Cell, str]) -> Iterator[str]:
    grown = [r for r in results if r.grown_to is not None]
    for label, group in groupby(grown, lambda r: labels[r.cell]):
        steps = ", ".join(f"{r.cell.batch} to {r.grown_to or 'single operations'}" for r in group)
        yield f"  {label}: a bucket has more keys than the batch (ENOSPC), which grew from {steps}"
    reasons: dict[str, list[str]] = {}
    for result in results:
        if result.user is not None and result.cell.inside and result.inside_why:
            reasons.setdefault(result.inside_why, []).append(labels[result.cell])
        for note in result.notes:
            reasons.setdefault(note, []).append(labels[result.cell])
    yield from (f"  {', '.join(dict.fromkeys(of))}: {reason}" for reason, of in reasons.items())


def _foot(report: MapReport) -> Iterator[str]:
    costs = [cost for r in report.results for cost in (r.user, r.inside) if cost is not None]
    noisy = sum(cost.spread.noisy for cost in costs)
    checked = sum(r.checked for r in report.results)
    compared = f"{si(checked)} values and keys compared with what was written, none was wrong"
    yield f"{compared}; {report.took_s:.1f} s in all"
    if noisy:
        yield f"noisy: {noisy} of {len(costs)} medians differ by more than {NOISY_PCT:.0f} % between rounds"
    yield from (f"=> {sentence}" for sentence in report.verdict)
