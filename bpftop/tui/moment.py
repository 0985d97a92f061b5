"""The input of one drawing of the screen: a snapshot, its past, and the choices that all panes share. Immutable."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence

from bpftop.fields import computed_once, field, frozen
from bpftop.history.history import History, MarkedRates
from bpftop.model.captured_packet import DroppedPackets
from bpftop.model.sample import DIRECTIONS, Direction
from bpftop.model.snapshot import TOTAL, DirectionTraffic, InterfaceSnapshot, Snapshot
from bpftop.render.path_rows import StageLine, stage_lines
from bpftop.render.selection import Selection
from bpftop.render.traffic_rows import Past
from bpftop.tui.actions import ACTIONS, Action


@frozen
class Choices:
    """The choices of the person that all panes share."""

    label: str = TOTAL
    """Label of the selected interface, or TOTAL."""
    direction: Direction = "rx"
    paused: Snapshot | None = None
    mark: MarkedRates | None = None
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Pane -> ids of the columns that its table shows beside the first one; a pane without an entry shows all."""
    dismissed_offer: str = ""
    """The offer that the person does not want to see any more."""
    hidden_notices: frozenset[str] = frozenset()
    """The notices, without their numbers, that the person does not want to see in the verdict any more."""


@frozen
class Place:
    """A pane, and the row whose details it shows. The person goes down from place to place, and back."""

    pane: str = "overview"
    title: str = ""
    """The step that leads here, for the first line of the screen."""
    row: str = ""
    """Key of the row whose details are shown; empty: the pane itself."""
    filter: str = ""
    """Filter of the pane's table."""
    subject: str = ""
    """In Measure: the id of the BPF map to measure copies of, when the person comes here."""


@frozen
class RecordedTimes:
    """Extent, findings and gaps of a recording, for its time line; all times are of the wall clock."""

    begin_ns: int
    end_ns: int
    findings: Sequence[tuple[int, str, str]] = ()
    """Time at which each finding was raised, its severity, and its title, the latest first."""
    gaps: Sequence[tuple[int, int]] = ()
    """Begin and end of the times without a tick."""


@frozen
class Frame:
    """Content of the lines around every pane: tabs, way back, marks, keys, remarks."""

    place: Place = Place()
    tabs: Sequence[tuple[str, str]] = ()
    """Id of the action that opens a pane, and title of its tab."""
    trail: tuple[str, ...] = ()
    """The way to the open place, one title per step; empty: the pane was opened directly."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """Pane -> the words in its tab."""
    hints: Sequence[tuple[str, str]] = ()
    """Action id and word, for the line of keys; the open pane's come first."""
    actions: Sequence[Action] = ACTIONS
    """The actions with the keys that the person configured."""
    recorded: RecordedTimes | None = None
    """The times of the recording that is replayed."""
    recording: str = ""
    """Size and duration of the recording that is being made; empty: there is none."""
    capturing: str = ""
    """Size of the file of packets that is being written; empty: there is none."""
    dropped: DroppedPackets | None = None
    """The latest dropped packets of the row that is shown; None where nobody looks at them."""
    remarks: tuple[str, ...] = ()
    """Sentences about the source of the samples and about the recording."""

    def key_of(self, action: str) -> str:
        """Return the first key of an action, as the screen shows it; empty if the action has no key."""
        found = self._actions_by_id.get(action)
        return "" if found is None else found.first_key

    @computed_once
    def _actions_by_id(self) -> dict[str, Action]:
        return {action.id: action for action in reversed(self.actions)}


@frozen
class Moment:
    """Everything that one drawing of the screen depends on.

    ``history`` may be read only with ``lock`` held. ``newest_ns`` is the mono_ns of the newest snapshot; ``snapshot``
    is older while the screen is paused. ``speed``: of a replay.
    """

    snapshot: Snapshot
    history: History
    choices: Choices = Choices()
    frame: Frame = Frame()
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    interval_s: float = 1.0
    live: bool = True
    newest_ns: int = 0
    playing: bool = True
    speed: int = 1
    flags: frozenset[str] = frozenset()
    """TCP flags that have a row of their own."""

    @computed_once
    def interface(self) -> InterfaceSnapshot:
        """Return the selected interface, or the total of all interfaces."""
        return self.snapshot.total if self.choices.label == TOTAL else self.snapshot.interface(self.choices.label)

    @property
    def direction(self) -> Direction:
        """Return the selected direction."""
        return self.choices.direction

    @property
    def mark(self) -> MarkedRates | None:
        """Return the rates at the moment that the person marked."""
        return self.choices.mark

    @computed_once
    def traffic(self) -> DirectionTraffic:
        """Return the selected direction of the selected interface."""
        return self.interface.traffic(self.direction)

    @computed_once
    def past(self) -> Past:
        """Return the past of ``traffic``."""
        return self.past_of(self.direction)

    def past_of(self, direction: Direction) -> Past:
        """Return the past of one direction of the selected interface."""
        return Past(self.snapshot, self.interface, self.history, self.mark, direction)

    @computed_once
    def selection(self) -> Selection:
        """Return what the rows of the path are made from."""
        return Selection(self.snapshot, self.interface, self.history, self.mark)

    @computed_once
    def stages(self) -> list[StageLine]:
        """Return a row per stage of the path, in the order of the path."""
        return stage_lines(self.selection)

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


def next_label(snapshot: Snapshot, label: str, steps: int) -> str:
    """Return the label ``steps`` further in the ring total, first, second, ...; a single interface stays."""
    labels = [TOTAL, *(i.label for i in listed(snapshot.interfaces))] if len(snapshot.interfaces) > 1 else [TOTAL]
    index = labels.index(label) if label in labels else 0
    return labels[(index + steps) % len(labels)]
