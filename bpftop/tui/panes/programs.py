"""Pane 7, Bench: programs compared with each other on this machine, in suites that run on request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from bpftop.measure.programs.costs import SuiteTable
from bpftop.measure.programs.engine import LocalProgramEngine, ProgramEngine
from bpftop.measure.programs.suite import Suite
from bpftop.render.program_columns import PROGRAM_COLUMNS, ProgramColumn, program_columns, program_lines
from bpftop.tui.measurements.programs import ALL_SUITES, ProgramMeasurement, ProgramPaneState
from bpftop.tui.measurements.status_lines import rule, status_lines
from bpftop.tui.panes.pane import Pane
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.header import header
from bpftop.tui.widgets.line import Line, beside, clean, crop, line, text, wrap
from bpftop.tui.widgets.table import TextTable, visible

LEFT, GAP = 14, 2
LEFT_WIDE, WIDE = 20, 100
"""Width of the list on a wide screen, and the screen width from which the list shows how long a suite takes."""

IDLE = "Bench: programs compared with each other; enter runs the selected suite."
ABOUT = (
    "Programs run in the kernel by BPF_PROG_TEST_RUN, attached nowhere, in turn with each other; the figures are the "
    "cost above that of an empty program."
)

_EXPLAINED = ("ns", "ops", "factor", "kept", "lost", "insns", "jited", "spread")
"""The columns that the help explains."""


class ProgramsPane(Pane):
    """The list of suites, and the table of the selected suite or the explanation of its winner."""

    terms = (
        *((column.title, column.help) for column in PROGRAM_COLUMNS if column.id in _EXPLAINED),
        ("2 CPUs", "Nanoseconds when this many CPUs run the program at once."),
        ("budget", "What a program at this hook may take, by rule of thumb; and a frame of 64 bytes at 10 Gb/s."),
        ("✓ ▶ ~", "Done; running; cancelled before all rounds were done, so without a verdict."),
        ("running", "Esc cancels and keeps the results; leaving the pane lets it run on, quitting ends it."),
    )
    terms_title = "Bench"

    def lines(self, pane_input: PaneInput, height: int) -> list[Line]:
        state, width = _state(pane_input), pane_input.width
        head = [header(pane_input), *status_lines(state.status, state.stopping, IDLE, width)]
        head.append(rule(state.status, "", width))
        left = LEFT_WIDE if width >= WIDE else LEFT
        names = self.keys(pane_input)
        visible_names = names[visible(names, pane_input.view.cursor, max(1, height - len(head)))]
        suites = [_suite_row(pane_input, state, name, left) for name in visible_names]
        return [*head, *beside(suites, _right(pane_input, state, width - left - GAP), left, GAP)][:height]

    def keys(self, pane_input: PaneInput) -> list[str]:
        return [ALL_SUITES, *(suite.name for suite in _state(pane_input).suites)]

    def row_text(self, pane_input: PaneInput, key: str) -> str:
        """Return the table of the suite and the explanation of its winner."""
        table = _state(pane_input).tables.get(_state(pane_input).displayed_suite(key))
        if table is None:
            return ""
        lines = [*_table(pane_input, table, max(160, pane_input.width)), *_explanation(table, (), 100)]
        return "\n".join(text(spans).rstrip() for spans in lines)

    def open_measurement(self, notify: Callable[[], object], engine: ProgramEngine | None) -> ProgramMeasurement:
        return ProgramMeasurement(notify, engine or LocalProgramEngine())


PANE = ProgramsPane()


def _state(pane_input: PaneInput) -> ProgramPaneState:
    assert isinstance(pane_input.measurement_state, ProgramPaneState)
    return pane_input.measurement_state


def _suite_row(pane_input: PaneInput, state: ProgramPaneState, name: str, width: int) -> Line:
    """Return ``▸ counters   3.9 s ✓``: name, expected duration, and whether the suite was run."""
    on_cursor = "!" if pane_input.view.cursor == name else ""
    table = state.tables.get(name)
    mark = "▶" if name == state.running_suite else " " if table is None else "~" if table.partial else "✓"
    title = f"{'▸' if on_cursor else ' '}{name}"[: width - 2]
    duration = f"{_expected_s(state, name):.1f} s" if pane_input.width >= WIDE else ""
    padded = duration.rjust(width - 2 - len(title)) + " "
    return line((title, f"name{on_cursor}"), (padded, f"muted{on_cursor}"), (mark, f"good{on_cursor}"))


def _expected_s(state: ProgramPaneState, name: str) -> float:
    return sum(suite.expected_s for suite in state.suites if name in (ALL_SUITES, suite.name))


def _right(pane_input: PaneInput, state: ProgramPaneState, width: int) -> list[Line]:
    name = state.displayed_suite(pane_input.view.cursor)
    suite = next((suite for suite in state.suites if suite.name == name), None)
    table = state.tables.get(name)
    if table is None:
        return [line((part, "muted")) for part in wrap(_about(suite), min(width, 100))]
    title: list[Line] = [line((part, "title")) for part in wrap(clean(table.title), width)]
    if state.explains:
        return [*title, *_explanation(table, state.doubts, min(width, 110))]
    return [*title, *_table(pane_input, table, width), *_below(table, name == state.running_suite, width)]


def _about(suite: Suite | None) -> str:
    return f"{suite.title}. {ABOUT}" if suite else f"No suite was run yet. {ABOUT}"


def _table(pane_input: PaneInput, table: SuiteTable, width: int) -> list[Line]:
    """Return the table; columns that do not fit are dropped by their rank."""
    text_table = TextTable([_on_screen(column, width) for column in program_columns(table)], lambda row: row.name)
    return [crop(spans, width) for spans in text_table.lines(program_lines(table), pane_input, width)]


def _on_screen(column: ProgramColumn, width: int) -> ProgramColumn:
    """Limit the width of the names; rename "factor", whose title a mark would change."""
    if column.id == "name":
        return replace(column, width=min(column.width, max(16, width // 3)), look="name")
    return replace(column, id="times") if column.id == "factor" else column


def _below(table: SuiteTable, running: bool, width: int) -> Iterator[Line]:
    """Yield the skipped programs and the verdict, or why there is no verdict."""
    for skipped in table.skipped:
        yield crop(line((f"{skipped.name}: ", "name"), (f"skipped: {clean(skipped.reason)}", "notice")), width)
    yield ()
    if table.partial:
        yield line(("not all rounds are done yet" if running else "cancelled before all rounds were done", "muted"))
    else:
        yield from (line((part, "notice")) for part in wrap(clean(table.verdict), min(width, 110)))


def _explanation(table: SuiteTable, doubts: tuple[str, ...], width: int) -> Iterator[Line]:
    """Yield why the winner wins: the verdict, doubts, the subtracted cost, and what each program does."""
    verdict = table.verdict or "No verdict: not all rounds were done."
    yield from (line((part, "notice")) for part in wrap(clean(verdict), width))
    notes = [*(f"skipped: {skipped.name}: {skipped.reason}" for skipped in table.skipped), *doubts]
    if table.taken_off:
        notes.append(f"subtracted: {table.taken_off}")
    for note in notes:
        yield from (line((part, "muted")) for part in wrap(clean(note), width))
    yield ()
    indent = max((len(row.name) for row in table.rows), default=0) + 2
    for row in table.rows:
        for number, part in enumerate(wrap(clean(row.what), max(20, width - indent))):
            yield line((f"{row.name if number == 0 else '':<{indent}}", "name"), part)
