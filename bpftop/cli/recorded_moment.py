"""A moment of a recording, for the verbs that make a document of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bpftop.errors import BpftopError

if TYPE_CHECKING:
    from bpftop.model.snapshot import Snapshot
    from bpftop.rules.rule import Rule
    from bpftop.store.recording import Recording


def tick_at(recording: Recording, moment: str | None) -> int:
    """Return the tick of a moment such as ``03:12`` or ``-5m``; None: the last tick. Raises BpftopError."""
    from bpftop.store.time_expressions import moment as wall_clock

    extent = recording.extent()
    if extent is None:
        raise BpftopError(f"{recording.path} has no tick any more: the recorder deleted all of them")
    if not moment:
        return extent.last
    return recording.tick_at(wall_clock(moment, extent.begin_ns, extent.end_ns, extent.last_ns))


def snapshot_at(recording: Recording, moment: str | None, look_back_ns: int, rules: Iterable[Rule] = ()) -> Snapshot:
    """Return the snapshot of a moment as the screen showed it. Raises BpftopError if there is no such tick.

    The ticks from ``look_back_ns`` before the moment are read as well, for rates and rules.
    """
    from bpftop.history.analyzer import Analyzer

    tick = tick_at(recording, moment)
    analyzer = Analyzer(rules)
    for recorded in recording.ticks(recording.first_tick_within(tick, look_back_ns), tick):
        analyzer.push(recorded.sample)
    if analyzer.snapshot is None:
        raise BpftopError(f"{recording.path} has no tick at {moment} any more: the recorder deleted it")
    return analyzer.snapshot
