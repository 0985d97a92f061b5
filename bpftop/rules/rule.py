"""The rule, the input of its check, and the result of its check."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import NoReturn

from bpftop.fields import field, frozen, frozen_often
from bpftop.model.families import Scope
from bpftop.model.findings import Severity
from bpftop.model.readings import RatedReading
from bpftop.model.sample import DOES_NOT_APPLY, Key
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot
from bpftop.model.stack_counters import family_of

NO_RATE = "no rate yet: it needs two readings 3 s apart"
NO_BASELINE = "no baseline yet: it compares with what was before, and needs 15 s of that"

CLEAR_SHARE = 0.7
"""Clear level of a limit that names none, as a share of its raise level."""


class InputUnavailable(Exception):
    """An input of the rule cannot be read here. The text names the input and the reason.

    ``applies`` False: the input does not exist here (no such device, module or protocol), so that nothing is missed.
    """

    def __init__(self, why: str, *, applies: bool = True) -> None:
        super().__init__(why)
        self.applies = applies and DOES_NOT_APPLY not in why


class NotEnoughData(Exception):
    """The rule needs more samples. The text names the missing input: a rate, a baseline, time."""

    def __init__(self, why: str = NO_RATE) -> None:
        super().__init__(why)


@frozen
class Limit:
    """A number of a rule: a finding is raised at ``raised`` and cleared below ``clear``.

    ``source`` names a tool that has the same limit, or the reason for the number.
    """

    raised: float
    clear: float | None = None
    unit: str = ""
    source: str = ""

    def level(self, clearing: bool) -> float:
        """Return the clear level while a finding clears, else the raise level."""
        if not clearing:
            return self.raised
        return self.raised * CLEAR_SHARE if self.clear is None else self.clear


@frozen
class Headline:
    """The number that a finding is about, and the name of the limit that the number is compared with.

    ``value`` returns the number in any interval; None where the interval has too little to judge. ``over_s`` are the
    seconds over which the rule compares the number, where these are more than the 3 s and 5 s of all rules.
    """

    name: str
    limit: str
    value: Callable[[RuleInput], float | None]
    over_s: float = 0.0


@frozen
class Raised:
    """Result of a check whose condition holds.

    ``evidence`` are sentences with numbers. ``why`` is the first cause that has evidence; empty where none has. With a
    ``headline`` the engine shows the number of the last interval beside its peak.
    """

    severity: Severity
    title: str
    evidence: tuple[str, ...]
    why: str = ""
    headline: Headline | None = None


@frozen_often
class RuleInput:
    """Input of a check: a snapshot with rates over 3 s (5 s while a finding clears), and the rule's limits.

    ``mean(measure, seconds, until_s)`` returns the mean of one of the rule's measures over ``seconds`` that ended
    ``until_s`` ago, or None.
    """

    snapshot: Snapshot
    limits: Mapping[str, Limit]
    clearing: bool = False
    interface_snapshot: InterfaceSnapshot | None = None
    mean: Callable[[str, float, float], float | None] = lambda name, seconds, until_s: None
    recent: Callable[[str, float], Sequence[tuple[float, float]]] = lambda name, seconds: ()
    """Measure, seconds -> (seconds known, events) of each interval, the oldest first; none where less is known."""
    baselines: Mapping[str, float] = field(default_factory=dict)
    """Measure -> its mean in the minute before; frozen while the finding stands. An unknown baseline is absent."""
    last_interval: Snapshot | None = None
    """Snapshot of the last interval, for cells per CPU: older samples are kept without them."""

    def limit(self, name: str) -> float:
        """Return the level of a limit that applies now: the clear level while a finding clears."""
        return self.limits[name].level(self.clearing)

    @property
    def interface(self) -> InterfaceSnapshot:
        """The interface of a rule whose scope is an interface."""
        assert self.interface_snapshot is not None, "a rule of scope interface is checked for an interface"
        return self.interface_snapshot

    def reading(self, family: str, *where: str) -> RatedReading:
        """Return a reading. Raises InputUnavailable with the sample's reason."""
        reading = self.snapshot.reading(family, *where)
        if reading is None:
            self.raise_unavailable(family)
        return reading

    def rate(self, family: str, key: Key, column: str, *where: str) -> float:
        """Return the rate per second of one cell. Raises InputUnavailable, NotEnoughData."""
        value, rate = self.reading(family, *where).value_and_rate(key, column)
        if value is None:
            raise InputUnavailable(f"{'/'.join(map(str, key)) or column} is not there on this kernel")
        if rate is None:
            raise NotEnoughData
        return rate

    def rates(self, family: str, column: str, *where: str) -> dict[Key, float]:
        """Return the rows whose rate is above zero. Raises InputUnavailable, NotEnoughData."""
        if self.reading(family, *where).elapsed_ns is None:
            raise NotEnoughData
        return dict(rates_above_zero(self.snapshot, family, column, *where))

    def count(self, counter: str) -> float:
        """Return the rate per second of a stack counter, by its nstat name. Raises InputUnavailable, NotEnoughData."""
        rate = self.snapshot.counter_rates.get(counter)
        return self.rate(family_of(counter), (counter,), "count") if rate is None else rate

    def counts(self, *counters: str) -> float:
        """Return the sum of the rates of stack counters. Counters of IPv6 are zero on a host without IPv6."""
        total, rates = 0.0, self.snapshot.counter_rates
        for counter in counters:
            rate = rates.get(counter)
            if rate is None and family_of(counter) == "snmp6" and self.snapshot.reading("snmp6") is None:
                continue
            total += self.count(counter) if rate is None else rate
        return total

    def counts_available(self, *counters: str) -> float:
        """Return the sum of the rates of those stack counters that can be read here. Raises NotEnoughData."""
        return sum(if_available(partial(self.counts, counter)) or 0.0 for counter in counters)

    def drops_by_interface(self, reasons: Collection[str]) -> dict[str, float]:
        """Return interface -> packets per second dropped for these reasons; empty where the kernel names no reasons."""
        rates: dict[str, float] = {}
        for key, rate in rates_above_zero(self.snapshot, "drops", "packets"):
            if key[1] in reasons:
                name = str(key[0]) or "elsewhere"
                rates[name] = rates.get(name, 0.0) + rate
        return rates

    def level(self, family: str, key: Key, column: str, *where: str) -> int:
        """Return the value of a gauge. Raises InputUnavailable."""
        value = self.reading(family, *where).value(key, column)
        if value is None:
            raise InputUnavailable(f"{key[0] if key else column} is not shown here ({family})")
        return value

    def link(self, *columns: str) -> float:
        """Return the sum of rtnetlink counters of the interface, per second. Raises InputUnavailable, NotEnoughData."""
        return sum(self.rate("links", (self.interface.label,), column, self.interface.label) for column in columns)

    def raise_unavailable(self, family: str) -> NoReturn:
        """Raise InputUnavailable with the reason that the sample gives for a family."""
        raise InputUnavailable(self.snapshot.why_unavailable(family) or f"{family} is not read")

    def require_rate(self, value: float | None, what: str) -> float:
        """Return a rate of traffic that bpftop's programs count.

        Raises InputUnavailable where no program counts, NotEnoughData where there is no rate yet.
        """
        if value is not None:
            return value
        interface = self.interface_snapshot
        if interface is not None and not interface.rx.protocols and interface.rx.hook.hook == "none":
            raise InputUnavailable(f"no program counts {what} on {interface.label}")
        raise NotEnoughData


def rates_above_zero(snapshot: Snapshot, family: str, column: str, *where: str) -> Sequence[tuple[Key, float]]:
    """Return the rows of a reading whose rate per second is above zero, largest first; none where it is not read."""
    reading = snapshot.reading(family, *where)
    return () if reading is None or not reading.keys else reading.rates_above_zero(column)


def if_available(measure: Callable[[], float]) -> float | None:
    """Return the value of an input that the rule can do without; None where it is unavailable."""
    try:
        return measure()
    except InputUnavailable:
        return None


@frozen
class Rule:
    """A row of the table of rules. ``check`` returns None while its condition does not hold.

    ``description`` completes "this rule looks for ...". ``woken_by`` names all inputs that decide whether the condition
    holds (see moved_inputs): while none of them has moved for the time of the rates, the check is not asked again, and
    its measures stay zero. Without names it is asked in every tick. ``explains`` are ids of rules whose findings are
    folded under a finding of this rule. ``for_s``: seconds that the condition must hold. ``measures`` are recorded for
    ``keep_s`` seconds, for baselines and long means.
    """

    id: str
    stage: str
    scope: Scope
    inputs: tuple[str, ...]
    severities: tuple[Severity, ...]
    description: str
    check: Callable[[RuleInput], Raised | None]
    limits: Mapping[str, Limit]
    next_steps: tuple[str, ...]
    woken_by: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()
    for_s: float = 0.0
    measures: Mapping[str, Callable[[RuleInput], float]] = field(default_factory=dict)
    keep_s: float = 70.0

    @property
    def source(self) -> str:
        """The sources of all limits, each named once."""
        return "; ".join(dict.fromkeys(limit.source for limit in self.limits.values() if limit.source))
