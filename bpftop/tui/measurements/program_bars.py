"""The costs of the programs of a suite as bars: alone and on all CPUs, with the budget of their hook as a line."""

from __future__ import annotations

from bpftop.measure.programs.costs import Budget, ProgramCost, SuiteTable
from bpftop.model.units import bar, ns
from bpftop.render.columns import clipped
from bpftop.tui.widgets.line import Line, Span, crop, line, shortened

FAR = 6
"""A budget that is so many times as long as the longest bar would leave no bar to see: its line is left out."""
_LEAST_BAR, _NUMBER, _WHERE = 12, 8, 8


def program_bars(table: SuiteTable, width: int) -> list[Line]:
    """Return a bar per program and number of CPUs, below a title with the budget; nothing without room for bars."""
    name_width = min(24, max((len(row.name) for row in table.rows), default=0)) + 2
    room = width - name_width - _WHERE - _NUMBER
    costs = [(row.name if i == 0 else "", each) for row in table.rows for i, each in enumerate(_ends(row.costs))]
    if room < _LEAST_BAR or not costs:
        return []
    longest_ns = max(each.ns for _, each in costs)
    budget = table.budget if table.budget is not None and table.budget.ns <= FAR * longest_ns else None
    scale_ns = max(longest_ns, budget.ns if budget else 0.0)
    at = None if budget is None else min(room - 1, int(budget.ns / scale_ns * room))
    title = f"ns per {table.unit}, one CPU and all at once"
    words = _budget_words(table.budget, budget, longest_ns)
    lines = [shortened(line((title, "title"), (f"  {words}" if words else "", "muted")), width)]
    for name, each in costs:
        where = "alone" if each.cpus == 1 else f"{each.cpus} CPUs"
        spans = line((f"{clipped(name, name_width - 2):<{name_width}}", "name"), (f"{where:<{_WHERE}}", "muted"))
        number = Span(f"{ns(each.ns):>{_NUMBER}}")
        lines.append(crop((*spans, *_bar(each.ns / scale_ns if scale_ns else 0.0, room, at), number), width))
    return lines


def _ends(costs: tuple[ProgramCost, ...]) -> tuple[ProgramCost, ...]:
    """Return the cost on one CPU, and on the largest number of CPUs if there are several."""
    return costs[:1] if len(costs) == 1 else (costs[0], costs[-1])


def _bar(share: float, width: int, at: int | None) -> Line:
    """Return a bar with the line of the budget over it."""
    drawn = bar(share, width)
    if at is None:
        return (Span(drawn, "bar"),)
    return line((drawn[:at], "bar"), ("┃", "notice"), (drawn[at + 1 :], "bar"))


def _budget_words(budget: Budget | None, drawn: Budget | None, longest_ns: float) -> str:
    if budget is None:
        return ""
    if drawn is not None:
        return f"┃ the {budget.hook} budget of {budget.limit}"
    times = budget.ns / longest_ns if longest_ns else 0.0
    return f"the {budget.hook} budget of {budget.limit} is {times:.0f} times the longest bar" if times else ""
