"""What a rule is, what it sees, and what it can say."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from bpftop.model.findings import Scope, Severity
from bpftop.model.readings import RatedReading
from bpftop.model.sample import Key
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot

NO_RATE = "no rate yet: it needs two readings 3 s apart"
NO_BASELINE = "no baseline yet: it compares with what was before, and needs 15 s of that"

CLEAR_SHARE = 0.7
"""Where a limit has no level of its own to clear at: this part of the one it is raised at."""


class InputUnavailable(Exception):
    """The rule cannot see: an input is not readable here. The text says which and why."""


class NotEnoughData(Exception):
    """It can see, but not say anything yet. The text says what is missing: a rate, a baseline, time."""

    def __init__(self, why: str = NO_RATE) -> None:
        super().__init__(why)


@dataclass(frozen=True)
class Limit:
    """One number of a rule. ``raised`` at or above it the rule may speak, below ``clear`` it falls silent again.

    ``source`` is where the number comes from: a tool that has the same rule, or why it was chosen.
    """

    raised: float
    clear: float | None = None
    unit: str = ""
    source: str = ""

    def of(self, clearing: bool) -> float:
        if not clearing:
            return self.raised
        return self.raised * CLEAR_SHARE if self.clear is None else self.clear


@dataclass(frozen=True)
class Raised:
    """What a rule found. ``evidence`` are sentences with numbers; ``why`` is the first cause that has evidence."""

    severity: Severity
    title: str
    evidence: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True)
class RuleInput:
    """What a rule looks at: a snapshot whose rates are means over 3 s (raising) or 5 s (clearing), and its limits.

    ``means`` gives the mean of one of the rule's own measures over a time that ends ``until_s`` seconds ago.
    """

    view: Snapshot
    limits: Mapping[str, Limit]
    clearing: bool = False
    watched: InterfaceSnapshot | None = None
    means: Callable[[str, float, float], float | None] = lambda name, seconds, until_s: None
    baselines: Mapping[str, float] = field(default_factory=dict)
    """Measure -> its mean in the minute before; frozen while the finding stands. A name that is missing is unknown."""
    tick: Snapshot | None = None
    """The same moment against the sample just before: for what is not kept of older samples, as cells per CPU."""

    def limit(self, name: str) -> float:
        return self.limits[name].of(self.clearing)

    @property
    def interface(self) -> InterfaceSnapshot:
        assert self.watched is not None, "an interface rule is asked about an interface"
        return self.watched

    def reading(self, family: str, *where: str) -> RatedReading:
        """Raises Blind with the reason that the sample gives."""
        found = self.view.reading(family, *where)
        if found is None:
            self.blind(family)
        return found

    def rate(self, family: str, key: Key, column: str, *where: str) -> float:
        """Per second. Raises Blind or Pending."""
        signal = self.reading(family, *where)
        if signal.value(key, column) is None:
            raise InputUnavailable(f"{'/'.join(map(str, key)) or column} is not there on this kernel")
        found = signal.per_sec(key, column)
        if found is None:
            raise NotEnoughData
        return found

    def count(self, counter: str) -> float:
        """A counter of the stack per second, by its nstat name. Raises Blind or Pending."""
        family = "snmp6" if "6" in counter[:5] else "netstat" if counter.startswith(("TcpExt", "IpExt")) else "snmp"
        return self.rate(family, (counter,), "count")

    def counts(self, *counters: str) -> float:
        """Counters of the stack added up, those of IPv6 as far as there is IPv6."""
        total = 0.0
        for counter in counters:
            if "6" in counter[:5] and self.view.reading("snmp6") is None:
                continue
            total += self.count(counter)
        return total

    def here(self, reasons: Collection[str]) -> dict[str, float]:
        """Interface -> packets per second that the kernel dropped for these reasons; empty where it does not say."""
        signal = self.view.reading("drops")
        found: dict[str, float] = {}
        for key, rate in signal.rates("packets") if signal is not None else ():
            if rate and key[1] in reasons:
                name = str(key[0]) or "elsewhere"
                found[name] = found.get(name, 0.0) + rate
        return found

    def level(self, family: str, key: Key, column: str, *where: str) -> int:
        """A gauge. Raises Blind."""
        found = self.reading(family, *where).value(key, column)
        if found is None:
            raise InputUnavailable(f"{key[0] if key else column} is not shown here ({family})")
        return found

    def link(self, *columns: str) -> float:
        """rtnetlink counters of the interface added up, per second. Raises Blind or Pending."""
        return sum(self.rate("links", (self.interface.label,), column, self.interface.label) for column in columns)

    def blind(self, family: str) -> NoReturn:
        reason = self.view.unavailable.get(family) or next(
            (text for part, text in self.view.unavailable.items() if part.startswith(family)), None
        )
        raise InputUnavailable(reason or f"{family} is not read")

    def known(self, value: float | None, what: str) -> float:
        """A rate of the traffic that we count ourselves. Raises Blind where no program counts, Pending without rate."""
        if value is not None:
            return value
        if self.watched is not None and not self.watched.rx.protocols and self.watched.rx.hook.hook == "none":
            raise InputUnavailable(f"no program counts {what} on {self.watched.label}")
        raise NotEnoughData


def tried(ask: Callable[[], float]) -> float | None:
    """None where it cannot be seen: for a rule that can say something without it."""
    try:
        return ask()
    except InputUnavailable:
        return None


@dataclass(frozen=True)
class Rule:
    """One row of the table. ``check`` returns None where nothing is to be said.

    ``explains`` are the ids whose findings follow from this one and are folded under it. ``for_s``: how long the
    condition must hold before it is a finding. ``measures`` are what baselines and long means are taken of, kept for
    ``keep_s`` seconds.
    """

    id: str
    stage: str
    scope: Scope
    inputs: tuple[str, ...]
    severities: tuple[Severity, ...]
    says: str
    check: Callable[[RuleInput], Raised | None]
    limits: Mapping[str, Limit]
    next_steps: tuple[str, ...]
    explains: tuple[str, ...] = ()
    for_s: float = 0.0
    measures: Mapping[str, Callable[[RuleInput], float]] = field(default_factory=dict)
    keep_s: float = 70.0

    @property
    def source(self) -> str:
        return "; ".join(dict.fromkeys(limit.source for limit in self.limits.values() if limit.source))
