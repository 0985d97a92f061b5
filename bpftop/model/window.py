"""Snapshots over several seconds, of which the checks look at a few parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bpftop.fields import computed_once
from bpftop.model.derive import counted_twice, derive_interface, derive_own_cost, derive_total, rate_reading
from bpftop.model.families import TRAFFIC
from bpftop.model.readings import RatedReading
from bpftop.model.sample import Interface, Sample
from bpftop.model.snapshot import InterfaceSnapshot, OwnCost, Snapshot

_set = object.__setattr__


class Window(Snapshot):
    """A snapshot whose parts are derived at their first access. Each part is as in ``derive_snapshot(before, after)``.

    The checks of an interface with traffic ask for that interface, and the checks of the host for the readings of the
    host, while the other 300 interfaces rest.
    """

    _before: Sample
    _after: Sample
    _derived: dict[str, InterfaceSnapshot]

    def __init__(self, before: Sample, after: Sample) -> None:
        _set(self, "_before", before)
        _set(self, "_after", after)
        _set(self, "_derived", {})
        _set(self, "seq", after.seq)
        _set(self, "host", after.host)
        _set(self, "wall_ns", after.wall_ns)
        _set(self, "mono_ns", after.mono_ns)
        _set(self, "interval_ns", after.mono_ns - before.mono_ns)
        _set(self, "possible_cpus", after.possible_cpus)
        _set(self, "online_cpus", after.online_cpus)
        _set(self, "unavailable", after.unavailable)
        _set(self, "readings", _WindowReadings(before, after))
        _set(self, "stage_totals", {})
        _set(self, "loss_peaks", {})
        _set(self, "kernel", after.kernel)

    def interface(self, label: str) -> InterfaceSnapshot:
        """Return the interface of that label, or the total where there is none."""
        derived = self._derived.get(label)
        if derived is None:
            if label not in self._watched:
                return self.total
            derived = self._derived[label] = derive_interface(self._before, self._after, self._watched[label])
        return derived

    @computed_once
    def _watched(self) -> dict[str, Interface]:
        return {interface.label: interface for interface in reversed(self._after.interfaces)}

    @computed_once
    def interfaces(self) -> tuple[InterfaceSnapshot, ...]:
        """All interfaces, in the order of the sample."""
        return tuple([self.interface(each.label) for each in self._after.interfaces])

    @computed_once
    def left_out(self) -> Mapping[str, str]:
        """Label of an interface that is not part of the total -> the reason."""
        return counted_twice(self._after.interfaces)

    @computed_once
    def total(self) -> InterfaceSnapshot:
        """All interfaces together."""
        return derive_total(self.interfaces, self.left_out)

    @computed_once
    def own(self) -> OwnCost:
        """The cost of watching."""
        return derive_own_cost(self._before, self._after)


class _WindowReadings(Mapping[str, RatedReading]):
    """Name -> reading with its rates, for every family except the interfaces' traffic."""

    __slots__ = ("_after", "_before", "_rated")

    def __init__(self, before: Sample, after: Sample) -> None:
        self._before, self._after = before.readings, after.readings
        self._rated: dict[str, RatedReading] = {}

    def __getitem__(self, name: str) -> RatedReading:
        rated = self._rated.get(name)
        if rated is None:
            reading = self._after[name]
            if reading.family in TRAFFIC:
                raise KeyError(name)
            rated = self._rated[name] = rate_reading(self._before.get(name), reading)
        return rated

    def __iter__(self) -> Iterator[str]:
        return (name for name, reading in self._after.items() if reading.family not in TRAFFIC)

    def __len__(self) -> int:
        return sum(1 for _ in self)
