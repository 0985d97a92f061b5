"""Decide when to sample flows for a finding: once per finding, at most three times a minute, for ten seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from bpftop.history.finding_flows import key_of
from bpftop.model.snapshot import Snapshot
from bpftop.rules.flow_evidence import FLOW_RULES

SAMPLE_S = 10.0
MOST_A_MINUTE = 3
_MINUTE_NS = 60 * 10**9
_PACKETS_PER_SEC = 100_000.0
"""Received packets per second up to which every packet is counted."""
_THINNEST = 1000


class FlowSampling:
    """Asks for a sample of flows when a finding is raised that flows say more about.

    ``sample_flows(sample_1_in, seconds)`` is the source's method.
    """

    def __init__(self, sample_flows: Callable[[int, float], object]) -> None:
        self._sample_flows = sample_flows
        self._sampled: set[tuple[str, str]] = set()
        self._begun_ns: deque[int] = deque(maxlen=MOST_A_MINUTE)

    def look_at(self, snapshot: Snapshot) -> None:
        """Ask for a sample if a finding is new; a sample that is under way serves other findings too."""
        standing = {key_of(finding) for finding in snapshot.diagnosis.findings if finding.id in FLOW_RULES}
        new = standing - self._sampled
        self._sampled &= standing
        if not new:
            return
        now_ns = snapshot.mono_ns
        if len(self._begun_ns) == MOST_A_MINUTE and now_ns - self._begun_ns[0] < _MINUTE_NS:
            return  # it is asked for as soon as the minute is over, if it stands until then
        self._sampled |= new
        self._begun_ns.append(now_ns)
        self._sample_flows(sample_1_in(snapshot), SAMPLE_S)


def sample_1_in(snapshot: Snapshot) -> int:
    """Return N, where 1 packet in N is counted: 10 above 100 000 packets per second, 100 above a million; most 1000."""
    most = max((each.rx.totals.packets_per_sec or 0.0 for each in snapshot.interfaces), default=0.0)
    chosen = 1
    while chosen < _THINNEST and most / chosen > _PACKETS_PER_SEC:
        chosen *= 10
    return chosen
