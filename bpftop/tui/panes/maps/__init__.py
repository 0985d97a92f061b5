"""Pane 6b: what map operations cost on this machine, measured on request, beside the run before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bpftop.measure.maps.engine import LocalMapEngine, MapEngine
from bpftop.render.operation_columns import OPERATION_COLUMNS
from bpftop.render.operation_rows import OperationRow, operation_rows
from bpftop.tui.measurement import rule, status_lines
from bpftop.tui.panes.maps.choices import Axis
from bpftop.tui.panes.maps.measurement import MapMeasurement, MapPaneState
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.header import header
from bpftop.tui.widgets.line import Line, beside, crop, length, line, text, wrap
from bpftop.tui.widgets.table import TextTable

WIDE = 120
"""From here on the choices stand on the left; on narrower screens above the table, which needs the width."""

LEFT, GAP = 30, 2

TABLE: TextTable[OperationRow] = TextTable(OPERATION_COLUMNS, lambda row: row.key)

IDLE = "Profile of map operations: arrows choose, enter measures."
ABOUT = (
    "Each operation is timed call by call from user space, and as a loop in a BPF program that is attached nowhere "
    "(kernel), on scratch maps that are filled and thrown away. Every value that is read is compared with what was "
    "written. A batch lookup walks the map in its own order, and so does get_next_key. `bpftop profile --help` has "
    "more to choose from, and copies a live map."
)


TERMS = (
    *((column.title, column.help) for column in OPERATION_COLUMNS if column.id not in ("name", "bar")),
    ("batches", "lookup_batch and lookup+del_batch walk the map in its own order and ignore what keys one gives them; "
     "so does get_next_key. lookup+del_batch is lookup_and_delete_batch, compared with a lookup and a delete."),
    ("running", "Esc cancels within 0.2 s and keeps what there is; another pane leaves it running, quitting ends it."),
)  # fmt: skip
"""For the help, while this pane is behind it."""


def open_desk(tell: Callable[[], None], engine: MapEngine | None) -> MapMeasurement:
    """What this pane measures with; the real engine unless another one is handed in."""
    return MapMeasurement(tell, engine or LocalMapEngine())


def lines(frame: PaneInput, height: int) -> list[Line]:
    """The pane in ``height`` lines."""
    state = _state(frame)
    head = [header(frame), *status_lines(state.work, state.stopping, IDLE, frame.width)]
    wide = frame.width >= WIDE
    if not wide:
        head += _wrapped(frame, state)
    width, room = frame.width - (LEFT + GAP if wide else 0), max(2, height - len(head) - 1)
    says, body = _table(frame, state, width, room)
    if wide:
        body = beside([line(("What to measure", "title")), *_column(frame, state)], body, LEFT, GAP)
    return [*head, rule(state.work, says, frame.width), *body][:height]


def keys(frame: PaneInput) -> list[str]:
    """The choices, then the rows."""
    state = _state(frame)
    return [*(axis.name for axis in state.axes), *(row.key for row in _rows(frame, state))]


def sort_ids(frame: PaneInput) -> list[str]:
    return ["operation"]


def row_text(frame: PaneInput, key: str) -> str:
    """The row as text, with its heading, for the clipboard; nothing for a choice."""
    found = [row for row in _rows(frame, _state(frame)) if row.key == key]
    drawn = TABLE.lines(found, frame, max(100, frame.width)) if found else []
    return "\n".join([*(row.group for row in found), *(text(one).rstrip() for one in drawn)])


def _state(frame: PaneInput) -> MapPaneState:
    assert isinstance(frame.desk, MapPaneState)
    return frame.desk


def _rows(frame: PaneInput, state: MapPaneState) -> list[OperationRow]:
    """Those that pass the filter: words that are all in the name of the map's type or of the operation."""
    words = frame.view.filter.lower().split()
    found = operation_rows(state.results, state.earlier, frame.view.sort == "operation")
    return [row for row in found if all(word in f"{row.group} {row.label}" for word in words)]


def _choice(frame: PaneInput, state: MapPaneState, axis: Axis, gap: str) -> Line:
    """A name and its value, in brackets where the cursor is."""
    word = axis.values[state.choices[axis.name]][0]
    if frame.view.cursor == axis.name:
        return line((f"{axis.name}{gap}", "name"), (f"‹{word}›", "text!"))
    return line((f"{axis.name}{gap}", "muted"), f" {word} ")


def _column(frame: PaneInput, state: MapPaneState) -> list[Line]:
    return [_choice(frame, state, axis, " " * (12 - len(axis.name))) for axis in state.axes]


def _wrapped(frame: PaneInput, state: MapPaneState) -> list[Line]:
    """The choices on as few lines as they need. None moves while another one is changed, as far as there is room."""
    found: list[Line] = [()]
    for axis in state.axes:
        choice = _choice(frame, state, axis, " ")
        wanted = len(axis.name) + axis.width + 4
        if length(found[-1]) + wanted > frame.width:
            found.append(())
        found[-1] = (*found[-1], *choice, (" " * (wanted - length(choice)), "text"))
    return [crop(one, frame.width) for one in found]


def _table(frame: PaneInput, state: MapPaneState, width: int, room: int) -> tuple[str, list[Line]]:
    """What the rule above has to say of the rows, and the lines."""
    found = _rows(frame, state)
    if not state.results:
        return "", [] if state.work.running else [line((part, "muted")) for part in wrap(ABOUT, min(width, 100))]
    heading, *_ = TABLE.lines([], frame, width)
    body = list(_body(found, frame, width))
    top = _top([key for key, _ in body], frame.view.cursor, room - 1, state.work.running)
    part = body[top : top + room - 1]
    first, shown = (sum(bool(key) for key, _ in lines) for lines in (body[:top], part))
    says = f"rows {first + 1}-{first + shown} of {len(found)}" if shown < len(found) else ""
    if frame.view.filter:
        says = f"filter: {frame.view.filter}{'; ' if says else ''}{says}"
    return says, [heading, *(drawn for _, drawn in part)]


def _body(found: Sequence[OperationRow], frame: PaneInput, width: int) -> Iterator[tuple[str, Line]]:
    """Every line below the heading, and the key of its row."""
    drawn = iter(TABLE.lines(found, frame, width)[1:])
    group = ""
    for row in found:
        if row.group != group:
            group = row.group
            yield "", crop(line((group, "title")), width)
        cells = next(drawn)
        yield row.key, cells if not row.absent else crop((cells[0], (f"  {row.absent}", "muted")), width)


def _top(keys: Sequence[str], cursor: str, room: int, running: bool) -> int:
    """The first line to show: around the cursor; without one the newest while it runs, else the first."""
    last = max(0, len(keys) - room)
    if cursor in keys:
        return max(0, min(keys.index(cursor) - room // 2, last))
    return last if running else 0
