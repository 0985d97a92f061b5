"""The comparison of programs: the list of suites; the table of a suite with bars, or why its winner wins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bpftop.fields import replace
from bpftop.measure.programs.costs import Budget, ProgramCost, SuiteTable
from bpftop.measure.programs.costs import SuiteTable as SuiteCosts
from bpftop.measure.programs.suite import Suite
from bpftop.model.units import bar, ns
from bpftop.render.columns import Column, clipped, fitting
from bpftop.render.measure.program_columns import (
    PROGRAM_COLUMNS,
    ProgramColumn,
    ProgramLine,
    program_columns,
    program_lines,
)
from bpftop.tui.measurements.program_measurement import ALL_SUITES, ProgramMeasurement
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.line import Line, Span, clean, crop, line, shortened, text, wrap, wrapped
from bpftop.tui.widgets.scroller import TextPanel
from bpftop.tui.widgets.table import Rows, Table, cell

ABOUT = (
    "Programs run in the kernel by BPF_PROG_TEST_RUN, attached nowhere, in turn with each other; the figures are the "
    "cost above that of an empty program."
)
_EXPLAINED = ("ns", "ops", "factor", "kept", "lost", "insns", "jited", "spread")
"""The columns that the help explains."""
SUITE_TERMS: Sequence[tuple[str, str]] = (
    *((column.title, column.help) for column in PROGRAM_COLUMNS if column.id in _EXPLAINED),
    ("2 CPUs", "Nanoseconds when this many CPUs run the program at once."),
    ("budget", "What a program at this hook may take, by rule of thumb; and a frame of 64 bytes at 10 Gb/s."),
    ("✓ ▶ ~", "Done; running; cancelled before all rounds were done, so without a verdict."),
)


class SuiteList(Table[str]):
    """A row per suite, and one for all of them."""

    columns_are_chosen = False

    def __init__(self, measurement: ProgramMeasurement) -> None:
        super().__init__()
        self._measurement = measurement
        self.cursor = ALL_SUITES
        self._columns = (
            Column[str]("name", "Suite", "", 14, "Programs that do the same in different ways.", lambda name: None,
                        lambda name, _: f"  {name}", gap=0, left=True, look="name", sortable=False),
            Column[str]("takes", "takes", "s", 6, "How long the suite takes.", lambda name: None,
                        lambda name, _: _seconds(self._expected_s(name)), sortable=False),
            Column[str]("state", "", "", 2, "Done, running, or cancelled.", lambda name: None,
                        lambda name, _: self._state(name), look="good", sortable=False),
        )  # fmt: skip

    def columns(self, moment: Moment) -> Sequence[Column[str]]:
        return self._columns

    def rows(self, moment: Moment) -> Rows[str]:
        return Rows.of([ALL_SUITES, *(suite.name for suite in self._measurement.suites)], str)

    def step_back(self) -> bool:
        return False

    def _state(self, name: str) -> str:
        table = self._measurement.tables.get(name)
        if name == self._measurement.running_suite:
            return "▶"
        return "" if table is None else "~" if table.partial else "✓"

    def _expected_s(self, name: str) -> float:
        return sum(suite.expected_s for suite in self._measurement.suites if name in (ALL_SUITES, suite.name))


class SuiteResult(TextPanel):
    """The table of the selected suite with its verdict; ``explains``: why its winner wins."""

    def __init__(self, measurement: ProgramMeasurement, suites: SuiteList) -> None:
        super().__init__()
        self._measurement, self._suites = measurement, suites
        self.explains = False

    def text_lines(self, moment: Moment, width: int) -> list[Line]:
        measurement = self._measurement
        name = measurement.displayed_suite(self._suites.cursor)
        suite = next((suite for suite in measurement.suites if suite.name == name), None)
        table = measurement.tables.get(name)
        if table is None:
            return wrapped(_about(suite), "muted", min(width, 100))
        title = wrapped(table.title, "title", width)
        if self.explains:
            return [*title, *_explanation(table, measurement.doubts, min(width, 110))]
        below = _below(table, name == measurement.running_suite, width)
        return [*title, *_table(table, width), *below, (), *program_bars(table, min(width, 110))]

    def copied_text(self) -> str:
        """Return the table of the suite and the explanation of its winner; empty before the suite has run."""
        table = self._measurement.tables.get(self._measurement.displayed_suite(self._suites.cursor))
        if table is None:
            return ""
        lines = [*_table(table, max(160, self.size.width)), *_explanation(table, (), 100)]
        return "\n".join(text(spans).rstrip() for spans in lines)


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 1 else "<1 s"


def _about(suite: Suite | None) -> str:
    return f"{suite.title}. {ABOUT}" if suite else f"No suite was run yet. {ABOUT}"


def _table(table: SuiteCosts, width: int) -> list[Line]:
    """Return the table; columns that do not fit are dropped by their rank."""
    columns = fitting([_on_screen(column, width) for column in program_columns(table)], width)
    titles = tuple(Span(cell(column, column.title, cells), "title") for column, cells in columns)
    return [titles, *(_row(row, columns) for row in program_lines(table))]


def _row(row: ProgramLine, columns: Sequence[tuple[ProgramColumn, int]]) -> Line:
    return tuple(
        Span(cell(c, c.cell(row, cells - c.gap), cells), c.look(row) if callable(c.look) else c.look)
        for c, cells in columns
    )


def _on_screen(column: ProgramColumn, width: int) -> ProgramColumn:
    """Limit the width of the names."""
    if column.id == "name":
        return replace(column, width=min(column.width, max(16, width // 3)), look="name")
    return column


def _below(table: SuiteCosts, running: bool, width: int) -> Iterator[Line]:
    """Yield the skipped programs and the verdict, or why there is no verdict."""
    for skipped in table.skipped:
        yield from wrapped(f"{skipped.name}: skipped: {skipped.reason}", "notice", width)
    yield ()
    if table.partial:
        yield line(("not all rounds are done yet" if running else "cancelled before all rounds were done", "muted"))
    else:
        yield from wrapped(table.verdict, "notice", min(width, 110))


def _explanation(table: SuiteCosts, doubts: tuple[str, ...], width: int) -> Iterator[Line]:
    """Yield why the winner wins: the verdict, doubts, the subtracted cost, and what each program does."""
    yield from wrapped(table.verdict or "No verdict: not all rounds were done.", "notice", width)
    notes = [*(f"skipped: {skipped.name}: {skipped.reason}" for skipped in table.skipped), *doubts]
    if table.taken_off:
        notes.append(f"subtracted: {table.taken_off}")
    for note in notes:
        yield from wrapped(note, "muted", width)
    yield ()
    indent = max((len(row.name) for row in table.rows), default=0) + 2
    for row in table.rows:
        for number, part in enumerate(wrap(clean(row.what), max(20, width - indent))):
            yield line((f"{row.name if number == 0 else '':<{indent}}", "name"), part)


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
