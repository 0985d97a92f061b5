"""Rules over time: when one is raised, when it clears, what is blind, and which finding explains which."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from bpftop.model.derive import snapshot
from bpftop.model.findings import SEVERITIES, Diagnosis, Finding, Severity
from bpftop.model.sample import Sample
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot
from bpftop.rules.measure_series import MeasureSeries, without_cpu_cells
from bpftop.rules.rule import InputUnavailable, NotEnoughData, Raised, Rule, RuleInput

NS = 10**9
RAISE_NS, CLEAR_NS = 3 * NS, 5 * NS
"""The times that rates are taken over for raising and for clearing."""

EARLY_NS = NS // 10
"""So much less will do: ticks of 1 s come a few ms early or late, and would else make every other rate one of 4 s."""

BASE_S, BASE_UNTIL_S, BASE_LEAST_S = 60.0, 5.0, 10.0
"""A baseline is the mean of this long until this long ago, of which so much must be known."""

STALE_NS = 15 * NS
"""What is raised goes when nothing could be said of it for so long."""

_RING_GAP_NS = NS // 2


@dataclass
class _State:
    """One rule about one subject. ``asked_ns``: when it could say something last."""

    raised: Raised | None = None
    since_ns: int = 0
    asked_ns: int = 0
    holding_since_ns: int | None = None
    series: dict[str, MeasureSeries] = field(default_factory=dict)
    baselines: dict[str, float] = field(default_factory=dict)

    def forget(self) -> None:
        self.raised = self.holding_since_ns = None


@dataclass(frozen=True)
class _Moment:
    """A sample against the one just before (``tick``), and against those that are 3 s and 5 s older."""

    sample: Sample
    tick: Snapshot
    before_short: Sample | None
    before_long: Sample | None

    @cached_property
    def short(self) -> Snapshot | None:
        return None if self.before_short is None else snapshot(self.before_short, self.sample)

    @cached_property
    def long(self) -> Snapshot | None:
        """Worked out only where something is raised."""
        return self.short if self.before_long is self.before_short else snapshot(self.before_long, self.sample)


class RuleEngine:
    """Fed with every sample in order."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._asked = tuple(rule.id for rule in self._rules)
        self._explains = {rule.id: rule.explains for rule in self._rules}
        self._ring: deque[Sample] = deque()
        self._states: dict[tuple[str, str], _State] = {}

    def push(self, sample: Sample, tick: Snapshot) -> Diagnosis:
        """``tick`` is the snapshot of the sample against the one before."""
        moment = self._moment(sample, tick)
        self._remember(sample)
        blind: dict[str, str] = {}
        waiting: dict[str, str] = {}
        seeing: set[str] = set()
        findings: list[Finding] = []
        for rule in self._rules:
            for watched in tick.interfaces if rule.scope == "interface" else (None,):
                name = _scope_name(rule, watched, tick)
                state = self._states.setdefault((rule.id, name), _State())
                try:
                    _there(watched)
                    self._measure(rule, state, tick, watched)
                    self._decide(rule, state, moment, watched)
                    seeing.add(rule.id)
                    state.asked_ns = tick.mono_ns
                except NotEnoughData as error:
                    waiting[rule.id] = str(error)
                    if state.raised is not None and tick.mono_ns - state.asked_ns > STALE_NS:
                        state.forget()
                except InputUnavailable as error:
                    state.forget()
                    blind[rule.id] = str(error)
                if state.raised is not None:
                    findings.append(_finding(rule, state, state.raised, name))
        return Diagnosis(
            fold(findings, self._explains),
            {name: why for name, why in blind.items() if name not in seeing | waiting.keys()},
            {name: why for name, why in waiting.items() if name not in seeing},
            self._asked,
        )

    def _moment(self, sample: Sample, tick: Snapshot) -> _Moment:
        """With rates over the last 3 s and over the last 5 s, or as much more as there is between samples.

        Where nothing is 5 s old yet, what is 3 s old has to do.
        """
        newest_first = tuple(reversed(self._ring))
        short = next((s for s in newest_first if sample.mono_ns - s.mono_ns >= RAISE_NS - EARLY_NS), None)
        long = next((s for s in newest_first if sample.mono_ns - s.mono_ns >= CLEAR_NS - EARLY_NS), short)
        return _Moment(sample, tick, short, long)

    def _remember(self, sample: Sample) -> None:
        if not self._ring or sample.mono_ns - self._ring[-1].mono_ns >= _RING_GAP_NS:
            self._ring.append(without_cpu_cells(sample))
        while len(self._ring) > 1 and sample.mono_ns - self._ring[1].mono_ns >= CLEAR_NS - EARLY_NS:
            self._ring.popleft()

    def _measure(self, rule: Rule, state: _State, tick: Snapshot, watched: InterfaceSnapshot | None) -> None:
        if tick.interval_ns is None:
            return
        for name, measure in rule.measures.items():
            try:
                value = measure(RuleInput(tick, rule.limits, watched=watched))
            except NotEnoughData:
                value = None
            state.series.setdefault(name, MeasureSeries(rule.keep_s)).push(tick.mono_ns, tick.interval_ns, value)

    def _decide(self, rule: Rule, state: _State, moment: _Moment, watched: InterfaceSnapshot | None) -> None:
        short = moment.short
        if short is None or short.interval_ns is None:
            raise NotEnoughData
        now_ns = short.mono_ns
        if state.raised is None:
            state.baselines = {
                name: mean
                for name, series in state.series.items()
                if (mean := series.mean(now_ns, BASE_S, BASE_UNTIL_S, BASE_LEAST_S)) is not None
            }
        raised = rule.check(self._seen(rule, state, moment, short, watched))
        if raised is not None:
            if state.holding_since_ns is None:  # what must hold has held for the time of the rate
                state.holding_since_ns = now_ns - (short.interval_ns if rule.for_s else 0)
            held_ns = now_ns - state.holding_since_ns
            if state.raised is None and held_ns < int(rule.for_s * NS) - EARLY_NS:
                raise NotEnoughData(f"something is there, and is a finding from {rule.for_s:g} s on")
            if state.raised is None:
                state.since_ns = state.holding_since_ns
            state.raised = raised
            return
        state.holding_since_ns = None
        if state.raised is not None and moment.long is not None:
            kept = rule.check(self._seen(rule, state, moment, moment.long, watched, clearing=True))
            state.raised = None if kept is None else _not_above(kept, state.raised.severity)

    def _seen(
        self, rule: Rule, state: _State, moment: _Moment, view: Snapshot, watched: InterfaceSnapshot | None, *,
        clearing: bool = False,
    ) -> RuleInput:  # fmt: skip
        def means(name: str, seconds: float, until_s: float) -> float | None:
            series = state.series.get(name)
            return None if series is None else series.mean(view.mono_ns, seconds, until_s, 0.9 * seconds)

        here = None if watched is None else view.watched(watched.label)
        return RuleInput(view, rule.limits, clearing, here, means, state.baselines, moment.tick)


def _there(watched: InterfaceSnapshot | None) -> None:
    """Raises Blind where the interface is not: what was wrong with it is over."""
    if watched is not None and watched.interface.state not in ("up", "down"):
        raise InputUnavailable(f"{watched.label} is {watched.interface.state}")


NO_CAUSE = "cause not visible from here"


def fold(findings: Sequence[Finding], explains: Mapping[str, Sequence[str]]) -> tuple[Finding, ...]:
    """The findings with what follows from which: causes first, each followed by what it explains, the gravest of them
    first. What is only worth knowing hides no warning: it is told below it, and as its cause where no other is seen."""
    order = sorted(findings, key=lambda f: -SEVERITIES.index(f.severity))
    cause: dict[Finding, Finding] = {}
    notes: dict[Finding, Finding] = {}
    for finding in order:
        for other in order:
            if other is finding or finding.id not in explains.get(other.id, ()) or _leads_to(cause, other, finding):
                continue
            if other.severity == "info" and finding.severity != "info":
                notes.setdefault(other, finding)
                continue
            cause[finding] = other
            break
    for note, finding in notes.items():
        if note not in cause and not _leads_to(cause, finding, note):
            cause[note] = finding
    groups = [(top, [f for f in order if f in cause and _root(cause, f) is top]) for top in order if top not in cause]
    groups.sort(key=lambda group: -max(SEVERITIES.index(f.severity) for f in (group[0], *group[1])))
    result: list[Finding] = []
    for top, under in groups:
        because = next((note for note, of in notes.items() if of is top and top.why == NO_CAUSE), None)
        why = top.why if because is None else _because(because)
        result.append(replace(top, why=why, explains=tuple(dict.fromkeys(f.id for f in under))))
        result += [replace(f, explained_by=top.id) for f in under]
    return tuple(result)


def _because(note: Finding) -> str:
    return note.title if note.why == NO_CAUSE else f"{note.title}: {note.why}"


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


def _scope_name(rule: Rule, watched: InterfaceSnapshot | None, tick: Snapshot) -> str:
    if watched is not None:
        return watched.label
    if rule.scope == "netns":
        return next((w.interface.netns for w in tick.interfaces if w.interface.netns), None) or "this namespace"
    return tick.host


def _finding(rule: Rule, state: _State, raised: Raised, scope_name: str) -> Finding:
    return Finding(
        rule.id, raised.severity, raised.title, rule.scope, scope_name, raised.evidence,
        raised.why or NO_CAUSE, state.since_ns, rule.next_steps, rule.source,
    )  # fmt: skip
