"""The frame around every pane: tabs, header and verdict above it, offer and keys below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from textual.app import ComposeResult
from textual.events import ScreenResume
from textual.screen import Screen
from textual.widgets import Static

from bpftop.tui.messages import FrameReady, FrameResized
from bpftop.tui.moment import Moment, Place
from bpftop.tui.panes import PANES
from bpftop.tui.panes.pane import Pane
from bpftop.tui.widgets.covered import CoveredContainer, blank_lines
from bpftop.tui.widgets.header import HeaderLine
from bpftop.tui.widgets.key_line import KeyLine, OfferLine, offered
from bpftop.tui.widgets.prompt import PromptLine
from bpftop.tui.widgets.region import Region
from bpftop.tui.widgets.tab_line import TabLine
from bpftop.tui.widgets.time_line import TimeLine
from bpftop.tui.widgets.verdict import VerdictBlock

MIN_WIDTH, MIN_HEIGHT = 50, 10
WAITING = "waiting for the first sample"


class FrameScreen(Screen[None], inherit_bindings=False):
    """The frame, without Textual's own bindings: tab selects the next interface here.

    A pane is made when it is first opened, and stays with all that the person chose in it.
    """

    ALLOW_SELECT = False
    render_lines = blank_lines
    DEFAULT_CSS = """
    FrameScreen { overflow: hidden; }
    TabLine, HeaderLine, KeyLine { height: 1; }
    VerdictBlock { height: 3; }
    OfferLine, PromptLine, TimeLine { height: 1; display: none; }
    FrameScreen.-replay TimeLine { display: block; }
    FrameScreen.-offering OfferLine { display: block; }
    #panes { height: 1fr; }
    #notice { display: none; height: 1fr; }
    FrameScreen.-notice > * { display: none; }
    FrameScreen.-notice #notice { display: block; }
    """

    def __init__(self, engines: Mapping[str, Any], first_moment: Callable[[], Moment | None] = lambda: None) -> None:
        super().__init__(id="_default")
        self._engines, self._first_moment = engines, first_moment
        self._was_open = False
        self.pane: Pane | None = None
        """The open pane."""
        self.panes: dict[str, Pane] = {}
        """The panes that have been opened."""
        self._above: tuple[Region, ...] = (TabLine(), HeaderLine(), VerdictBlock())
        self._below: tuple[Region, ...] = (TimeLine(), OfferLine(), KeyLine())
        self._room = CoveredContainer(id="panes")
        self.prompt = PromptLine()
        self._notice = Static(WAITING, id="notice", markup=False)

    def compose(self) -> ComposeResult:
        yield from self._above
        yield self._room
        yield self.prompt
        yield from self._below
        yield self._notice

    async def on_mount(self) -> None:
        await self.open(Place())
        moment = self._first_moment()
        self.show(moment)
        if moment is not None:  # the first layout is final then, and the first cells that are written have the numbers
            self._divide_pane(moment)
        self.post_message(FrameReady())

    def _divide_pane(self, moment: Moment) -> None:
        """Divide the open pane for the size that the layout is going to give it."""
        if self.pane is not None:
            regions = [region for region in (*self._above, *self._below) if region.display]
            lines = sum(int(height.value) for region in regions if (height := region.styles.height) is not None)
            self.pane.divide(moment, self.size.width, self.size.height - lines)

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Tell Textual that the widgets have the styles that they were mounted with. Matching all rules takes 7 ms."""
        if not self._was_open:
            self._was_open = True
            event.refresh_styles = False

    def on_resize(self) -> None:
        self.post_message(FrameResized())

    def is_too_small(self) -> bool:
        """Return True if the terminal has no room for the frame."""
        return self.size.width < MIN_WIDTH or self.size.height < MIN_HEIGHT

    async def open(self, place: Place) -> None:
        """Show a place; its pane is made if it is new."""
        before, pane = self.pane, self.panes.get(place.pane)
        if pane is None:
            pane = PANES[place.pane].load()(place.pane, self._engines)
            await self._room.mount(pane)
            self.panes[place.pane] = pane
        if pane is not before:
            if before is not None:
                before.display = False
                before.closed()
            pane.display = True
            self.pane = pane
            pane.opened()
        pane.enter(place)

    def show(self, moment: Moment | None) -> None:
        """Draw a moment; None: there is no sample yet."""
        notice = WAITING
        if self.is_too_small():
            size = f"{self.size.width} x {self.size.height}"
            notice = f"The terminal is too small: bpftop needs {MIN_WIDTH} x {MIN_HEIGHT} cells, this is {size}."
        is_notice = moment is None or self.is_too_small()
        if is_notice:
            self._notice.update(notice)
        self.set_class(is_notice, "-notice")
        if moment is None or is_notice:
            return
        self.set_class(bool(offered(moment)), "-offering")
        self.set_class(moment.frame.recorded is not None, "-replay")
        # Toasts stand above the time line and the offer, on every screen alike: a dialogue shows them once more.
        self.app.set_class(self.has_class("-offering") or self.has_class("-replay"), "-two-lines-below")
        for region in (*self._above, *self._below):
            region.show(moment)
        if self.pane is not None:
            self.pane.show(moment)
