"""Pane 7: programs compared with each other on this machine, a suite for each lesson, run on request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from bpftop.measure.programs.costs import SuiteTable
from bpftop.measure.programs.engine import LocalProgramEngine, ProgramEngine, SuiteEntry
from bpftop.render.program_columns import (
    COUNTED,
    FACTOR,
    INSTRUCTIONS,
    JITED,
    LOST,
    NS,
    OPS,
    SPREAD,
    ProgramColumn,
    program_columns,
    program_lines,
)
from bpftop.tui.measurement import rule, status_lines
from bpftop.tui.panes.programs.measurement import EVERYTHING, ProgramMeasurement, ProgramPaneState
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.header import header
from bpftop.tui.widgets.line import Line, beside, clean, crop, line, text, wrap
from bpftop.tui.widgets.table import TextTable, visible

LEFT, GAP = 14, 2
LEFT_WIDE, WIDE = 20, 100
"""The list on the left, and from which width on it says how long a suite takes."""

IDLE = "Bench: programs compared with each other; enter runs what is chosen."
ABOUT = (
    "Programs run in the kernel by BPF_PROG_TEST_RUN, attached nowhere, in turn with each other; the figures are what "
    "each costs above an empty one."
)


TERMS = (
    *((column.title, column.help) for column in (NS, OPS, FACTOR, COUNTED, LOST, INSTRUCTIONS, JITED, SPREAD)),
    ("2 CPUs", "Nanoseconds when so many CPUs run it at once."),
    ("budget", "What a program at this hook may take, by rule of thumb; and a frame of 64 bytes at 10 Gb/s."),
    ("✓ ▶ ~", "Done; running; cancelled before all rounds were done, so without a verdict."),
    ("running", "Esc cancels within 0.2 s and keeps what there is; another pane leaves it running, quitting ends it."),
)
"""For the help, while this pane is behind it."""


def open_desk(tell: Callable[[], None], engine: ProgramEngine | None) -> ProgramMeasurement:
    """What this pane measures with; the real engine unless another one is handed in."""
    return ProgramMeasurement(tell, engine or LocalProgramEngine())


def lines(frame: PaneInput, height: int) -> list[Line]:
    """The pane in ``height`` lines."""
    state = _state(frame)
    head = [header(frame), *status_lines(state.work, state.stopping, IDLE, frame.width)]
    head.append(rule(state.work, "", frame.width))
    room = max(1, height - len(head))
    left = LEFT_WIDE if frame.width >= WIDE else LEFT
    names = keys(frame)
    listed = [_entry(frame, state, name, left) for name in names[visible(names, frame.view.cursor, room)]]
    return [*head, *beside(listed, _right(frame, state, frame.width - left - GAP), left, GAP)][:height]


def keys(frame: PaneInput) -> list[str]:
    return [EVERYTHING, *(suite.name for suite in _state(frame).suites)]


def sort_ids(frame: PaneInput) -> list[str]:
    return []


def row_text(frame: PaneInput, key: str) -> str:
    """The table of the suite and its reasons as text, for the clipboard."""
    table = _state(frame).tables.get(_state(frame).looked_at(key))
    if table is None:
        return ""
    width = max(160, frame.width)
    return "\n".join(text(one).rstrip() for one in [*_table(frame, table, width), *_reasons(table, (), 100)])


def _state(frame: PaneInput) -> ProgramPaneState:
    assert isinstance(frame.desk, ProgramPaneState)
    return frame.desk


def _entry(frame: PaneInput, state: ProgramPaneState, name: str, width: int) -> Line:
    """``▸ counters   3.9 s``: the mark says whether it was run."""
    chosen = "!" if frame.view.cursor == name else ""
    table = state.tables.get(name)
    mark = "▶" if name == state.under_way else " " if table is None else "~" if table.partial else "✓"
    shown = f"{'▸' if chosen else ' '}{name}"[: width - 2]
    takes = f"{_expected_s(state, name):.1f} s" if frame.width >= WIDE else ""
    room = width - 1 - len(shown)
    return line((shown, f"name{chosen}"), (takes.rjust(room - 1) + " ", f"muted{chosen}"), (mark, f"good{chosen}"))


def _expected_s(state: ProgramPaneState, name: str) -> float:
    return sum(suite.expected_s for suite in state.suites if name in (EVERYTHING, suite.name))


def _right(frame: PaneInput, state: ProgramPaneState, width: int) -> list[Line]:
    name = state.looked_at(frame.view.cursor)
    suite = next((suite for suite in state.suites if suite.name == name), None)
    table = state.tables.get(name)
    if table is None:
        return [line((part, "muted")) for part in wrap(_about(suite), min(width, 100))]
    title: list[Line] = [line((part, "title")) for part in wrap(clean(table.title), width)]
    if state.why:
        return [*title, *_reasons(table, state.doubts, min(width, 110))]
    return [*title, *_table(frame, table, width), *_below(table, name == state.under_way, width)]


def _about(suite: SuiteEntry | None) -> str:
    return f"{suite.title}. {ABOUT}" if suite else f"Nothing was run yet. {ABOUT}"


def _table(frame: PaneInput, table: SuiteTable, width: int) -> list[Line]:
    """The table, its widest column being no wider than a third of the screen; what does not fit goes by rank."""
    found = [_on_screen(column, width) for column in program_columns(table)]
    drawing = TextTable(found, lambda row: row.name)
    return [crop(one, width) for one in drawing.lines(program_lines(table), frame, width)]


def _on_screen(column: ProgramColumn, width: int) -> ProgramColumn:
    """Limit the width of the names; rename "factor", whose title a mark would change."""
    if column.id == "name":
        return replace(column, width=min(column.width, max(16, width // 3)), look="name")
    return replace(column, id="times") if column.id == "factor" else column


def _below(table: SuiteTable, under_way: bool, width: int) -> Iterator[Line]:
    """What was skipped, and the verdict, where there is one already."""
    for each in table.skipped:
        yield crop(line((f"{each.name}: ", "name"), (f"skipped: {clean(each.reason)}", "notice")), width)
    yield ()
    if table.partial:
        yield line(("not all rounds are done yet" if under_way else "cancelled before all rounds were done", "muted"))
    else:
        yield from (line((part, "notice")) for part in wrap(clean(table.verdict), min(width, 110)))


def _reasons(table: SuiteTable, doubts: tuple[str, ...], width: int) -> Iterator[Line]:
    """Why the winner wins: the verdict, what casts doubt on it, what was taken off, and what each contestant does."""
    verdict = table.verdict or "No verdict: not all rounds were done."
    yield from (line((part, "notice")) for part in wrap(clean(verdict), width))
    notes = [*(f"skipped: {each.name}: {each.reason}" for each in table.skipped), *doubts]
    if table.taken_off:
        notes.append(f"taken off: {table.taken_off}")
    for note in notes:
        yield from (line((part, "muted")) for part in wrap(clean(note), width))
    yield ()
    indent = max((len(row.name) for row in table.rows), default=0) + 2
    for row in table.rows:
        for number, part in enumerate(wrap(clean(row.what), max(20, width - indent))):
            yield line((f"{row.name if number == 0 else '':<{indent}}", "name"), part)
