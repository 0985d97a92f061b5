"""One fault, and what bpftop said: started before it with some quiet, and started in the middle of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bpftop.demo.lab import Lab
from bpftop.model.findings import SEVERITIES, Severity
from bpftop.rules.rule import NO_BASELINE
from bpftop.rules.table import RULES
from tests.faults.scenario import Scenario
from tests.faults.suite.watching import NS, Moment, Watcher, told

DETECT_S, CLEAR_S = 5.0, 15.0
"""Promised seconds: to raise after the fault begins, to clear after the fault ends."""

LOADING_S = 3.0
"""The programs that need so much more are slow beyond excuse."""

LATE_S = 1.6
"""So long after the fault's begin the second bpftop starts."""


@dataclass(frozen=True)
class Plan:
    """Times of a trial: at least ``quiet_s`` before the fault, at least ``hold_s`` of the fault.

    ``clear``: wait for the end of the finding as well.
    """

    quiet_s: float = 5.0
    baseline_s: float = 20.0
    hold_s: float = 9.0
    clear: bool = True


THOROUGH = Plan()
BRIEF = Plan(quiet_s=2.0, hold_s=0.0, clear=False)
WITH_ITS_END = Plan(quiet_s=2.0, hold_s=0.0)


@dataclass(frozen=True)
class Outcome:
    """Seconds until bpftop raised and cleared the finding. None: it did not, or the trial did not wait for it.

    ``quiet_s``: from the begin of the fault. ``late_s``: from the start of a bpftop that has seen nothing but the
    fault. ``clear_s``: from the end of the fault to the first sample without the finding.
    """

    scenario: type[Scenario]
    severity: Severity | None
    quiet_s: float | None
    late_s: float | None
    clear_s: float | None
    said: str
    complaints: tuple[str, ...]


@dataclass(frozen=True)
class _Course:
    """Course of a trial in CLOCK_MONOTONIC: calm until ``calm_ns``, faulty from ``begin_ns`` on."""

    first: Watcher
    late: Watcher
    calm_ns: int
    begin_ns: int
    end_ns: int
    found: Moment | None
    late_found: Moment | None
    cleared: Moment | None


def provoke(kind: type[Scenario], plan: Plan = THOROUGH) -> Outcome:
    """Make the fault and judge the findings, all by the samples' own times."""
    name = kind.finds()
    with Lab(quiet=True) as lab, kind(lab) as fault, Watcher(lab) as first:
        # Just after a sample: no moment is worse, the next one sees a whole second of it and the fault is a second old.
        first.past(first.began_ns + int(NS * (plan.baseline_s if kind.compares or kind.follows_calm else plan.quiet_s)))
        calm_ns = time.monotonic_ns()
        fault.begin()
        begin_ns = fault.wrong_since_ns()
        first.past(begin_ns + int(LATE_S * NS))
        with Watcher(lab) as late:
            found, late_found = _found(first, name, begin_ns), _found(late, name, late.began_ns)
            first.past(begin_ns + int(plan.hold_s * NS))
        end_ns = time.monotonic_ns()
        fault.end()
        cleared = _cleared(first, name, end_ns) if plan.clear and found is not None else None
    return _judged(kind, plan, _Course(first, late, calm_ns, begin_ns, end_ns, found, late_found, cleared))


def _judged(kind: type[Scenario], plan: Plan, course: _Course) -> Outcome:
    name, first, late, found = kind.finds(), course.first, course.late, course.found
    moments = [m for m in (*late.moments, *first.moments) if m.mono_ns < course.end_ns]
    seen = [f for m in moments if (f := m.finding(name)) is not None]
    worst = max(reversed(seen), key=lambda f: SEVERITIES.index(f.severity), default=None)
    complaints = [
        *_premature(first.moments, name, course.calm_ns),
        *_missed(found, "after some quiet", first.moments),
        *_unsteady(first.moments, name, found, course.end_ns),
        *(_waits(late, kind) if kind.compares else _missed(course.late_found, "started in its middle", late.moments)),
        *_unrelated(first.moments, kind, "after some quiet"),
        *_unrelated(late.moments, kind, "started in its middle"),
    ]
    if plan.clear and found is not None and course.cleared is None:
        complaints.append(f"not cleared {CLEAR_S:.0f} s after its end")
    return Outcome(
        kind,
        None if worst is None else worst.severity,
        _seconds(found, course.begin_ns),
        _seconds(course.late_found, late.began_ns),
        _seconds(course.cleared, course.end_ns),
        "" if worst is None else f"{worst.title}: {worst.why}",
        tuple(complaints),
    )


def _seconds(moment: Moment | None, since_ns: int) -> float | None:
    return None if moment is None else (moment.mono_ns - since_ns) / NS


def _found(watcher: Watcher, name: str, since_ns: int) -> Moment | None:
    """Return the first sample with the finding, if it comes within the limit.

    The time counts from the first sample after the check was blind: programs at tracepoints are loaded beside the
    first samples, slowly on a busy machine.
    """
    most_ns = int((DETECT_S + LOADING_S) * NS)
    found = watcher.first(lambda m: m.finding(name) is not None, since_ns, since_ns + most_ns)
    inputs = next(frozenset(rule.inputs) for rule in RULES if rule.id == name)
    blind_ns = max(
        (m.mono_ns for m in watcher.moments if name in m.diagnosis.blind or inputs & m.being_loaded), default=0
    )
    sees_ns = next((m.mono_ns for m in watcher.moments if m.mono_ns > blind_ns), since_ns) if blind_ns else since_ns
    return found if found and found.mono_ns <= max(since_ns, sees_ns) + DETECT_S * NS else None


def _cleared(watcher: Watcher, name: str, end_ns: int) -> Moment | None:
    """Return the first sample without the finding, if the next one is without it, too."""
    since_ns, until_ns = end_ns, end_ns + int(CLEAR_S * NS)
    while True:
        gone = watcher.first(lambda m: m.finding(name) is None, since_ns, until_ns)
        if gone is None:
            return None
        back = watcher.first(lambda m: True, gone.mono_ns + 1, gone.mono_ns + 60 * NS)
        assert back is not None
        if back.finding(name) is None:
            return gone
        since_ns = back.mono_ns


def _premature(moments: Sequence[Moment], name: str, calm_ns: int) -> Iterator[str]:
    if any(m.mono_ns < calm_ns and m.finding(name) is not None for m in moments):
        yield "found before the fault began"


def _missed(found: Moment | None, when: str, moments: Sequence[Moment]) -> Iterator[str]:
    if found is None:
        last = moments[-1].diagnosis
        said = [f.id for f in last.findings]
        yield f"{when}: not found within {DETECT_S:.0f} s; found {said}, waiting {dict(last.waiting)}"


def _unsteady(moments: Sequence[Moment], name: str, found: Moment | None, end_ns: int) -> Iterator[str]:
    if found is not None and any(found.mono_ns < m.mono_ns < end_ns and m.finding(name) is None for m in moments):
        yield "it came and went while the fault went on"


def _waits(late: Watcher, kind: type[Scenario]) -> Iterator[str]:
    """Yield complaints about a bpftop that started during the fault, if it does not report that it has no baseline."""
    for moment in late.moments:
        if moment.finding(kind.finds()) is not None:
            yield "found without anything to compare with"
    if late.moments[-1].diagnosis.waiting.get(kind.finds()) != NO_BASELINE:
        yield f"does not say that there is no baseline: {dict(late.moments[-1].diagnosis.waiting)}"


def _unrelated(moments: Sequence[Moment], kind: type[Scenario], when: str) -> Iterator[str]:
    """Findings of warning or above that nothing explains. Each once, with its numbers."""
    said: set[str] = {kind.finds(), *kind.companions}
    for moment in moments:
        for found in moment.diagnosis.findings:
            if found.severity != "info" and found.id not in said and found.explained_by is None:
                said.add(found.id)
                yield f"{when}: unrelated {told(moment, found)}"
