"""Healthy traffic, and that bpftop says nothing: started before it, and started in the middle of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bpftop.demo.lab import Lab
from bpftop.model.sample import Sample
from tests.faults.healthy.base import Healthy
from tests.faults.losses import gains
from tests.faults.scenario import Cell
from tests.faults.suite.watching import NS, Moment, Watcher, told


@dataclass(frozen=True)
class Plan:
    """Two bpftop watch ``traffic_s`` of the traffic each, the second from half that time on.

    ``idle_s``: before the traffic begins abruptly.
    """

    idle_s: float = 20.0
    traffic_s: float = 60.0


THOROUGH = Plan()
BRIEF = Plan(idle_s=3.0, traffic_s=8.0)
ENOUGH = 0.5
"""Share of the requested rate that must be reached for the run to prove anything."""


@dataclass(frozen=True)
class Calm:
    """Mean rates per second while the traffic flowed, and the complaints though nothing is wrong.

    ``complaints`` has warnings, and remarks of severity info that came and went.
    """

    kind: type[Healthy]
    received: float
    sent: float
    opened: float
    remarks: tuple[str, ...]
    complaints: tuple[str, ...]


def stay_calm(kind: type[Healthy], plan: Plan = THOROUGH) -> Calm:
    """Make the traffic and collect every finding."""
    traffic_ns = int(plan.traffic_s * NS)
    with Lab(quiet=not kind.ipv6) as lab, kind(lab) as traffic, Watcher(lab) as first:
        first.past(first.began_ns + int(plan.idle_s * NS))
        before = first.newest
        begin_ns = time.monotonic_ns()
        traffic.begin()
        first.past(begin_ns + traffic_ns // 2)
        with Watcher(lab) as late:
            first.past(begin_ns + traffic_ns)
            after = first.newest
            late.past(late.began_ns + traffic_ns)
            end_ns = time.monotonic_ns()
        traffic.end()
    assert before is not None
    assert after is not None
    flowing = [m for m in first.moments if begin_ns + NS < m.mono_ns <= end_ns]
    complaints = [
        *_alarms(first.moments, "from before"),
        *_alarms(late.moments, "from the middle"),
        *_passing(first.moments, "from before", end_ns),
        *_passing(late.moments, "from the middle", end_ns),
        *_thin(kind.moves, before, after),
    ]
    remarks = {f.id: f"{f.id}: {f.title}" for m in (*first.moments, *late.moments) for f in m.diagnosis.findings}
    return Calm(
        kind,
        _mean([m.received for m in flowing]),
        _mean([m.sent for m in flowing]),
        _mean([m.opened for m in flowing]),
        tuple(remarks.values()),
        tuple(complaints),
    )


def _alarms(moments: Sequence[Moment], when: str) -> Iterator[str]:
    said: set[str] = set()
    for moment in moments:
        for found in moment.diagnosis.findings:
            if found.severity != "info" and found.id not in said:
                said.add(found.id)
                at_s = (moment.mono_ns - moments[0].mono_ns) / NS
                yield f"watched {when}, after {at_s:.0f} s: {told(moment, found)}"


def _passing(moments: Sequence[Moment], when: str, end_ns: int) -> Iterator[str]:
    """Yield a complaint for each remark that came and went while the traffic flowed: it is not worth a line."""
    stood: dict[str, int] = {}
    for moment in moments:
        if moment.mono_ns > end_ns:
            return
        said = {found.id for found in moment.diagnosis.findings if found.severity == "info"}
        for name in stood.keys() - said:
            stood_s = (moment.mono_ns - stood.pop(name)) / NS
            yield f"watched {when}: {name} came and went after {stood_s:.0f} s"
        stood.update(dict.fromkeys(said - stood.keys(), moment.mono_ns))


def _thin(cells: Sequence[Cell], before: Sample, after: Sample) -> Iterator[str]:
    seconds = (after.mono_ns - before.mono_ns) / NS
    moved = list(gains(before, after))
    for cell in cells:
        rate = sum(gain.count for gain in moved if cell.matches(gain)) / seconds
        if rate < ENOUGH * cell.per_sec:
            yield f"too little traffic to prove anything: {cell}: {rate:.0f} per second"


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else 0.0
