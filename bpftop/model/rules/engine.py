"""Rules over time: when one is raised, when it clears, what is blind, and which finding explains which."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bpftop.model.derive import snapshot
from bpftop.model.findings import SEVERITIES, Diagnosis, Finding, Severity
from bpftop.model.rules.rule import Blind, Pending, Raised, Rule, Seen
from bpftop.model.sample import Sample
from bpftop.model.snapshot import Snapshot, Watched

NS = 10**9
RAISE_NS, CLEAR_NS = 3 * NS, 5 * NS
"""The times that rates are taken over for raising and for clearing."""

BASE_S, BASE_UNTIL_S, BASE_LEAST_S = 60.0, 5.0, 10.0
"""A baseline is the mean of this long until this long ago, of which so much must be known."""

_RING_GAP_NS = NS // 2


class _Series:
    """The last values of one measure."""

    def __init__(self, keep_s: float) -> None:
        self._keep_ns = int(keep_s * NS)
        self._times, self._values = array("q"), array("d")

    def push(self, mono_ns: int, value: float) -> None:
        self._times.append(mono_ns)
        self._values.append(value)
        old = bisect_left(self._times, mono_ns - self._keep_ns)
        if old >= 64:  # in blocks: deleting from the front of an array moves all of it
            del self._times[:old], self._values[:old]

    def mean(self, now_ns: int, seconds: float, until_s: float, least_s: float) -> float | None:
        """Of ``seconds`` that end ``until_s`` ago; None unless ``least_s`` of them are there."""
        end_ns = now_ns - int(until_s * NS)
        low = bisect_left(self._times, end_ns - int(seconds * NS))
        high = bisect_right(self._times, end_ns)
        known = [v for v in self._values[low:high] if not math.isnan(v)]
        if len(known) < 2 or self._times[high - 1] - self._times[low] < int(least_s * NS):
            return None
        return sum(known) / len(known)


@dataclass
class _State:
    """One rule about one subject."""

    raised: Raised | None = None
    since_ns: int = 0
    holding_since_ns: int | None = None
    series: dict[str, _Series] = field(default_factory=dict)
    baselines: dict[str, float] = field(default_factory=dict)


class Engine:
    """Fed with every sample in order."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._asked = tuple(rule.id for rule in self._rules)
        self._ring: deque[Sample] = deque()
        self._states: dict[tuple[str, str], _State] = {}

    def push(self, sample: Sample, tick: Snapshot) -> Diagnosis:
        """``tick`` is the snapshot of the sample against the one before."""
        short, long = self._views(sample)
        self._remember(sample)
        blind: dict[str, str] = {}
        waiting: set[str] = set()
        seeing: set[str] = set()
        findings: list[Finding] = []
        for rule in self._rules:
            for watched in tick.interfaces if rule.scope == "interface" else (None,):
                name = _scope_name(rule, watched, tick)
                state = self._states.setdefault((rule.id, name), _State())
                try:
                    self._measure(rule, state, tick, watched)
                    self._decide(rule, state, short, long, watched)
                    seeing.add(rule.id)
                except Pending:
                    waiting.add(rule.id)
                except Blind as error:
                    state.raised = state.holding_since_ns = None
                    blind[rule.id] = str(error)
                if state.raised is not None:
                    findings.append(_finding(rule, state, state.raised, name))
        return Diagnosis(
            fold(findings, {r.id: r.explains for r in self._rules}),
            {name: why for name, why in blind.items() if name not in seeing | waiting},
            tuple(r.id for r in self._rules if r.id in waiting - seeing),
            self._asked,
        )

    def _views(self, sample: Sample) -> tuple[Snapshot | None, Snapshot | None]:
        """The moment with rates over the last 3 s and over the last 5 s, or as much more as there is between samples.

        Where nothing is 5 s old yet, what is 3 s old has to do.
        """
        oldest_first = list(self._ring)
        short = next((s for s in reversed(oldest_first) if sample.mono_ns - s.mono_ns >= RAISE_NS), None)
        long = next((s for s in reversed(oldest_first) if sample.mono_ns - s.mono_ns >= CLEAR_NS), short)
        first = None if short is None else snapshot(short, sample)
        return first, first if long is short else snapshot(long, sample)

    def _remember(self, sample: Sample) -> None:
        if not self._ring or sample.mono_ns - self._ring[-1].mono_ns >= _RING_GAP_NS:
            self._ring.append(sample)
        while len(self._ring) > 1 and sample.mono_ns - self._ring[1].mono_ns >= CLEAR_NS:
            self._ring.popleft()

    def _measure(self, rule: Rule, state: _State, tick: Snapshot, watched: Watched | None) -> None:
        if tick.interval_ns is None:
            return
        for name, measure in rule.measures.items():
            try:
                value = measure(Seen(tick, rule.limits, watched=watched))
            except Pending:
                value = math.nan
            state.series.setdefault(name, _Series(rule.keep_s)).push(tick.mono_ns, value)

    def _decide(
        self, rule: Rule, state: _State, short: Snapshot | None, long: Snapshot | None, watched: Watched | None
    ) -> None:
        if short is None or long is None:
            raise Pending
        now_ns = short.mono_ns
        if state.raised is None:
            state.baselines = {
                name: mean
                for name, series in state.series.items()
                if (mean := series.mean(now_ns, BASE_S, BASE_UNTIL_S, BASE_LEAST_S)) is not None
            }
        raised = rule.check(self._seen(rule, state, short, watched, clearing=False))
        if raised is not None:
            if state.holding_since_ns is None:
                state.holding_since_ns = now_ns
            if state.raised is not None or now_ns - state.holding_since_ns >= int(rule.for_s * NS):
                self._stands(state, raised, now_ns)
                return
        else:
            state.holding_since_ns = None
        if state.raised is not None:
            kept = rule.check(self._seen(rule, state, long, watched, clearing=True))
            state.raised = None if kept is None else _not_above(kept, state.raised.severity)

    def _stands(self, state: _State, raised: Raised, now_ns: int) -> None:
        if state.raised is None:
            state.since_ns = now_ns
        state.raised = raised

    def _seen(self, rule: Rule, state: _State, view: Snapshot, watched: Watched | None, *, clearing: bool) -> Seen:
        def means(name: str, seconds: float, until_s: float) -> float | None:
            series = state.series.get(name)
            return None if series is None else series.mean(view.mono_ns, seconds, until_s, 0.9 * seconds)

        here = None if watched is None else view.watched(watched.label)
        return Seen(view, rule.limits, clearing, here, means, state.baselines)


def fold(findings: Sequence[Finding], explains: Mapping[str, Sequence[str]]) -> tuple[Finding, ...]:
    """The findings with what follows from which: causes first, the gravest first, each followed by what it explains."""
    order = sorted(findings, key=lambda f: -SEVERITIES.index(f.severity))
    cause: dict[Finding, Finding] = {}
    for finding in order:
        for other in order:
            if (
                other is not finding
                and finding.id in explains.get(other.id, ())
                and not _leads_to(cause, other, finding)
            ):
                cause[finding] = other
                break
    result = []
    for top in (f for f in order if f not in cause):
        under = [f for f in order if f in cause and _root(cause, f) is top]
        result.append(replace(top, explains=tuple(dict.fromkeys(f.id for f in under))))
        result += [replace(f, explained_by=top.id) for f in under]
    return tuple(result)


def _leads_to(cause: Mapping[Finding, Finding], start: Finding, end: Finding) -> bool:
    while start in cause:
        start = cause[start]
        if start is end:
            return True
    return False


def _root(cause: Mapping[Finding, Finding], finding: Finding) -> Finding:
    while finding in cause:
        finding = cause[finding]
    return finding


def _not_above(kept: Raised, severity: Severity) -> Raised:
    """What clears slowly does not grow worse while it does."""
    lower = min(SEVERITIES.index(kept.severity), SEVERITIES.index(severity))
    return replace(kept, severity=SEVERITIES[lower])


def _scope_name(rule: Rule, watched: Watched | None, tick: Snapshot) -> str:
    if watched is not None:
        return watched.label
    if rule.scope == "netns":
        return next((w.interface.netns for w in tick.interfaces if w.interface.netns), None) or "this namespace"
    return tick.host


def _finding(rule: Rule, state: _State, raised: Raised, scope_name: str) -> Finding:
    return Finding(
        rule.id, raised.severity, raised.title, rule.scope, scope_name, raised.evidence,
        raised.why or "cause not visible from here", state.since_ns, rule.next_steps, rule.source,
    )  # fmt: skip
