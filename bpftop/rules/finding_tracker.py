"""The tracker of a finding: its number in the last interval, its peak, its total, and the words for both.

A rule decides over 3 s and 5 s; every rate on the screen is of the last interval. So a finding shows the last interval,
and its peak where the last interval is below the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bpftop.fields import mutable
from bpftop.model.findings import FindingValue
from bpftop.model.units import NS_PER_SEC
from bpftop.rules.evidence import number
from bpftop.rules.rule import Headline, InputUnavailable, NotEnoughData, Raised, Rule, RuleInput

RAISE_NS, CLEAR_NS = 3 * NS_PER_SEC, 5 * NS_PER_SEC
"""Time over which rates are taken for raising a finding, and for clearing a finding."""


T = TypeVar("T")


@mutable
class FindingTracker:
    """Follows one finding from the first interval on in which its condition held.

    ``decided`` is the newest result over the deciding window. It gives the severity; its title and evidence are shown
    only if no single interval has reached the limit.
    """

    rule: Rule
    decided: Raised
    now: float | None = None
    peak: float | None = None
    peak_ns: int = 0
    total: float = 0.0
    latest: Raised | None = None
    """The result for the last interval; None where the condition does not hold in this interval."""
    at_peak: Raised | None = None
    below_since_ns: int | None = None
    """The end of the first of the intervals, up to the last interval, in which the condition does not hold."""
    _words_value: float | None = None

    @property
    def headline(self) -> Headline | None:
        return self.decided.headline

    def add(self, rule_input: RuleInput) -> None:
        """Add one interval. Intervals that cannot be judged change nothing but ``now``."""
        snapshot = rule_input.snapshot
        self.latest = _known(lambda: self.rule.check(rule_input))
        if self.latest is not None:
            self.below_since_ns = None
        elif self.below_since_ns is None:
            self.below_since_ns = snapshot.mono_ns
        self.now = None if self.headline is None else _known(lambda: self._value(rule_input))
        value = self.now
        if value is not None and snapshot.interval_ns is not None:
            self.total += value * snapshot.interval_ns / NS_PER_SEC
            if self.peak is None or value > self.peak:
                self.peak, self.peak_ns = value, snapshot.mono_ns
        if self.latest is not None and (self._words_value is None or value is None or value > self._words_value):
            self.at_peak, self._words_value = self.latest, value

    def _value(self, rule_input: RuleInput) -> float | None:
        return None if self.headline is None else self.headline.value(rule_input)

    def words(self) -> Raised:
        """Return the result to show: of the last interval, else of the peak, with a title that says so."""
        return self.latest or self.peak_words()

    def title(self) -> str:
        """Return the title; it says ``peak`` and the number now where the last interval is below the limit.

        A check that needs more than one interval may say nothing about an interval above that peak: ``now`` alone then.
        """
        if self.latest is not None or self.headline is None:
            return self.words().title
        if self.now is not None and self._words_value is not None and self.now > self._words_value:
            return f"{self.peak_words().title} (now {number(self.now, self._unit)})"
        now = "" if self.now is None else f"; now {number(self.now, self._unit)}"
        window = "peak" if self.at_peak is not None else f"mean of {RAISE_NS // NS_PER_SEC} s"
        return f"{self.peak_words().title} ({window}{now})"

    def peak_words(self) -> Raised:
        return (self.at_peak if self.headline is not None else self.latest) or self.decided

    @property
    def _unit(self) -> str:
        limit = None if self.headline is None else self.rule.limits.get(self.headline.limit)
        return "" if limit is None else limit.unit

    def value(self) -> FindingValue | None:
        """Return the number of the finding with its limits; None where the rule names none."""
        limit = None if self.headline is None else self.rule.limits.get(self.headline.limit)
        if self.headline is None or limit is None or self.peak is None:
            return None
        return FindingValue(
            self.headline.name, limit.unit, self.now, self.peak, self.peak_ns,
            self.total if limit.unit == "/s" else None, limit.raised, limit.level(clearing=True),
            max(self.rule.for_s, RAISE_NS / NS_PER_SEC, self.headline.over_s),
            max(CLEAR_NS / NS_PER_SEC, self.headline.over_s),
            self.below_since_ns,
        )  # fmt: skip


def _known(measure: Callable[[], T | None]) -> T | None:
    """Return a result; None where the interval has no rate or lacks the input."""
    try:
        return measure()
    except (InputUnavailable, NotEnoughData):
        return None
