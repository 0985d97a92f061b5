"""Pane 7: what map operations and programs cost on this machine, measured on request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from textual.widget import Widget

from bpftop.measure.maps.engine import MapEngine
from bpftop.measure.programs.comparison import ProgramEngine
from bpftop.model.units import bar
from bpftop.render.columns import clipped
from bpftop.render.measure.operation_columns import OPERATION_COLUMNS
from bpftop.tui.bindings import bindings
from bpftop.tui.measurements.map_measurement import MapMeasurement
from bpftop.tui.measurements.measurement import Measurement, RunStatus
from bpftop.tui.measurements.program_measurement import ProgramMeasurement
from bpftop.tui.messages import Said
from bpftop.tui.moment import Moment, Place
from bpftop.tui.panes.map_results import VERDICT_LINES, ChoiceTable, MapVerdict, OperationTable
from bpftop.tui.panes.overview import set_height
from bpftop.tui.panes.pane import Pane
from bpftop.tui.panes.suite_results import SUITE_TERMS, SuiteList, SuiteResult
from bpftop.tui.widgets.covered import CoveredHorizontal, CoveredVertical
from bpftop.tui.widgets.line import Line, clean, line, shortened, wrap
from bpftop.tui.widgets.region import Region
from bpftop.tui.widgets.table import Table

NARROW = 110
"""Width below which what to measure and the results take turns."""
KINDS = ("map operations", "programs")
CURVE_HEIGHT = 10
"""Lines of the chart of batch sizes, on a screen that has room for it."""
HEAD_LINES, CHOICE_LINES = 3, 9
"""Lines of the head, and of the choices with their title."""


class MeasureHead(Region):
    """The two kinds of measurement, then the progress or the summary of the open one, in two lines."""

    def __init__(self, pane: MeasurePane) -> None:
        super().__init__()
        self._pane = pane

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        pane = self._pane
        kinds = [
            (
                f" {kind} ",
                "title~" if measurement is pane.current else "text",
                "kind",
            )
            for kind, measurement in zip(KINDS, pane.measurements, strict=True)
        ]
        tabs = line(*kinds, "  ", (moment.frame.key_of("kind"), "key", "kind"), (" the other", "muted", "kind"))
        if pane.current is pane.maps:
            idle = f"Choose with the arrows what to measure; {pane.maps.price}."
        else:
            idle = f"Programs compared with each other; {pane.programs.price(pane.suites.cursor)}."
        return [tabs, *status_lines(pane.current.status, pane.current.stopped, idle, width)]


class MeasurePane(Pane):
    """Choices for a measurement on the left, its results on the right. One measurement runs at a time."""

    DEFAULT_CSS = """
    MeasurePane MeasureHead { height: 3; }
    MeasurePane Horizontal, MeasurePane .maps { height: 1fr; }
    MeasurePane .programs { display: none; }
    MeasurePane.-programs .programs { display: block; }
    MeasurePane.-programs .maps { display: none; }
    MeasurePane ChoiceTable { width: 31; height: 1fr; }
    MeasurePane.-narrow.-results ChoiceTable { display: none; }
    MeasurePane SuiteList { width: 23; height: 1fr; }
    MeasurePane OperationTable, MeasurePane SuiteResult { width: 1fr; height: 1fr; }
    MeasurePane MapVerdict { height: 2; }
    """
    BINDINGS = bindings("kind", "run", "earlier", "later")
    source = "Operations that are timed on this machine when you ask for it; nothing is taken from elsewhere."
    hints = (("choose", "measure"), ("later", "change"), ("run", "again"), ("kind", "maps or programs"),
             ("sort", "by operation"), ("copy", "copy"), ("back", "cancel"))  # fmt: skip
    columns = tuple(column for column in OPERATION_COLUMNS if column.id not in ("name", "bar"))
    terms: ClassVar[Sequence[tuple[str, str]]] = (
        ("batches", "lookup_batch and lookup+del_batch walk the map in its own order and ignore the given keys; so "
         "does get_next_key. lookup+del_batch is lookup_and_delete_batch, compared with a lookup and a delete."),
        ("running", "Esc cancels and keeps the results; leaving the pane lets it run on, quitting ends it."),
        *SUITE_TERMS,
    )  # fmt: skip

    def compose_list(self) -> Iterator[Widget]:
        self.maps = MapMeasurement(self._notify, self.engines.get("maps") or MapEngine())
        self.programs = ProgramMeasurement(self._notify, self.engines.get("programs") or ProgramEngine())
        self.measurements: tuple[Measurement, Measurement] = (self.maps, self.programs)
        self.current: Measurement = self.maps
        self._told: set[str] = set()
        self._entered: Place | None = None
        self._choices, self._operations = ChoiceTable(self.maps), OperationTable(self.maps)
        self.suites = SuiteList(self.programs)
        self._result = SuiteResult(self.programs, self.suites)
        yield MeasureHead(self)
        self._verdict = MapVerdict(self.maps, self._operations)
        choices_and_results = CoveredHorizontal(self._choices, self._operations)
        yield CoveredVertical(choices_and_results, self._verdict, classes="maps")
        yield CoveredHorizontal(self.suites, self._result, classes="programs")

    def _notify(self) -> None:
        """Draw the progress. Called in the thread of a run."""
        if self.is_running:
            self.app.call_later(self._progressed)

    def _progressed(self) -> None:
        for measurement in self.measurements:
            ending = measurement.take_ending()
            if ending and not self.is_on_screen_of(measurement):
                self.post_message(Said(ending))
        self.redraw_regions()

    def is_on_screen_of(self, measurement: Measurement) -> bool:
        """Return True if the person sees this measurement now."""
        return self.display and self.current is measurement

    def on_unmount(self) -> None:
        for measurement in self.measurements:  # cancel all before waiting for any
            measurement.cancel()
        for measurement in self.measurements:
            measurement.close()

    def mark(self) -> str:
        status = next((m.status for m in self.measurements if m.status.running), None)
        return f"{status.share:.0%}" if status else ""

    def table(self) -> Table[object]:
        """Return the table with the focus, else the table of possible measurements."""
        shown = "programs" if self.has_class("-programs") else "maps"
        tables = list(self.query(f".{shown} Table").results(Table))
        return next((table for table in tables if table.has_focus), tables[0])

    def divide(self, moment: Moment, width: int, height: int) -> None:
        self.set_class(width < NARROW, "-narrow")
        with_curve = min(VERDICT_LINES + CURVE_HEIGHT, height - HEAD_LINES - CHOICE_LINES)
        set_height(self._verdict, 0 if height < 14 else VERDICT_LINES if height < 24 else with_curve)

    def on_descendant_focus(self) -> None:
        """On a narrow screen, the results have it for themselves while they have the focus."""
        self.set_class(self._operations.has_focus, "-results")

    def action_other(self) -> None:
        """Go from what to measure to the results, and back."""
        if self.current is self.programs:
            (self.suites if self._result.has_focus else self._result).focus(scroll_visible=False)
        else:
            other = self._choices if self._operations.has_focus else self._operations
            self.set_class(other is self._operations, "-results")
            other.focus(scroll_visible=False)

    def action_kind(self) -> None:
        self.toggle_class("-programs")
        self.current = self.programs if self.has_class("-programs") else self.maps
        self.redraw_regions()
        self.take_focus()

    def action_earlier(self) -> None:
        self._turn(-1)

    def action_later(self) -> None:
        self._turn(1)

    def _turn(self, steps: int) -> None:
        table = self.table()
        if isinstance(table, ChoiceTable):
            table.turn(steps)

    def enter(self, place: Place) -> None:
        super().enter(place)
        if place.subject and place is not self._entered:
            self.set_class(False, "-programs")
            self.current = self.maps
            if not self._is_busy():
                self.maps.start_copy(place.subject)
                self.action_other()
        self._entered = place

    def _is_busy(self) -> bool:
        """Say so if a measurement is running."""
        running = next((m for m in self.measurements if m.running), None)
        if running is not None:
            self.post_message(Said(f"{running.title}: this is measuring now; wait for its end, or cancel it with esc"))
        return running is not None

    def action_run(self) -> None:
        if self._is_busy():
            pass
        elif self.current is self.maps:
            self.maps.start()
        else:
            self._result.explains = False
            self.programs.start(self.suites.cursor)
        self.redraw_regions()

    def choose(self, table: Table[Any], key: str) -> None:
        """Measure; on a suite that has run, explain its winner; on a result, show all of it."""
        if isinstance(table, OperationTable):
            super().choose(table, key)
        elif isinstance(table, SuiteList) and self.programs.has_table(key):
            self._result.explains = not self._result.explains
            self.redraw_regions()
        else:
            self.action_run()

    def on_table_selected(self, event: Table.Selected) -> None:
        """Show the selected suite."""
        event.stop()
        self.redraw_regions()

    def step_back(self) -> bool:
        running = next((m for m in self.measurements if m.running), None)
        if running is not None:
            running.cancel()
            self.redraw_regions()
            return True
        if self._result.explains:
            self._result.explains = False
            self.redraw_regions()
            return True
        if not self._operations.has_focus:
            return False
        if not super().step_back():
            self.action_other()
        return True

    def copied_text(self) -> str:
        if self.current is self.programs:
            return self._result.copied_text()
        return super().copied_text() if isinstance(self.table(), OperationTable) else ""


BAR_WIDTH = 16


def status_lines(status: RunStatus, stopping: bool, idle: str, width: int) -> list[Line]:
    """Return the progress in one line, or the summary in as many lines as it needs; ``idle`` before the first run."""
    if status.running:
        left = "" if status.left_s is None else f"  {status.left_s:3.0f} s left"
        end = "  cancelling" if stopping else "  esc cancels"
        room = width - BAR_WIDTH - len(left) - len(end) - 12
        progress = line(
            ("▕", "muted"), (bar(status.share, BAR_WIDTH), "bar"), ("▏", "muted"), f"{status.share:4.0%}", left,
            (f"  {clipped(status.step, room)}" if room > 0 else "", "name"), (end, "key"),
        )  # fmt: skip
        return [shortened(progress, width)]
    role = {"failed": "alarm", "cancelled": "notice"}.get(status.phase, "muted")
    return [line((part, role)) for part in wrap(clean(status.sentence or idle), width)]
