"""What the person chose to look at, and the frame that a pane draws: a moment, its past, that choice. Pure values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from bpftop.history.history import History, MarkedRates
from bpftop.model.sample import Direction
from bpftop.model.snapshot import TOTAL, DirectionTraffic, InterfaceSnapshot, Snapshot
from bpftop.render.rows import Past
from bpftop.tui.actions import ACTIONS, Action

if TYPE_CHECKING:
    from bpftop.render.flow_rows import GroupBy  # it comes with its pane

PaneName = Literal["overview", "cpus", "path", "flows", "profile", "bench", "findings", "help"]


@dataclass(frozen=True)
class Prompt:
    """A question in the last line. ``filter`` and ``seek`` take text, ``offer`` a y or an n about the interface
    ``label``."""

    kind: Literal["filter", "offer", "seek"]
    text: str = ""
    label: str = ""


@dataclass(frozen=True)
class View:
    """Everything that keys change. A pane is a pure function of a frame, and so of this."""

    pane: PaneName = "overview"
    back_to: PaneName = "overview"
    label: str = TOTAL
    """The interface looked at, or the total of all."""
    direction: Direction = "rx"
    sort: str = ""
    """Id of a field; empty is the usual order."""
    reverse: bool = False
    filter: str = ""
    cursor: str = ""
    """Key of the selected row; empty: none."""
    wide: bool = False
    group_by: GroupBy = "flow"
    sample_1_in: int = 1
    """Of so many packets one is looked at for flows."""
    paused: Snapshot | None = None
    mark: MarkedRates | None = None
    prompt: Prompt | None = None
    message: str = ""
    """Shown instead of the hints until the next key."""

    @property
    def flows_1_in(self) -> int:
        """How flows are to be counted: one packet of so many; 0: nobody looks at them."""
        pane = self.back_to if self.pane == "help" else self.pane
        return self.sample_1_in if pane == "flows" else 0

    def opened(self, pane: PaneName) -> View:
        """Another pane; sort order and filter are those of one pane, and the help leaves them alone."""
        back_to = self.back_to if self.pane == "help" else self.pane
        if pane == "help":
            return replace(self, pane=pane, back_to=back_to, cursor="0")  # the line that is on top
        if pane == back_to:
            return replace(self, pane=pane, cursor="")
        return replace(self, pane=pane, back_to=back_to, cursor="", sort="", reverse=False, filter="")

    def looking_at(self, shown: Snapshot, steps: int) -> View:
        """The next interface in the circle total, first, second, ...; with one interface there is no other."""
        labels = [TOTAL, *(w.label for w in shown.interfaces)] if len(shown.interfaces) > 1 else [TOTAL]
        index = labels.index(self.label) if self.label in labels else 0
        return replace(self, label=labels[(index + steps) % len(labels)])

    def moved(self, keys: Sequence[str], steps: int | None, *, last: bool = False) -> View:
        """The cursor ``steps`` rows on; None: to the first row, or the last. The first step selects the first row."""
        if not keys:
            return replace(self, cursor="")
        if steps is None:
            return replace(self, cursor=keys[-1 if last else 0])
        at = keys.index(self.cursor) + steps if self.cursor in keys else 0
        return replace(self, cursor=keys[max(0, min(len(keys) - 1, at))])

    def sorted_by_next(self, ids: Sequence[str]) -> View:
        """The next column of ``ids``, then the usual order again."""
        ring = ["", *ids]
        at = ring.index(self.sort) if self.sort in ring else 0
        return replace(self, sort=ring[(at + 1) % len(ring)], reverse=False)

    def cleared(self) -> View:
        """One thing less, the most recent kind first."""
        if self.pane == "help":
            return replace(self, pane=self.back_to, cursor="")
        if self.message:
            return replace(self, message="")
        if self.cursor:
            return replace(self, cursor="")
        if self.filter:
            return replace(self, filter="")
        return replace(self, paused=None)


@dataclass(frozen=True)
class PaneInput:
    """One drawing of the screen. ``flags`` are the TCP flags that have a row of their own."""

    shown: Snapshot
    history: History
    view: View
    width: int
    height: int
    interval_s: float = 1.0
    live: bool = True
    newest_ns: int = 0
    """mono_ns of the newest snapshot; the shown one may be older."""
    flags: frozenset[str] = frozenset()
    actions: Sequence[Action] = ACTIONS
    """With the keys that the person chose."""
    remarks: tuple[str, ...] = ()
    """Sentences about where the samples come from and go to."""
    recording: bool = False
    playing: bool = True
    speed: int = 1
    """Of a replay."""
    desk: object = None
    """What the pane measures, in a pane that measures on request: its own State."""

    @cached_property
    def watched(self) -> InterfaceSnapshot:
        if self.view.label == TOTAL:
            return self.shown.total
        return self.shown.interface(self.view.label)

    @cached_property
    def traffic(self) -> DirectionTraffic:
        return self.watched.traffic(self.view.direction)

    @cached_property
    def past(self) -> Past:
        return self.past_of(self.watched, self.view.direction)

    def past_of(self, watched: InterfaceSnapshot, direction: Direction) -> Past:
        return Past(self.history, self.shown, watched, direction, self.view.mark)

    @property
    def many(self) -> bool:
        return len(self.shown.interfaces) > 1


def window(keys: Sequence[str], cursor: str, height: int) -> int:
    """The first row to show: the cursor stays in the middle as far as there are rows, and there is no state to keep."""
    at = keys.index(cursor) if cursor in keys else 0
    return max(0, min(at - height // 2, len(keys) - height))
