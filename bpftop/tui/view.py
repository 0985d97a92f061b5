"""The person's choices (View) and the input that a pane draws from (PaneInput). Immutable values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from bpftop.history.history import History, MarkedRates
from bpftop.model.sample import DIRECTIONS, Direction
from bpftop.model.snapshot import TOTAL, DirectionTraffic, InterfaceSnapshot, Snapshot
from bpftop.render.rows import Past
from bpftop.render.selection import Selection
from bpftop.tui.actions import ACTIONS, Action

if TYPE_CHECKING:
    from bpftop.render.flow_rows import GroupBy  # imported with the pane of flows

PaneName = Literal["overview", "cpus", "path", "flows", "profile", "bench", "findings", "help"]


@dataclass(frozen=True)
class Prompt:
    """A question in the last line: ``filter`` and ``seek`` read text, ``offer`` asks y or n about ``label``."""

    kind: Literal["filter", "offer", "seek"]
    text: str = ""
    label: str = ""


@dataclass(frozen=True)
class View:
    """Everything that keys change."""

    pane: PaneName = "overview"
    back_to: PaneName = "overview"
    """The pane behind the help."""
    label: str = TOTAL
    """Label of the selected interface, or TOTAL."""
    direction: Direction = "rx"
    sort: str = ""
    """Id of the column to sort by; empty: the pane's own order."""
    reverse: bool = False
    filter: str = ""
    cursor: str = ""
    """Key of the selected row; empty: no row is selected."""
    wide: bool = False
    group_by: GroupBy = "flow"
    sample_1_in: int = 1
    """Count one packet of this many for the pane of flows."""
    paused: Snapshot | None = None
    mark: MarkedRates | None = None
    prompt: Prompt | None = None
    message: str = ""
    """Replaces the key hints until the next key."""

    @property
    def flows_1_in(self) -> int:
        """Return the sampling rate of flows, 1 in N; 0 while the pane of flows is closed."""
        pane = self.back_to if self.pane == "help" else self.pane
        return self.sample_1_in if pane == "flows" else 0

    def opened(self, pane: PaneName) -> View:
        """Return the view of another pane. Sort order and filter end with their pane; the help keeps both."""
        back_to = self.back_to if self.pane == "help" else self.pane
        if pane == "help":
            return replace(self, pane=pane, back_to=back_to, cursor="0")  # the cursor of the help is its top line
        if pane == back_to:
            return replace(self, pane=pane, cursor="")
        return replace(self, pane=pane, back_to=back_to, cursor="", sort="", reverse=False, filter="")

    def with_next_interface(self, snapshot: Snapshot, steps: int) -> View:
        """Select the interface ``steps`` further in the ring total, first, second, ...; a single interface stays."""
        labels = [TOTAL, *(i.label for i in listed(snapshot.interfaces))] if len(snapshot.interfaces) > 1 else [TOTAL]
        index = labels.index(self.label) if self.label in labels else 0
        return replace(self, label=labels[(index + steps) % len(labels)])

    def moved(self, keys: Sequence[str], steps: int | None, *, last: bool = False) -> View:
        """Move the cursor by ``steps`` rows. None: to the first row, or to the last. The first step selects a row."""
        if not keys:
            return replace(self, cursor="")
        if steps is None:
            return replace(self, cursor=keys[-1 if last else 0])
        at = keys.index(self.cursor) + steps if self.cursor in keys else 0
        return replace(self, cursor=keys[max(0, min(len(keys) - 1, at))])

    def sorted_by_next(self, ids: Sequence[str]) -> View:
        """Sort by the column after the current one; after the last column, in the pane's own order."""
        ring = ["", *ids]
        at = ring.index(self.sort) if self.sort in ring else 0
        return replace(self, sort=ring[(at + 1) % len(ring)], reverse=False)

    def cleared(self) -> View:
        """Undo one choice: leave the help, else end the message, the selection, the filter or the pause."""
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
    """Everything that one drawing of the screen depends on."""

    snapshot: Snapshot
    history: History
    view: View
    width: int
    height: int
    interval_s: float = 1.0
    live: bool = True
    newest_ns: int = 0
    """mono_ns of the newest snapshot; ``snapshot`` is older while the screen is paused."""
    flags: frozenset[str] = frozenset()
    """TCP flags that have a row of their own."""
    actions: Sequence[Action] = ACTIONS
    """The actions with the keys that the person configured."""
    remarks: tuple[str, ...] = ()
    """Sentences about the source of the samples and about the recording."""
    recording: bool = False
    playing: bool = True
    speed: int = 1
    """Speed of a replay."""
    measurement_state: object = None
    """State of the pane's Measurement; None for a pane that measures nothing."""

    @cached_property
    def interface(self) -> InterfaceSnapshot:
        """Return the selected interface, or the total of all interfaces."""
        return self.snapshot.total if self.view.label == TOTAL else self.snapshot.interface(self.view.label)

    @cached_property
    def traffic(self) -> DirectionTraffic:
        """Return the selected direction of the selected interface."""
        return self.interface.traffic(self.view.direction)

    @cached_property
    def past(self) -> Past:
        """Return the past of ``traffic``."""
        return self.past_of(self.view.direction)

    def past_of(self, direction: Direction) -> Past:
        """Return the past of one direction of the selected interface."""
        return Past(self.snapshot, self.interface, self.history, self.view.mark, direction)

    @property
    def selection(self) -> Selection:
        """Return what the rows of the path are made from."""
        return Selection(self.snapshot, self.interface, self.history, self.view.mark)

    @property
    def has_many_interfaces(self) -> bool:
        """Return True if more than one interface is watched."""
        return len(self.snapshot.interfaces) > 1

    @property
    def shows_total(self) -> bool:
        """Return True if the total of several interfaces is selected."""
        return self.has_many_interfaces and self.interface is self.snapshot.total

    @property
    def without_program(self) -> bool:
        """Return True if no program counts either direction of the selected interfaces."""
        selected = self.snapshot.interfaces if self.interface is self.snapshot.total else (self.interface,)
        return all(interface.traffic(d).hook.hook == "none" for interface in selected for d in DIRECTIONS)


MANY = 6
"""Number of interfaces above which the busiest ones are listed first."""


def listed(interfaces: Sequence[InterfaceSnapshot]) -> list[InterfaceSnapshot]:
    """Return the interfaces in the order of the list: as on the command line; of many, the busiest first.

    Rates within a factor of two count as equal, so that rows do not change places with every tick.
    """
    return sorted(interfaces, key=_rank) if len(interfaces) > MANY else list(interfaces)


def _rank(interface: InterfaceSnapshot) -> int:
    rates = (traffic.totals.packets_per_sec or 0.0 for traffic in (interface.rx, interface.tx))
    return -int(math.log2(sum(rates) + 1))


def first_visible(keys: Sequence[str], cursor: str, height: int) -> int:
    """Return the index of the top row so that the cursor is in the middle. Derived, so scrolling keeps no state."""
    at = keys.index(cursor) if cursor in keys else 0
    return max(0, min(at - height // 2, len(keys) - height))
