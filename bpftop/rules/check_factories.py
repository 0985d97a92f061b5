"""Factories for the common shapes of checks: a rate, a share of a whole, and growth, each over its limits."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence

from bpftop.fields import frozen
from bpftop.model.findings import SEVERITIES, Severity
from bpftop.rules.evidence import compare, per_s
from bpftop.rules.rule import Headline, Raised, RuleInput

Check = Callable[[RuleInput], Raised | None]
Rates = Mapping[str, float]
"""Name of a counter, interface or table -> events per second."""

RateWords = str | Callable[[RuleInput, Rates], str]


def counter_rates(*counters: str) -> Callable[[RuleInput], Rates]:
    """Return a function that reads the rates of stack counters, by their nstat names."""
    return lambda rule_input: {counter: rule_input.counts(counter) for counter in counters}


def list_rates(rule_input: RuleInput, rates: Rates) -> Iterable[str]:
    """Return one sentence of evidence that lists the rates above zero."""
    return (", ".join(f"{name} {per_s(rate)}" for name, rate in rates.items() if rate),)


def rate_over_limit(
    rates: Callable[[RuleInput], Rates],
    *,
    counters: str,
    title: RateWords,
    details: Callable[[RuleInput, Rates], Iterable[str]] = list_rates,
    why: RateWords = "",
    at_limit: bool = False,
) -> Check:
    """Return a check that raises the gravest severity whose limit the sum of ``rates`` exceeds.

    Args:
        rates: Returns the events per second that are added up.
        counters: Name of the sum in the evidence.
        title: Title of the finding, in which ``{rate}`` stands for the sum, or a function that returns the title.
        details: Returns further sentences of evidence.
        why: Cause, or a function that returns the cause.
        at_limit: Raise also if the sum equals the limit.
    """
    exceeds = operator.ge if at_limit else operator.gt

    def check(rule_input: RuleInput) -> Raised | None:
        by_name = rates(rule_input)
        total = sum(by_name.values())
        exceeded = (s for s in reversed(SEVERITIES) if s in rule_input.limits and exceeds(total, rule_input.limit(s)))
        severity = next(exceeded, None)
        if severity is None:
            return None
        evidence = (compare(counters, total, rule_input.limits[severity]), *details(rule_input, by_name))
        headline = title.format(rate=per_s(total)) if isinstance(title, str) else title(rule_input, by_name)
        cause = why if isinstance(why, str) else why(rule_input, by_name)
        number = Headline(counters, severity, lambda other: sum(rates(other).values()))
        return Raised(severity, headline, evidence, cause, number)

    return check


BURST_SHARE = 0.05
"""A second with less than this share of the events of the 3 s counts as empty."""


def lasting(measure: str, check: Check) -> Check:
    """Return a check that raises only if a rate was above zero in the first and in the last second of 3 s.

    Rates over 3 s alone would show a burst of one moment for 3 s. Where less than 3 s of the measure is known, the rate
    over 3 s alone decides.
    """

    def check_lasting(rule_input: RuleInput) -> Raised | None:
        raised = check(rule_input)
        intervals = rule_input.recent(measure, 3 - EARLY_S)
        if raised is None or rule_input.clearing or len(intervals) < 2 or not all(known for known, _ in intervals):
            return raised
        first, last = _of_a_second(intervals), _of_a_second(intervals[::-1])
        if len(first) + len(last) > len(intervals):  # an interval in both: its events may have happened at one moment
            return None
        least = BURST_SHARE * sum(events for _, events in intervals)
        return raised if min(sum(first), sum(last)) >= least else None

    return check_lasting


EARLY_S = 0.1
"""Ticks of 1 s come some ms early or late, and on a busy machine some of them much later."""


def _of_a_second(intervals: Sequence[tuple[float, float]]) -> list[float]:
    """Return the events of each of the first intervals that make up a second."""
    seconds = 0.0
    part: list[float] = []
    for known, events in intervals:
        if seconds >= 1 - EARLY_S:
            break
        part.append(events)
        seconds += known
    return part


@frozen
class Share:
    """A share of a whole, with the words of its finding. ``name`` names the share in the evidence.

    ``severity`` replaces the severity that follows from the limits, and ``headline`` the share as its number.
    """

    value: float
    name: str
    title: str
    evidence: tuple[str, ...] = ()
    why: str = ""
    severity: Severity | None = None
    headline: Headline | None = None


def share_over_limit(measure: Callable[[RuleInput], Share | None]) -> Check:
    """Return a check that raises the gravest severity whose limit a share reaches; None is too little to judge."""

    def check(rule_input: RuleInput) -> Raised | None:
        share = measure(rule_input)
        if share is None:
            return None
        reached = (s for s in reversed(SEVERITIES) if s in rule_input.limits and share.value >= rule_input.limit(s))
        severity = share.severity or next(reached, None)
        if severity is None:
            return None
        number = share.headline or Headline(share.name, severity, value)
        evidence = (compare(share.name, share.value, rule_input.limits[severity]), *share.evidence)
        return Raised(severity, share.title, evidence, share.why, number)

    def value(rule_input: RuleInput) -> float | None:
        share = measure(rule_input)
        return None if share is None else share.value

    return check


def growth_limit(rule_input: RuleInput, measure: str, floor: str, rate: float, whole: float) -> str | None:
    """Return the name of the limit that a rate reaches, else None.

    Args:
        rule_input: Input with the limits ``floor``, ``factor``, ``absolute`` and ``share``.
        measure: Name of the rate's baseline.
        floor: Limit that the rate must reach together with ``factor`` times its baseline.
        rate: Events per second.
        whole: Events per second of which the rate must be a ``share`` to reach the limit ``absolute``.
    """
    base = rule_input.baselines.get(measure)
    if base is not None and rate >= rule_input.limit(floor) and rate >= rule_input.limit("factor") * base:
        return floor
    if rate >= rule_input.limit("absolute") and rate >= rule_input.limit("share") * whole:
        return "absolute"
    return None
