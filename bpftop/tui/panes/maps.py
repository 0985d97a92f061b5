"""Pane 6, Profile: the cost of map operations on this machine, measured on request, beside the previous run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bpftop.measure.maps.engine import LocalMapEngine, MapEngine
from bpftop.render.operation_columns import OPERATION_COLUMNS
from bpftop.render.operation_rows import OperationRow, operation_rows
from bpftop.tui.measurements.map_choices import Axis
from bpftop.tui.measurements.maps import MapMeasurement, MapPaneState
from bpftop.tui.measurements.status_lines import rule, status_lines
from bpftop.tui.panes.pane import Pane
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.header import header
from bpftop.tui.widgets.line import Line, beside, crop, length, line, wrap
from bpftop.tui.widgets.table import TextTable

WIDE = 120
"""Width from which the choices stand on the left. On narrower screens they stand above the table."""
LEFT, GAP = 30, 2

TABLE: TextTable[OperationRow] = TextTable(OPERATION_COLUMNS, lambda row: row.key)

IDLE = "Profile of map operations: arrows choose, enter measures."
ABOUT = (
    "Each operation is timed call by call from user space, and as a loop in a BPF program that is attached nowhere "
    "(kernel), on scratch maps that are filled and thrown away. Every value that is read is compared with the value "
    "that was written. A batch lookup walks the map in its own order, and so does get_next_key. `bpftop profile "
    "--help` has more choices, and copies a live map."
)


class MapsPane(Pane):
    """The choices and the results of the profile of map operations."""

    terms = (
        *((column.title, column.help) for column in OPERATION_COLUMNS if column.id not in ("name", "bar")),
        ("batches", "lookup_batch and lookup+del_batch walk the map in its own order and ignore the given keys; so "
         "does get_next_key. lookup+del_batch is lookup_and_delete_batch, compared with a lookup and a delete."),
        ("running", "Esc cancels and keeps the results; leaving the pane lets it run on, quitting ends it."),
    )  # fmt: skip
    terms_title = "Profile"

    def lines(self, pane_input: PaneInput, height: int) -> list[Line]:
        state, width = _state(pane_input), pane_input.width
        head = [header(pane_input), *status_lines(state.status, state.stopping, IDLE, width)]
        wide = width >= WIDE
        if not wide:
            head += _choice_lines(pane_input, state)
        note, body = _table(pane_input, state, width - (LEFT + GAP if wide else 0), max(2, height - len(head) - 1))
        if wide:
            choices = [_choice(pane_input, state, axis, " " * (12 - len(axis.name))) for axis in state.axes]
            body = beside([line(("What to measure", "title")), *choices], body, LEFT, GAP)
        return [*head, rule(state.status, note, width), *body][:height]

    def keys(self, pane_input: PaneInput) -> list[str]:
        """Return the names of the choices, then the keys of the rows."""
        state = _state(pane_input)
        return [*(axis.name for axis in state.axes), *(row.key for row in _rows(pane_input, state))]

    def sort_ids(self, pane_input: PaneInput) -> list[str]:
        return ["operation"]

    def row_text(self, pane_input: PaneInput, key: str) -> str:
        row = next((row for row in _rows(pane_input, _state(pane_input)) if row.key == key), None)
        return "" if row is None else f"{row.group}\n{TABLE.text([row], pane_input, max(100, pane_input.width))}"

    def open_measurement(self, notify: Callable[[], object], engine: MapEngine | None) -> MapMeasurement:
        return MapMeasurement(notify, engine or LocalMapEngine())


PANE = MapsPane()


def _state(pane_input: PaneInput) -> MapPaneState:
    assert isinstance(pane_input.measurement_state, MapPaneState)
    return pane_input.measurement_state


def _rows(pane_input: PaneInput, state: MapPaneState) -> list[OperationRow]:
    """Return the rows in whose map type or operation all words of the filter occur."""
    words = pane_input.view.filter.lower().split()
    all_rows = operation_rows(state.results, state.earlier, pane_input.view.sort == "operation")
    return [row for row in all_rows if all(word in f"{row.group} {row.label}" for word in words)]


def _choice(pane_input: PaneInput, state: MapPaneState, axis: Axis, gap: str) -> Line:
    """Return the name of the axis and its value, in brackets under the cursor."""
    value = axis.values[state.choices[axis.name]][0]
    if pane_input.view.cursor == axis.name:
        return line((f"{axis.name}{gap}", "name"), (f"‹{value}›", "text!"))
    return line((f"{axis.name}{gap}", "muted"), f" {value} ")


def _choice_lines(pane_input: PaneInput, state: MapPaneState) -> list[Line]:
    """Return the choices on as few lines as possible. Each has the width of its longest value, so that none moves."""
    lines: list[Line] = [()]
    for axis in state.axes:
        choice = _choice(pane_input, state, axis, " ")
        width = len(axis.name) + axis.width + 4
        if length(lines[-1]) + width > pane_input.width:
            lines.append(())
        lines[-1] = (*lines[-1], *choice, (" " * (width - length(choice)), "text"))
    return [crop(spans, pane_input.width) for spans in lines]


def _table(pane_input: PaneInput, state: MapPaneState, width: int, room: int) -> tuple[str, list[Line]]:
    """Return the note for the rule above the table, and the lines of the table."""
    if not state.results:
        return "", [] if state.status.running else [line((part, "muted")) for part in wrap(ABOUT, min(width, 100))]
    matching = _rows(pane_input, state)
    heading, *_ = TABLE.lines([], pane_input, width)
    body = list(_body(matching, pane_input, width))
    top = _top([key for key, _ in body], pane_input.view.cursor, room - 1, state.status.running)
    visible_body = body[top : top + room - 1]
    rows_above, rows_visible = (sum(bool(key) for key, _ in part) for part in (body[:top], visible_body))
    notes = [f"filter: {pane_input.view.filter}"] if pane_input.view.filter else []
    if rows_visible < len(matching):
        notes.append(f"rows {rows_above + 1}-{rows_above + rows_visible} of {len(matching)}")
    return "; ".join(notes), [heading, *(spans for _, spans in visible_body)]


def _body(matching: Sequence[OperationRow], pane_input: PaneInput, width: int) -> Iterator[tuple[str, Line]]:
    """Yield (key, line) of every line below the heading; the heading of a group has no key."""
    row_lines = iter(TABLE.lines(matching, pane_input, width)[1:])
    group = ""
    for row in matching:
        if row.group != group:
            group = row.group
            yield "", crop(line((group, "title")), width)
        cells = next(row_lines)
        yield row.key, cells if not row.absent else crop((cells[0], (f"  {row.absent}", "muted")), width)


def _top(keys: Sequence[str], cursor: str, room: int, running: bool) -> int:
    """Return the top line: around the cursor; without a cursor the newest rows while running, else the first."""
    last = max(0, len(keys) - room)
    if cursor in keys:
        return max(0, min(keys.index(cursor) - room // 2, last))
    return last if running else 0
