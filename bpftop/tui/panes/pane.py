"""The contract between the app and a pane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.widget import Widget

from bpftop.render.columns import Column
from bpftop.tui.bindings import bindings
from bpftop.tui.messages import GoTo, Said
from bpftop.tui.moment import Moment, Place
from bpftop.tui.widgets.covered import CoveredVertical
from bpftop.tui.widgets.detail import RowDetail
from bpftop.tui.widgets.region import Region
from bpftop.tui.widgets.table import Table


class Pane(CoveredVertical, can_focus=True):
    """One tab: regions below each other, which the app shows moment after moment.

    A subclass composes its regions in ``compose_list``. A region draws from the Moment alone, so a replayed screen
    equals the live screen; what the person chose (cursor, order, filter) stays in the region. Enter on a row of a
    table opens its details: ``compose_detail``, which are every column of the row if the pane has nothing better.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Pane { height: 1fr; }
    Pane .detail { display: none; }
    Pane.-looking-in .list { display: none; }
    Pane.-looking-in .detail { display: block; }
    """
    BINDINGS = bindings("other")
    hints: ClassVar[Sequence[tuple[str, str]]] = (("filter", "filter"), ("sort", "sort"), ("direction", "RX/TX"))
    """Action id and word for the line of keys, the most useful first."""
    detail_hints: ClassVar[Sequence[tuple[str, str]]] = ()
    """Action id and word for the line of keys among the details of a row, after the way back."""
    source: ClassVar[str] = ""
    """Source of the numbers of the table, for the help; a column with another source says so itself."""
    terms: ClassVar[Sequence[tuple[str, str]]] = ()
    """Terms and their meanings, for the help."""
    columns: ClassVar[Sequence[Column[Any]]] = ()
    """The columns of the pane's table, for the help."""

    def __init__(self, name: str, engines: Mapping[str, Any]) -> None:
        super().__init__(name=name, id=name)
        self.moment: Moment | None = None
        self.engines = engines
        """Engines of tests in place of the real ones, by their names."""

    def compose(self) -> ComposeResult:
        yield CoveredVertical(*self.compose_list(), classes="list")
        yield CoveredVertical(*self.compose_detail(), classes="detail")

    def compose_list(self) -> Iterator[Widget]:
        """Yield the regions of the pane."""
        raise NotImplementedError

    def compose_detail(self) -> Iterator[Widget]:
        """Yield the regions that show the details of the row ``moment.frame.place.row``."""
        yield RowDetail(self.table)

    def table(self) -> Table[Any] | None:
        """Return the table that keys act on first: the focused table, else the first one."""
        tables = list(self.query(Table))
        return next((table for table in tables if table.has_focus), tables[0] if tables else None)

    def show(self, moment: Moment) -> None:
        """Draw a moment in every region."""
        self.moment = moment
        if self.size:
            self.divide(moment, *self.size)
        for region in self.walk_children(Region):  # not by a query: Textual matches every widget with selectors
            region.show(moment)

    def redraw_regions(self) -> None:
        """Draw the same moment again in every region."""
        for region in self.walk_children(Region):
            region.redraw()

    def redraw_soon(self) -> None:
        """Draw the same moment again. May be called in any thread."""
        if self.is_running:
            self.app.call_later(self.redraw_regions)

    def divide(self, moment: Moment, width: int, height: int) -> None:
        """Give each region its height, by the size of the screen and the number of interfaces: so nothing jumps."""

    def on_resize(self) -> None:
        if self.moment is not None:
            self.divide(self.moment, *self.size)

    def enter(self, place: Place) -> None:
        """Show a place of this pane: the pane itself, filtered, or the details of a row."""
        self.set_class(bool(place.row), "-looking-in")
        table = self.table()
        if table is not None and not place.row:
            table.filter_by(place.filter)
        self.take_focus()
        self.call_after_refresh(self._settle_focus)

    def take_focus(self) -> None:
        """Give the keys to the first region on the screen that takes keys, else to the pane itself."""
        regions = self._focusable()
        self.screen.set_focus(regions[0] if regions else self, scroll_visible=False)

    def on_focus(self) -> None:
        """Pass on the focus that a click beside the tables gave to the pane."""
        if self._focusable():
            self.take_focus()

    def _settle_focus(self) -> None:
        """Take the focus from a region that the change of place has hidden."""
        focused = self.screen.focused
        if focused is None or focused is self or (isinstance(focused, Region) and not focused.is_displayed):
            self.take_focus()

    def action_other(self) -> None:
        """Give the keys to the next region that takes keys."""
        regions = self._focusable()
        if len(regions) < 2:
            self.post_message(Said("There is only one list here."))
        else:
            at = next((i for i, region in enumerate(regions) if region.has_focus), -1)
            self.screen.set_focus(regions[(at + 1) % len(regions)], scroll_visible=False)

    def _focusable(self) -> list[Region]:
        """Return the regions that take keys now."""
        return [r for r in self.walk_children(Region) if r.can_focus and r.is_displayed]

    def opened(self) -> None:
        """Begin what costs something only while the pane is open."""

    def closed(self) -> None:
        """End what ``opened`` began."""

    def mark(self) -> str:
        """Return what the tab has to say while another pane is open, such as ``…`` for a running job; or nothing."""
        return ""

    def step_back(self) -> bool:
        """Undo one choice of the person in this pane. Return False if there is nothing to undo."""
        table = self.table()
        return table is not None and table.step_back()

    def copied_text(self) -> str:
        """Return the selected row for the clipboard; empty: the whole screen is copied."""
        table = self.table()
        return table.row_text(table.cursor, max(100, self.size.width)) if table is not None and table.cursor else ""

    def on_table_chosen(self, event: Table.Chosen) -> None:
        event.stop()
        self.choose(event.table, event.key)

    def choose(self, table: Table[Any], key: str) -> None:
        """Look into a row: open its details."""
        self.post_message(GoTo(Place(str(self.name), table.row_title(key), row=key)))
