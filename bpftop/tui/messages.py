"""What threads tell the app. Frozen, and with nothing in them that could be old by the time they are read."""

from __future__ import annotations

from typing import Final

from textual.message import Message


class SnapshotArrived(Message, bubble=False):
    """The feed has something newer. It carries nothing, and only one waits at a time: behind a terminal that stands
    still snapshots would pile up."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotArrived)


class Measured(Message, bubble=False):
    """A run that measures has come further, or has ended. As with ticks, only one waits."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Measured)


class Done(Message, bubble=False):
    """What an action that ran in a thread of its own has to say."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self.sentence: Final = sentence
