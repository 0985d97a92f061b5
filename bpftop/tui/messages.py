"""Messages from threads to the app. Immutable, and without values that could be outdated when the message is read."""

from __future__ import annotations

from typing import Final

from textual.message import Message

from bpftop.model.packet_filter import PacketFilter
from bpftop.tui.moment import Place


class SnapshotArrived(Message, bubble=False):
    """The sampling thread has a newer snapshot, or has ended.

    At most one waits in the queue: while the terminal blocks, messages would pile up.
    """

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotArrived)


class ActionRequested(Message):
    """The person clicked on something that does the action with this id."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.action: Final = action


class GoTo(Message):
    """The person goes down to another place, and can come back."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place: Final = place


class MomentRequested(Message):
    """The person clicked on a moment of the past; ``mono_ns`` is CLOCK_MONOTONIC."""

    def __init__(self, mono_ns: int) -> None:
        super().__init__()
        self.mono_ns: Final = mono_ns


class InterfaceRequested(Message):
    """The person chose the interface with this label."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label: Final = label


class Said(Message):
    """A sentence for the person, which becomes a toast and stays in the log of messages."""

    def __init__(self, sentence: str, *, is_error: bool = False) -> None:
        super().__init__()
        self.sentence: Final = sentence
        self.is_error: Final = is_error


class FlowsWanted(Message):
    """A pane wants flows counted, one packet of this many; 0: it does not need them any more."""

    def __init__(self, sample_1_in: int) -> None:
        super().__init__()
        self.sample_1_in: Final = sample_1_in


class TopFlowsWanted(Message):
    """A pane wants the busiest flows alone, counted by one packet of this many; 0: it does not need them any more."""

    def __init__(self, sample_1_in: int) -> None:
        super().__init__()
        self.sample_1_in: Final = sample_1_in


class DropsWanted(Message):
    """A pane wants the latest dropped packets of these interfaces; None: it does not need them any more."""

    def __init__(self, wanted: PacketFilter | None, names: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.wanted: Final = wanted
        self.names: Final = names


class CaptureToggled(Message):
    """The person wants dropped packets of these interfaces in a file, or wants the file to end."""

    def __init__(self, wanted: PacketFilter, names: tuple[str, ...], title: str) -> None:
        super().__init__()
        self.wanted: Final = wanted
        self.names: Final = names
        self.title: Final = title


class BpfWanted(Message):
    """A pane wants the BPF programs and maps read at every tick, or does not need them any more."""

    def __init__(self, on: bool) -> None:
        super().__init__()
        self.on: Final = on


class FrameReady(Message):
    """The frame and its first pane are there."""


class FrameResized(Message):
    """The frame has another size."""


class WallTimeRequested(Message):
    """The person clicked on a moment of a recording; ``wall_ns`` is CLOCK_REALTIME."""

    def __init__(self, wall_ns: int) -> None:
        super().__init__()
        self.wall_ns: Final = wall_ns
