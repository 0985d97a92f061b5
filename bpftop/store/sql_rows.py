"""Rows of the gains of a tick for SQL: sums over CPUs, interrupts and queues; a gain of zero has no row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bpftop.model.escaping import escaped_text
from bpftop.model.families import FAMILIES, TRAFFIC, Family
from bpftop.model.protocols import protocol_name
from bpftop.model.readings import Cells, Key, Reading, gains, sum_cpus
from bpftop.model.sample import Sample

_INTEGER_MAX = (1 << 63) - 1

StoredNumber = int | float | None


class SeriesLabels(NamedTuple):
    """A row of the table ``series`` without its number. ``counter`` is None for traffic: it has packets and bytes."""

    family: str
    interface: str | None
    direction: str | None
    name: str
    counter: str | None
    kind: str
    unit: str


EarlierReading = tuple[Reading, Cells]
"""A reading, and its cells summed over CPUs."""


class TickRowBuilder:
    """Builds the rows of samples. ``numbers``: the numbers of known series; a new series gets the next number."""

    def __init__(self, numbers: dict[SeriesLabels, int], before: Mapping[str, EarlierReading] | None = None) -> None:
        self.new: list[tuple[int, SeriesLabels]] = []
        """Series numbered since the caller last cleared this list."""
        self.before: dict[str, EarlierReading] = dict(before or {})
        """Reading name -> the last reading, from which the next gains are taken."""
        self._numbers = numbers
        self._columns: dict[str, tuple[tuple[Key, ...], list[int]]] = {}

    def build(self, sample: Sample) -> tuple[dict[int, tuple[StoredNumber, StoredNumber]], dict[int, StoredNumber]]:
        """Return series number -> packets and bytes, and series number -> value of the other families.

        An unknown gain is None, a gain of zero is left out.
        """
        traffic: dict[int, tuple[StoredNumber, StoredNumber]] = {}
        signals: dict[int, StoredNumber] = {}
        for name, reading in sample.readings.items():
            if not FAMILIES[reading.family].in_series:
                continue
            cells = self._added_up(name, reading)
            if reading.family in TRAFFIC:
                packets = list(cells.items())
                traffic.update(
                    (series, (_stored(count), _stored(size)))
                    for (series, count), (_, size) in zip(packets[::2], packets[1::2], strict=True)
                    if count != 0 or size != 0
                )
            else:
                signals.update((series, _stored(value)) for series, value in cells.items() if value != 0)
        for gone in self.before.keys() - sample.readings.keys():
            del self.before[gone]
        return traffic, signals

    def _added_up(self, name: str, reading: Reading) -> dict[int, int | None]:
        """Return series number -> gain, or value of a gauge. Bytes of traffic have the negative of their number."""
        family = FAMILIES[reading.family]
        before, old = self.before.get(name, (None, ()))
        if before is not None and before.read_ns == reading.read_ns:
            return {}  # the same reading as before: its gains are counted already
        now = sum_cpus(reading)
        self.before[name] = reading, now
        cells: Cells = now
        if family.kind == "counter":
            if before is None:
                return {}
            cells = gains(before, old, reading, now) if before.epoch == reading.epoch else [None] * len(now)
        added: dict[int, int | None] = {}
        for series, cell in zip(self._numbers_of(name, family, reading.keys), cells, strict=True):
            known = added.get(series)
            added[series] = cell if known is None else known + (cell or 0)
        return added

    def _numbers_of(self, name: str, family: Family, keys: tuple[Key, ...]) -> list[int]:
        """Return the series number of every cell; negative for the bytes of traffic."""
        known = self._columns.get(name)
        if known is not None and (known[0] is keys or known[0] == keys):
            return known[1]
        numbers = []
        for key in keys:
            if family.name in TRAFFIC:
                number = self._number(_series(family, key, None))
                numbers += [number, -number]
            else:
                numbers += [self._number(_series(family, key, column)) for column in family.columns]
        self._columns[name] = keys, numbers
        return numbers

    def _number(self, series: SeriesLabels) -> int:
        number = self._numbers.get(series)
        if number is None:
            number = self._numbers[series] = len(self._numbers) + 1
            self.new.append((number, series))
        return number


def _series(family: Family, key: Key, counter: str | None) -> SeriesLabels:
    labels = {family.labels[at]: key[at] for at in family.series_labels}
    interface, direction = labels.pop("interface", None), labels.pop("direction", None)
    if "protocol" in labels and isinstance(labels["protocol"], int):
        labels["protocol"] = protocol_name(labels["protocol"])
    name = " ".join(str(value) for value in labels.values())
    column = counter or "packets"
    unit = "ns" if column.endswith("_ns") else next((u for u in ("bytes", "packets") if column.endswith(u)), "count")
    return SeriesLabels(family.name, _text(interface), _text(direction), escaped_text(name), counter, family.kind, unit)


def _text(label: int | str | None) -> str | None:
    return None if label is None else escaped_text(str(label))


def _stored(value: int | None) -> StoredNumber:
    """Return a value that SQLite can store: its integers have 63 bits and a sign."""
    return value if value is None or value <= _INTEGER_MAX else float(value)
