"""A scenario: a fault with the cells of the signals that it moves, and how fast.

    with Lab(quiet=True) as lab, SynFlood(lab) as fault:      # prepared, nothing flows yet
        fault.begin()
        ...
        fault.end()                                           # at once; what it changed is undone at the end of `with`

The faults that the demo offers are in bpftop.demo.faults; their scenarios here add what moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bpftop.demo.faults.fault import Fault
from bpftop.model.stack_counters import family_of
from tests.faults.losses import Gain


@dataclass(frozen=True)
class Cell:
    """Cells of a family by the key's labels, None for any, and the column. ``per_sec`` is the least gain per second."""

    family: str
    key: tuple[int | str | None, ...]
    column: str
    per_sec: float = 0.0

    def matches(self, gain: Gain) -> bool:
        return (
            gain.family == self.family
            and gain.column == self.column
            and len(gain.key) == len(self.key)
            and all(wanted in (None, label) for wanted, label in zip(self.key, gain.key, strict=True))
        )


def counter(name: str, per_sec: float = 0.0) -> Cell:
    """Return a counter of the stack, by the name that nstat gives it."""
    return Cell(family_of(name), (name,), "count", per_sec)


def drop(reason: str, per_sec: float = 0.0) -> Cell:
    """Packets dropped for a reason by the kernel's name."""
    return Cell("drops", (None, reason), "packets", per_sec)


class Scenario(Fault):
    """The subclass says what moves, and makes its workers in ``prepare``."""

    moves: ClassVar[Sequence[Cell]]
    """Each of these gains at least ``per_sec``."""
    may_move: ClassVar[Sequence[Cell]] = ()
    """Losses that are a direct consequence, or not for sure."""
    finding: ClassVar[str] = ""
    """Id of the finding, if it differs from ``id``."""
    companions: ClassVar[Sequence[str]] = ()
    """Ids of findings that are right as well, and are not explained by this one."""
    compares: ClassVar[bool] = False
    """Its rule has no form without a baseline."""
    follows_calm: ClassVar[bool] = False
    """It takes the time of a baseline before the fault, in which its traffic is served."""
    ipv6: ClassVar[bool] = False
    """Needs a lab that is not quiet."""

    @classmethod
    def finds(cls) -> str:
        """Return the id of the finding."""
        return cls.finding or cls.id
