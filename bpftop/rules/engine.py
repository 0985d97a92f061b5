"""Rules over time: when a finding is raised and cleared, which rules are blind, which finding explains which."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from bpftop.fields import computed_once, frozen, replace
from bpftop.model.families import Scope
from bpftop.model.findings import SEVERITIES, Diagnosis, Finding, Severity
from bpftop.model.past_readings import past_sample
from bpftop.model.sample import Sample, reading_key
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot
from bpftop.model.units import NS_PER_SEC
from bpftop.model.window import Window
from bpftop.rules.finding_tracker import CLEAR_NS, RAISE_NS, FindingTracker
from bpftop.rules.measure_series import MeasureSeries, TickTimes
from bpftop.rules.moved_inputs import MovedInputs
from bpftop.rules.rule import InputUnavailable, NotEnoughData, Raised, Rule, RuleInput
from bpftop.rules.rule_state import NO_BASELINES, Baselines, RuleState

EARLY_NS = NS_PER_SEC // 10
"""Tolerance of RAISE_NS and CLEAR_NS: ticks of 1 s come some ms early or late, and every second rate would span 4 s."""

STALE_NS = 15 * NS_PER_SEC
"""Time without enough data after which a finding is dropped."""

ATTACHED_ANEW_NS = NS_PER_SEC
"""Shortest time for the rates of an interface whose program was attached anew within RAISE_NS."""

_RING_GAP_NS = NS_PER_SEC // 2


@frozen
class _Moment:
    """A sample with its snapshot of the last interval, and the samples that are 3 s and 5 s older.

    ``recent`` are earlier samples of the last 3 s, the oldest first. ``ticks`` are the times of all ticks until now.
    """

    ticks: TickTimes
    sample: Sample
    last_interval: Snapshot
    before_short: Sample | None
    before_long: Sample | None
    recent: tuple[Sample, ...] = ()

    @computed_once
    def intervals(self) -> tuple[Snapshot, ...]:
        """Snapshots of the intervals within the last 3 s, the last interval at the end."""
        interfaces = self.sample.interfaces
        pairs = pairwise(replace(sample, interfaces=interfaces) for sample in self.recent)
        return (*(Window(before, after) for before, after in pairs), self.last_interval)

    @computed_once
    def short(self) -> Snapshot | None:
        """Snapshot over 3 s."""
        return None if self.before_short is None else Window(self.before_short, self.sample)

    def short_of(self, label: str) -> Snapshot | None:
        """Return the snapshot over 3 s for an interface; over 1 s where bpftop attached its program anew meanwhile.

        A retreat from native XDP begins when the load has lasted for 1 s, and is over after 2 to 3 s: with 3 s more,
        what made it necessary would be named too late.
        """
        if label not in self._short_by_label:
            self._short_by_label[label] = self._find_short(label)
        return self._short_by_label[label]

    def _find_short(self, label: str) -> Snapshot | None:
        name = reading_key("protocols", label, "rx")
        now = self.sample.readings.get(name)
        before = None if self.before_short is None else self.before_short.readings.get(name)
        if now is None or before is None or before.epoch == now.epoch:
            return self.short
        since = (each for each in self.recent if (own := each.readings.get(name)) and own.epoch == now.epoch)
        oldest = next(since, None)
        if oldest is None or self.sample.mono_ns - oldest.mono_ns < ATTACHED_ANEW_NS - EARLY_NS:
            return self.short
        if oldest.seq not in self._since_attach:
            self._since_attach[oldest.seq] = Window(oldest, self.sample)
        return self._since_attach[oldest.seq]

    @computed_once
    def _short_by_label(self) -> dict[str, Snapshot | None]:
        """Answers of ``short_of``: every check of an interface asks."""
        return {}

    @computed_once
    def _since_attach(self) -> dict[int, Snapshot]:
        """Snapshots since an attachment within the last 3 s, by the number of their first sample."""
        return {}

    @computed_once
    def long(self) -> Snapshot | None:
        """Snapshot over 5 s; computed only while a finding stands."""
        if self.before_long is None or self.before_long is self.before_short:
            return self.short
        return Window(self.before_long, self.sample)


class _Rest(NamedTuple):
    """A check that need not be asked: its inputs have rested since they had this ``shape``.

    ``why``: the reason why it has no result. ``measured``: its measures are known, and zero.
    """

    shape: int
    why: InputUnavailable | None
    measured: bool


class RuleEngine:
    """Checks all rules against every sample, in order. A check rests while its inputs do: its last result holds."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._ids = tuple(rule.id for rule in self._rules)
        self._explains = {rule.id: rule.explains for rule in self._rules}
        self._ring: deque[Sample] = deque()
        self._before: Sample | None = None
        self._remembered: Sample | None = None  # the newest sample of the ring, with its cells per CPU
        self._states: dict[str, dict[str, RuleState]] = {rule.id: {} for rule in self._rules}
        self._unused = RuleState(0)
        self._moved = MovedInputs(self._rules)
        self._rests: dict[str, dict[str, _Rest]] = {rule.id: {} for rule in self._rules}
        self._ticks = TickTimes(max((rule.keep_s for rule in self._rules), default=0.0))

    def push(self, sample: Sample, last_interval: Snapshot) -> Diagnosis:
        """Check all rules.

        Args:
            sample: The newest sample.
            last_interval: The snapshot of the sample against the sample before.
        """
        if last_interval.interval_ns is not None:
            self._ticks.push(last_interval.mono_ns, last_interval.interval_ns)
        moment = self._moment(sample, last_interval)
        self._remember(sample)
        self._before = sample
        blind: dict[str, str] = {}
        not_applicable: dict[str, str] = {}
        waiting: dict[str, str] = {}
        active: set[str] = set()
        findings: list[Finding] = []
        scopes = _scopes(last_interval)
        self._moved.push(sample, last_interval, None if moment.before_short is None else moment.before_short.mono_ns)
        for rule in self._rules:
            rests, latest = self._rests[rule.id], None
            for name, ifindex, interface in scopes[rule.scope]:
                state = self._state(rule, name, ifindex)
                inputs_rest = self._moved.rest(rule, "" if interface is None else interface.label)
                rest = rests.get(name)
                if rest is not None and inputs_rest and rest.shape == self._moved.shape:
                    why: NotEnoughData | InputUnavailable | None = rest.why
                else:
                    if rest is not None and rest.measured:
                        state.push_zeros()
                    why = _check(rule, state, moment, interface)
                    rest = _rest(self._moved.shape, state, why) if inputs_rest else None
                    if rest is not None:
                        same = latest if rest == latest else rest  # most interfaces rest in the same way
                        rests[name] = latest = same
                    else:
                        rests.pop(name, None)
                if why is None:
                    active.add(rule.id)
                elif isinstance(why, NotEnoughData):
                    waiting[rule.id] = str(why)
                else:
                    (blind if why.applies else not_applicable)[rule.id] = str(why)
                if state is self._unused and not state.is_new:
                    self._states[rule.id][name], self._unused = state, RuleState(0)
                if state.raised is not None:
                    findings.append(_finding(rule, state, name))
        return Diagnosis(
            fold(findings, self._explains),
            {name: why for name, why in blind.items() if name not in active | waiting.keys()},
            {name: why for name, why in waiting.items() if name not in active},
            self._ids,
            {name: why for name, why in not_applicable.items() if name not in active | waiting.keys() | blind.keys()},
        )

    def _state(self, rule: Rule, name: str, ifindex: int) -> RuleState:
        """Return the state of a rule; a new one where another device has taken the name of the interface.

        A state is kept once something was measured or held: all new ones are the same object.
        """
        states = self._states[rule.id]
        state = states.get(name)
        if state is not None and state.ifindex != ifindex:
            del states[name]
            state = None
        if state is None:
            state = self._unused
            state.ifindex = ifindex
        return state

    def _moment(self, sample: Sample, last_interval: Snapshot) -> _Moment:
        """Return the sample with the newest samples that are at least 3 s and 5 s older.

        Where none is 5 s older yet, the sample that is 3 s older serves for both.
        """
        newest_first = tuple(reversed(self._ring))
        short = next((s for s in newest_first if sample.mono_ns - s.mono_ns >= RAISE_NS - EARLY_NS), None)
        long = next((s for s in newest_first if sample.mono_ns - s.mono_ns >= CLEAR_NS - EARLY_NS), short)
        began_ns = sample.mono_ns if short is None else short.mono_ns
        recent = tuple([s for s in self._ring if s.mono_ns >= began_ns])
        if self._before is not None and (not recent or recent[-1].mono_ns < self._before.mono_ns):
            recent = (*recent, self._before)
        return _Moment(self._ticks, sample, last_interval, short, long, recent)

    def _remember(self, sample: Sample) -> None:
        if not self._ring or sample.mono_ns - self._ring[-1].mono_ns >= _RING_GAP_NS:
            self._ring.append(past_sample(sample, self._remembered, self._ring[-1] if self._ring else None))
            self._remembered = sample
        while len(self._ring) > 1 and sample.mono_ns - self._ring[1].mono_ns >= CLEAR_NS - EARLY_NS:
            self._ring.popleft()


def _rest(shape: int, state: RuleState, why: NotEnoughData | InputUnavailable | None) -> _Rest | None:
    """Return the rest of a check whose inputs rest; None where its result may change with time alone."""
    if isinstance(why, NotEnoughData) or state.raised is not None or state.tracker is not None:
        return None
    measured = all(series.is_current for series in state.series)
    if measured and not all(series.is_still for series in state.series):
        return None
    return _Rest(shape, why, measured)


def _check(
    rule: Rule, state: RuleState, moment: _Moment, interface: InterfaceSnapshot | None
) -> NotEnoughData | InputUnavailable | None:
    """Update the state of a rule. Return the reason why there is no result."""
    now_ns = moment.last_interval.mono_ns
    try:
        if interface is not None and interface.interface.state not in ("up", "down"):
            raise InputUnavailable(f"{interface.label} is {interface.interface.state}")
        _measure(rule, state, moment, interface)
        _decide(rule, state, moment, interface)
        _follow(rule, state, moment, interface)
        if state.raised is not None:
            state.checked_ns = now_ns
    except NotEnoughData as error:
        if state.raised is not None and now_ns - state.checked_ns > STALE_NS:
            state.drop_finding()
        return error.with_traceback(None)
    except InputUnavailable as error:
        state.drop_finding()
        return error.with_traceback(None)  # else a check that rests would keep its snapshots
    finally:
        if state.tracker is None:
            state.baselines = NO_BASELINES
    return None


def _measure(rule: Rule, state: RuleState, moment: _Moment, interface: InterfaceSnapshot | None) -> None:
    """Append the measures of the rule to their series."""
    last_interval = moment.last_interval
    if last_interval.interval_ns is None or not rule.measures:
        return
    rule_input = RuleInput(last_interval, rule.limits, interface_snapshot=interface)
    for at, measure in enumerate(rule.measures.values()):
        try:
            value = measure(rule_input)
        except NotEnoughData:
            value = None
        if at == len(state.series):
            state.series += (MeasureSeries(rule.keep_s, moment.ticks),)
        state.series[at].push(last_interval.mono_ns, last_interval.interval_ns, value)


def _decide(rule: Rule, state: RuleState, moment: _Moment, interface: InterfaceSnapshot | None) -> None:
    """Raise, keep or clear the finding of a rule."""
    short = moment.short if interface is None else moment.short_of(interface.label)
    if short is None or short.interval_ns is None:
        raise NotEnoughData
    now_ns = short.mono_ns
    if state.raised is None:
        state.baselines = Baselines(rule, state, now_ns) if state.series else NO_BASELINES
    raised = rule.check(_rule_input(rule, state, moment, short, interface))
    if raised is not None:
        if state.raised is None:
            state.baselines = dict(state.baselines)  # frozen for as long as the finding stands
        if state.holding_since_ns is None:  # the condition has held for the time of the rate
            state.holding_since_ns = now_ns - (short.interval_ns if rule.for_s else 0)
        held_ns = now_ns - state.holding_since_ns
        if state.tracker is not None:
            state.tracker.decided = replace(raised, headline=state.tracker.headline or raised.headline)
        else:
            state.tracker = FindingTracker(rule, raised)
            for interval in moment.intervals[:-1]:
                state.tracker.add(_rule_input(rule, state, moment, interval, interface))
        if state.raised is None and held_ns < int(rule.for_s * NS_PER_SEC) - EARLY_NS:
            _follow(rule, state, moment, interface)
            raise NotEnoughData(f"the condition holds, and is a finding after {rule.for_s:g} s")
        if state.raised is None:
            state.since_ns = state.holding_since_ns
        state.raised = raised
        return
    state.holding_since_ns = None
    if state.raised is not None and moment.long is not None:
        still = rule.check(_rule_input(rule, state, moment, moment.long, interface, clearing=True))
        state.raised = None if still is None else _at_most(still, state.raised.severity)
    if state.raised is None:
        state.tracker = None


def _follow(rule: Rule, state: RuleState, moment: _Moment, interface: InterfaceSnapshot | None) -> None:
    """Add the last interval to the tracker of a condition that holds, or of a finding that stands."""
    if state.tracker is not None:
        state.tracker.add(_rule_input(rule, state, moment, moment.last_interval, interface))


def _rule_input(
    rule: Rule, state: RuleState, moment: _Moment, view: Snapshot, interface: InterfaceSnapshot | None, *,
    clearing: bool = False,
) -> RuleInput:  # fmt: skip
    def mean(name: str, seconds: float, until_s: float) -> float | None:
        series = state.series_of(rule, name)
        return None if series is None else series.mean(view.mono_ns, seconds, until_s, 0.9 * seconds)

    def recent(name: str, seconds: float) -> Sequence[tuple[float, float]]:
        series = state.series_of(rule, name)
        return () if series is None else series.intervals(view.mono_ns, seconds)

    interface_snapshot = None if interface is None else view.interface(interface.label)
    return RuleInput(
        view, rule.limits, clearing, interface_snapshot, mean, recent, state.baselines, moment.last_interval
    )


NO_CAUSE = "cause not visible from here"


def fold(findings: Sequence[Finding], explains: Mapping[str, Sequence[str]]) -> tuple[Finding, ...]:
    """Return the findings in groups: a cause, then the findings that it explains. The gravest group comes first.

    A finding of severity info never hides a graver one: it comes below that finding, and is its cause (``why``) where
    no other cause is known.

    Args:
        findings: Findings in the order of the table of rules.
        explains: Rule id -> ids of the rules that it explains.
    """
    gravest_first = sorted(findings, key=lambda f: -SEVERITIES.index(f.severity))
    cause, notes = _causes(gravest_first, explains)
    groups = [
        (top, [f for f in gravest_first if f in cause and _root(cause, f) is top])
        for top in gravest_first
        if top not in cause
    ]
    groups.sort(key=lambda group: -max(SEVERITIES.index(f.severity) for f in (group[0], *group[1])))
    result: list[Finding] = []
    for top, consequences in groups:
        note = next((n for n, explained in notes.items() if explained is top and top.why == NO_CAUSE), None)
        why = top.why if note is None else note.title if note.why == NO_CAUSE else f"{note.title}: {note.why}"
        result.append(replace(top, why=why, explains=tuple(dict.fromkeys(f.id for f in consequences))))
        result += [replace(f, explained_by=top.id) for f in consequences]
    return tuple(result)


def _causes(
    gravest_first: Sequence[Finding], explains: Mapping[str, Sequence[str]]
) -> tuple[dict[Finding, Finding], dict[Finding, Finding]]:
    """Return finding -> its cause, and finding of severity info -> the graver finding that it explains."""
    cause: dict[Finding, Finding] = {}
    notes: dict[Finding, Finding] = {}
    for finding in gravest_first:
        for other in gravest_first:
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
    return cause, notes


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


def _at_most(raised: Raised, severity: Severity) -> Raised:
    """Return the result with at most this severity: a finding grows no worse while it clears."""
    lower = min(SEVERITIES.index(raised.severity), SEVERITIES.index(severity))
    return replace(raised, severity=SEVERITIES[lower])


_Scope = tuple[str, int, InterfaceSnapshot | None]
"""Name, index of the device (0 for wider scopes) and interface of a scope."""


def _scopes(last_interval: Snapshot) -> Mapping[Scope, Sequence[_Scope]]:
    netns = next((i.interface.netns for i in last_interval.interfaces if i.interface.netns), "this namespace")
    return {
        "interface": [(each.label, each.interface.ifindex, each) for each in last_interval.interfaces],
        "netns": [(netns, 0, None)],
        "host": [(last_interval.host, 0, None)],
    }


def _finding(rule: Rule, state: RuleState, scope_name: str) -> Finding:
    raised, tracker = state.raised, state.tracker
    assert raised is not None
    assert tracker is not None
    words, peak = tracker.words(), tracker.peak_words()
    return Finding(
        rule.id, raised.severity, tracker.title(), rule.scope, scope_name, words.evidence,
        words.why or raised.why or NO_CAUSE, state.since_ns, rule.next_steps, rule.source,
        value=tracker.value(), peak_title=peak.title, peak_evidence=peak.evidence,
    )  # fmt: skip
