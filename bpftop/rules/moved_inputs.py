"""The inputs of checks that moved lately: a check whose inputs all rest need not be asked again.

An input is named by the finest of these that a check needs: a stack counter (``TcpRetransSegs``), a column
(``links.rx_crc_errors``), a family (``drops``), TRAFFIC, the frames that bpftop's own programs count, or DEVICE. A
check of an interface has its own inputs only; any other check the inputs of all interfaces.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from bpftop.model.families import FAMILIES, PROTOCOLS
from bpftop.model.readings import RatedReading, Reading, pair_readings
from bpftop.model.sample import DIRECTIONS, Sample, reading_key
from bpftop.model.snapshot import Snapshot
from bpftop.model.stack_counters import STACK, family_of
from bpftop.rules.rule import Rule

TRAFFIC = "traffic"
"""Frames of an interface, received or sent."""

DEVICE = "device"
"""State, speed and facts of an interface. They are inputs of every check: a change is another ``shape``."""

_OF_INTERFACES = (TRAFFIC, DEVICE)


class MovedInputs:
    """The inputs that gained or changed in the time of the rates, by the label of their interface.

    ``shape`` is a number that grows whenever other readings can be read than before, or an interface comes, goes, or
    changes in any way: then nothing that was known about a check holds any more.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.shape = 0
        self._own, self._shared = {}, {}
        for rule in rules:
            own = frozenset(name for name in rule.woken_by if rule.scope == "interface" and _is_of_interface(name))
            self._own[rule.id], self._shared[rule.id] = own, frozenset(rule.woken_by) - own
        self._families = {_family(name) for rule in rules for name in rule.woken_by}
        self._moved_ns: dict[str, dict[str, int]] = {}
        self._are_known = False
        self._before: Mapping[str, Reading] = {}
        self._described: tuple[object, ...] = ()

    def push(self, sample: Sample, last_interval: Snapshot, since_ns: int | None) -> None:
        """Take in the newest sample, and its snapshot against the sample before.

        ``since_ns`` is the begin of the time of the rates; None: there has not been so much time yet.
        """
        described = (tuple(sample.readings), sample.unavailable, sample.interfaces)
        if described != self._described:
            self._described = described
            self.shape += 1
        now_ns = sample.mono_ns
        for name, rated in last_interval.readings.items():
            if rated.reading.family in self._families and (moved := _moved(name, rated)):
                label = name.partition("/")[2]
                self._note(label, moved, now_ns)
                if label:
                    self._note("", moved, now_ns)
        for interface in sample.interfaces:
            if _has_traffic(interface.label, self._before, sample.readings):
                self._note(interface.label, (TRAFFIC,), now_ns)
        self._before = sample.readings
        self._are_known = since_ns is not None
        if since_ns is not None:
            self._forget(since_ns)

    def rest(self, rule: Rule, label: str) -> bool:
        """Return True if no input of a check moved; ``label``: its interface, empty where it is a check of none."""
        own, shared, moved_ns = self._own[rule.id], self._shared[rule.id], self._moved_ns
        if not self._are_known or not rule.woken_by:
            return False
        return shared.isdisjoint(moved_ns.get("", ())) and own.isdisjoint(moved_ns.get(label, ()))

    def _note(self, label: str, names: Iterable[str], now_ns: int) -> None:
        moved = self._moved_ns.setdefault(label, {})
        for name in names:
            moved[name] = now_ns

    def _forget(self, since_ns: int) -> None:
        """Forget what has not moved since."""
        for label, moved in list(self._moved_ns.items()):
            for name in [name for name, moved_ns in moved.items() if moved_ns <= since_ns]:
                del moved[name]
            if not moved:
                del self._moved_ns[label]


def _family(name: str) -> str:
    """Return the family of an input; TRAFFIC and DEVICE are none."""
    family = name.partition(".")[0]
    return family if family in FAMILIES or family in _OF_INTERFACES else family_of(name)


def _is_of_interface(name: str) -> bool:
    family = _family(name)
    return family in _OF_INTERFACES or FAMILIES[family].scope == "interface"


def _moved(name: str, rated: RatedReading) -> Collection[str]:
    """Return the inputs of a reading that moved in the interval, or may have moved, without their interface."""
    moved = None if rated.pair is None else rated.pair.moved
    if name in STACK:
        return [str(key[0]) for key in (rated.keys if moved is None else moved)]
    if moved is not None and not moved:
        return ()
    family = rated.reading.family
    columns = FAMILIES[family].columns
    return [family, *[f"{family}.{column}" for column in (columns if moved is None else moved)]]


def _has_traffic(label: str, before: Mapping[str, Reading], after: Mapping[str, Reading]) -> bool:
    """Return True unless the interface is known to have received and sent no frame in the interval."""
    for direction in DIRECTIONS:
        name = reading_key(PROTOCOLS, label, direction)
        pair = pair_readings(before.get(name), after.get(name))
        if pair is None or not pair.is_still:
            return True
    return False
