"""Samples of the past, with totals instead of cells per CPU, and in few bytes where nothing changed."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping

from bpftop.fields import replace
from bpftop.model.families import FAMILIES
from bpftop.model.readings import Reading
from bpftop.model.sample import Sample


class PastReadings(Mapping[str, Reading]):
    """The readings of a past sample that checks take rates from.

    While the values of a reading stay the same, all past samples refer to one object and keep nothing but the time: of
    300 interfaces most are idle, and each has 16 readings in each of the 7 samples of the last 5 s. A reading with its
    own time is made at each access. Its ``cost_ns`` is the cost of the first reading with these values.

    Args:
        readings: The readings of the sample.
        newer_than: The readings of the past sample before, whose objects are shared.
        sources: The readings from which ``newer_than`` was made.
    """

    __slots__ = ("_kept", "_places", "_times_ns")

    def __init__(
        self,
        readings: Mapping[str, Reading],
        newer_than: PastReadings | None = None,
        sources: Mapping[str, Reading] | None = None,
    ) -> None:
        names = [name for name, reading in readings.items() if FAMILIES[reading.family].checked_over_time]
        chosen = [readings[name] for name in names]
        self._times_ns = array("q", [reading.read_ns for reading in chosen])
        if newer_than is None or sources is None:
            self._places = {name: place for place, name in enumerate(names)}
            self._kept = [reading.without_cpu_cells() for reading in chosen]
            return
        same_names = names == list(newer_than._places)
        self._places = newer_than._places if same_names else {name: place for place, name in enumerate(names)}
        before = newer_than._kept if same_names else [newer_than._kept_as(name) for name in names]
        self._kept = [
            kept if kept is not None and _same_but_time(sources[name], reading) else reading.without_cpu_cells()
            for name, kept, reading in zip(names, before, chosen, strict=True)
        ]

    def __getitem__(self, name: str) -> Reading:
        place = self._places[name]
        kept, read_ns = self._kept[place], self._times_ns[place]
        return kept if kept.read_ns == read_ns else kept.read_again_at(read_ns, kept.cost_ns)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def _kept_as(self, name: str) -> Reading | None:
        place = self._places.get(name)
        return None if place is None else self._kept[place]


def _same_but_time(before: Reading, after: Reading) -> bool:
    """Return True if two readings have the same values (one object) and keys, and rates may be taken across both."""
    return (
        before.values is after.values
        and before.keys == after.keys
        and before.epoch == after.epoch
        and before.missing == after.missing
    )


def past_sample(sample: Sample, before: Sample | None = None, past: Sample | None = None) -> Sample:
    """Return the sample with totals instead of cells per CPU: a tenth of its size on many CPUs, with the same rates.

    It shares all values that have not changed since the sample ``before`` with ``past``, its result.
    """
    shared = None if past is None or not isinstance(past.readings, PastReadings) else past.readings
    sources = None if before is None else before.readings
    return replace(sample, readings=PastReadings(sample.readings, shared, sources), interfaces=())
