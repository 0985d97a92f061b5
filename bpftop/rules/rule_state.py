"""The state of a rule between two checks: its finding, and the series and baselines of its measures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bpftop.rules.finding_tracker import FindingTracker
from bpftop.rules.measure_series import MeasureSeries
from bpftop.rules.rule import Raised, Rule

BASE_S, BASE_UNTIL_S, BASE_LEAST_S = 60.0, 5.0, 10.0
"""A baseline is the mean of 60 s that ended 5 s ago, of which at least 10 s must be known."""

NO_BASELINES: Mapping[str, float] = {}


class RuleState:
    """State of one rule for one scope. ``checked_ns``: time of the last check, while a finding stands.

    ``raised`` is the finding that stands; ``tracker`` follows the condition from its first interval on. ``series`` has
    one for each measure of the rule, from the first tick with rates on. ``baselines`` are kept while the condition
    holds. On 300 interfaces there are 3 000 states: no instance has a dictionary.
    """

    __slots__ = ("baselines", "checked_ns", "holding_since_ns", "ifindex", "raised", "series", "since_ns", "tracker")

    def __init__(self, ifindex: int) -> None:
        self.ifindex = ifindex
        self.raised: Raised | None = None
        self.tracker: FindingTracker | None = None
        self.since_ns = self.checked_ns = 0
        self.holding_since_ns: int | None = None
        self.series: tuple[MeasureSeries, ...] = ()
        self.baselines = NO_BASELINES

    @property
    def is_new(self) -> bool:
        """Return True if the state is as a new one: nothing holds, and nothing was measured."""
        return self.raised is None and self.holding_since_ns is None and not self.series

    def drop_finding(self) -> None:
        self.raised = self.holding_since_ns = self.tracker = None

    def push_zeros(self) -> None:
        """Append the ticks in which the check rested: all measures were zero."""
        for series in self.series:
            series.push_zeros()

    def series_of(self, rule: Rule, measure: str) -> MeasureSeries | None:
        """Return the series of a measure; None before the first tick with rates."""
        return next((each for name, each in zip(rule.measures, self.series, strict=False) if name == measure), None)


class Baselines(Mapping[str, float]):
    """Baselines of a rule at one moment, which are computed at the access: most checks end before they need one."""

    __slots__ = ("_now_ns", "_rule", "_state")

    def __init__(self, rule: Rule, state: RuleState, now_ns: int) -> None:
        self._rule, self._state, self._now_ns = rule, state, now_ns

    def __getitem__(self, measure: str) -> float:
        series = self._state.series_of(self._rule, measure)
        mean = None if series is None else series.mean(self._now_ns, BASE_S, BASE_UNTIL_S, BASE_LEAST_S)
        if mean is None:
            raise KeyError(measure)
        return mean

    def __iter__(self) -> Iterator[str]:
        return (measure for measure in self._rule.measures if measure in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
