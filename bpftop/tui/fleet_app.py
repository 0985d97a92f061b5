"""The screen of many hosts: a row per host and interface. Enter leaves it for the live screen of a host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from bpftop.fleet.host_state import HostState
from bpftop.render.columns import fitting
from bpftop.render.fleet_rows import FLEET_COLUMNS, FleetLine, fleet_lines, remark
from bpftop.tui.terminal.traits import TerminalTraits
from bpftop.tui.terminal.writer import TerminalWriter
from bpftop.tui.themed_app import ThemedApp
from bpftop.tui.themes import Theme
from bpftop.tui.widgets.canvas import Canvas
from bpftop.tui.widgets.line import Line, Span, ends, line
from bpftop.tui.widgets.table import cell, selected

_HEADING_LINES = 2
_ENDING_LINES = 2
"""The remark of the selected row, which its column may cut, and the keys."""


class FleetTable(Canvas, can_focus=True):
    """The rows of all hosts, with a cursor that stays on its host."""

    def __init__(self, states: Callable[[], Sequence[HostState]], cursor: str) -> None:
        super().__init__()
        self._states = states
        self.cursor = cursor
        self.top = 0
        self._hosts: list[str] = []

    def redraw(self) -> None:
        """Draw the newest state of every host."""
        if self.size:
            self.paint(self._all_lines(*self.size))

    def _all_lines(self, width: int, height: int) -> list[Line]:
        states = self._states()
        rows = fleet_lines(states)
        self._hosts = [row.state.host for row in rows]
        if self.cursor not in self._hosts:
            self.cursor = self._hosts[0]
        room = max(1, height - _HEADING_LINES - _ENDING_LINES)
        at = self._hosts.index(self.cursor)
        self.top = max(0, min(max(self.top, at - room + 1), at, len(rows) - 1))
        watched = sum(state.contact == "watching" for state in states)
        columns = fitting(FLEET_COLUMNS, width)
        lines = [
            line((f"{watched} of {len(states)} hosts watched", "title")),
            tuple(Span(cell(column, column.title, cells), "title") for column, cells in columns),
        ]
        lines += [self._row(row) for row in rows[self.top : self.top + room]]
        keys = line(("↑↓", "key"), (" host  ", "muted"), ("enter", "key"), (" its live screen", "muted"))
        blank: list[Line] = [()] * (height - len(lines) - _ENDING_LINES)
        words = line((f"{self.cursor}  {remark(rows[at])}", "notice")) if remark(rows[at]) else ()
        return [*lines, *blank, words, ends(keys, line(("q", "key"), (" quit", "muted")), width)]

    def _row(self, row: FleetLine) -> Line:
        spans = []
        for column, cells in fitting(FLEET_COLUMNS, self.size.width):
            look = column.look if isinstance(column.look, str) else column.look(row)
            spans.append(Span(cell(column, column.cell(row, cells - column.gap), cells), look))
        return selected(tuple(spans)) if row.state.host == self.cursor else tuple(spans)

    def move(self, steps: int) -> None:
        """Select the host some hosts further down, or up."""
        hosts = list(dict.fromkeys(self._hosts))
        at = hosts.index(self.cursor) + steps
        self.cursor = hosts[max(0, min(at, len(hosts) - 1))]
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        at = self.top + event.y - _HEADING_LINES
        if event.y >= _HEADING_LINES and at < len(self._hosts):
            self.cursor = self._hosts[at]
            self.redraw()


class FleetApp(ThemedApp):
    """Shows the states of the hosts once an interval. ``chosen``: the host whose live screen the person asked for.

    ``cursor`` is the host that is selected at first; empty: the first host.
    """

    CSS = "FleetTable { width: 1fr; height: 1fr; }"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c", "quit", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("enter", "choose", show=False),
    ]

    def __init__(
        self,
        states: Callable[[], Sequence[HostState]],
        *,
        theme: Theme,
        traits: TerminalTraits,
        interval_s: float,
        cursor: str = "",
    ) -> None:
        super().__init__(theme, TerminalWriter(traits))
        self.table = FleetTable(states, cursor)
        self.chosen = ""
        self._interval_s = interval_s

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.focus()
        self.set_interval(min(1.0, self._interval_s), self._tick)

    def _tick(self) -> None:
        if not self.writer.is_behind:
            self.table.redraw()

    def on_ready(self) -> None:
        self.screen_built()

    def action_move(self, steps: int) -> None:
        self.table.move(steps)

    def action_choose(self) -> None:
        self.chosen = self.table.cursor
        self.exit()
