"""The collectors of one session: which there are, when each is due, what each costs, and what cannot be read."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from bpftop.errors import BpftopError
from bpftop.model.families import FAMILIES
from bpftop.model.sample import Interface, Key, Reading


class Unavailable(BpftopError):
    """A part that cannot be read here, as a sentence: what, why, and what to do where something can be done."""


class Collector(Protocol):
    """One kernel interface. ``name`` is what `doctor --timing` and ``Sample.unavailable`` call it.

    ``read`` returns readings under ``reading_key(...)``, for the interfaces that are watched, those that are gone left
    out. It raises Unavailable where nothing can be read; what can be read of several things it returns.
    """

    name: str

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]: ...

    def close(self) -> None: ...


@dataclass
class _State:
    due_ns: int = 0
    readings: Mapping[str, Reading] = field(default_factory=dict)
    unavailable: str | None = None
    costs_ns: list[int] = field(default_factory=list)


class Collectors:
    """Reads every collector that is due. ``interval_ns`` is the tick; families that are read less often than that are
    carried over, with the reading before for their rates."""

    def __init__(self, collectors: Iterable[Collector], interval_ns: int) -> None:
        self._states = {collector.name: (collector, _State()) for collector in collectors}
        self._interval_ns = interval_ns

    def read(self, interfaces: Sequence[Interface]) -> tuple[dict[str, Reading], dict[str, str]]:
        """All readings, and what is unavailable with the reason."""
        readings: dict[str, Reading] = {}
        unavailable: dict[str, str] = {}
        for name, (collector, state) in self._states.items():
            self._read(collector, state, interfaces)
            readings.update(state.readings)
            if state.unavailable is not None:
                unavailable[name] = state.unavailable
        return readings, unavailable

    def costs_ns(self) -> dict[str, list[int]]:
        """Collector -> what each of its last reads took, CPU time of this thread."""
        return {name: state.costs_ns for name, (_, state) in self._states.items()}

    def close(self) -> None:
        for collector, _ in self._states.values():
            collector.close()

    def _read(self, collector: Collector, state: _State, interfaces: Sequence[Interface]) -> None:
        now_ns = time.monotonic_ns()
        if now_ns < state.due_ns:
            return
        begin_ns = time.thread_time_ns()
        try:
            found, state.unavailable = collector.read(interfaces), None
        except Unavailable as error:
            found, state.unavailable = {}, str(error)
        state.costs_ns = [*state.costs_ns[-63:], time.thread_time_ns() - begin_ns]
        every_ns = max((FAMILIES[reading.family].every_ns for reading in found.values()), default=0)
        state.due_ns = now_ns + every_ns - self._interval_ns // 2 if every_ns else 0
        slow = every_ns > self._interval_ns
        state.readings = {
            key: replace(one, previous=_without_previous(state.readings.get(key))) if slow else one
            for key, one in found.items()
        }


def _without_previous(reading: Reading | None) -> Reading | None:
    return None if reading is None else replace(reading, previous=None)


class ReadingBuilder:
    """Makes readings of one family; the keys stay the same object while the set of rows is unchanged."""

    def __init__(self, family: str) -> None:
        self._family = FAMILIES[family]
        self._keys: tuple[Key, ...] = ()

    def reading(self, rows: Mapping[Key, Sequence[int | None]], read_ns: int, cost_ns: int, epoch: int = 0) -> Reading:
        """``rows``: key -> a value per column (per CPU of a column, column by column, in a per-CPU family); None is
        unreadable."""
        keys = tuple(rows)
        if keys != self._keys:
            self._keys = keys
        cells = [cell for row in rows.values() for cell in row]
        missing = frozenset(i for i, cell in enumerate(cells) if cell is None)
        values = array("Q", [cell or 0 for cell in cells])
        return Reading(self._family.name, read_ns, cost_ns, epoch, self._keys, values, missing)
