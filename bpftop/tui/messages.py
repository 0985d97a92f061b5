"""Messages from threads to the app. Immutable, and without values that could be outdated when the message is read."""

from __future__ import annotations

from typing import Final

from textual.message import Message


class SnapshotArrived(Message, bubble=False):
    """The sampling thread has a newer snapshot, or has ended.

    At most one waits in the queue: while the terminal blocks, messages would pile up.
    """

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotArrived)


class MeasurementChanged(Message, bubble=False):
    """A measurement has progressed or ended. At most one waits in the queue."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, MeasurementChanged)


class ActionDone(Message, bubble=False):
    """An action that ran in a thread has ended, with a sentence for the person."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self.sentence: Final = sentence
