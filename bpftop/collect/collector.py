"""Collectors and their schedule: when each is due, what each costs, and which cannot be read."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, cast

from bpftop.errors import BpftopError
from bpftop.fields import field, mutable, replace
from bpftop.model.families import FAMILIES
from bpftop.model.readings import NONE_MISSING
from bpftop.model.sample import Interface, Key, Reading

CounterRows = Mapping[Key, Sequence[int | None]]
"""Key -> a value per column (per CPU of a column, column by column, in a per-CPU family); None is unreadable."""


class Unavailable(BpftopError):
    """A part that cannot be read here, as a sentence: what failed, why, and what to do where something can be done."""


class Collector(Protocol):
    """A reader of one kernel interface.

    ``name`` is the collector's name in `doctor --timing` and in ``Sample.unavailable``. ``read`` returns readings under
    ``reading_key(...)`` for the watched interfaces, without interfaces that are gone. The same mapping as before means
    that there is nothing newer yet, an empty one that there is nothing at all yet. It raises Unavailable only where
    nothing can be read.
    """

    name: str

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]: ...

    def close(self) -> None: ...


@mutable
class _State:
    due_ns: int = 0
    every_ns: int | None = None
    returned: Mapping[str, Reading] | None = None
    readings: Mapping[str, Reading] = field(default_factory=dict)
    unavailable: str | None = None


class Collectors:
    """The collectors of one session, each read when it is due.

    ``interval_ns`` is the tick. The readings of a collector that is read less often stay in the samples between, each
    with its previous reading for the rates.
    """

    def __init__(self, collectors: Iterable[Collector], interval_ns: int) -> None:
        self._states = {collector.name: (collector, _State()) for collector in collectors}
        self.interval_ns = interval_ns

    def add(self, collectors: Iterable[Collector]) -> None:
        """Read these collectors, too, from now on."""
        self._states |= {collector.name: (collector, _State()) for collector in collectors}

    def replace(self, name: str, collector: Collector | None, every_ns: int | None = None) -> None:
        """Close the collector of that name, if any, and read another one from now on, if any.

        ``every_ns`` is the least time between its readings; None: the least time of its families.
        """
        before = self._states.pop(name, None)
        if before is not None:
            before[0].close()
        if collector is not None:
            self._states[name] = collector, _State(every_ns=every_ns)

    def read(self, interfaces: Sequence[Interface]) -> tuple[dict[str, Reading], dict[str, str]]:
        """Return all readings, and collector -> reason for the collectors that cannot be read."""
        readings: dict[str, Reading] = {}
        unavailable: dict[str, str] = {}
        for name, (collector, state) in self._states.items():
            self._read(collector, state, interfaces)
            readings.update(state.readings)
            if state.unavailable is not None:
                unavailable[name] = state.unavailable
        return readings, unavailable

    def close(self) -> None:
        for collector, _ in self._states.values():
            collector.close()

    def _read(self, collector: Collector, state: _State, interfaces: Sequence[Interface]) -> None:
        now_ns = time.monotonic_ns()
        if now_ns < state.due_ns:
            return
        try:
            readings, state.unavailable = collector.read(interfaces), None
        except Unavailable as error:
            readings, state.unavailable = {}, str(error)
        if readings is state.returned:
            return
        state.returned = readings
        every_ns = state.every_ns
        if every_ns is None:
            every_ns = max([FAMILIES[reading.family].every_ns for reading in readings.values()], default=0)
        state.due_ns = 0
        if every_ns and readings:
            # From the time of the read on: a background collector may have read some time before this tick.
            read_ns = max([reading.read_ns for reading in readings.values()])
            state.due_ns = read_ns + every_ns - self.interval_ns // 2
        if every_ns > self.interval_ns:
            readings = {
                key: replace(reading, previous=_without_previous(state.readings.get(key)))
                if reading.previous is None
                else reading
                for key, reading in readings.items()
            }
        state.readings = readings


def _without_previous(reading: Reading | None) -> Reading | None:
    return None if reading is None else replace(reading, previous=None)


class ReadingBuilder:
    """A builder of readings of one family. Keys and values stay the same objects while they are equal."""

    def __init__(self, family: str) -> None:
        self._family = FAMILIES[family]
        self._keys: dict[str, tuple[Key, ...]] = {}
        self._values: dict[str, array[int]] = {}

    def reading(self, rows: CounterRows, read_ns: int, cost_ns: int, epoch: int = 0, label: str = "") -> Reading:
        """Return the rows as a reading. ``label``: the interface, for rows of an interface.

        Raises OverflowError for a number that no cell holds.
        """
        keys = tuple(rows)
        if keys != self._keys.get(label):
            self._keys[label] = keys
        cells = [cell for row in rows.values() for cell in row]
        missing = NONE_MISSING
        if None in cells:
            missing = frozenset([i for i, cell in enumerate(cells) if cell is None])
            cells = [cell or 0 for cell in cells]
        values = array("Q", cast("list[int]", cells))
        if values == self._values.get(label):
            values = self._values[label]
        else:
            self._values[label] = values
        return Reading(self._family.name, read_ns, cost_ns, epoch, self._keys[label], values, missing)
