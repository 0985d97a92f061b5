"""The one pipeline from a sample to a snapshot: rates, totals of the stages, checks, and the findings over time."""

from __future__ import annotations

from collections.abc import Iterable

from bpftop.fields import replace
from bpftop.history.episodes import Episodes
from bpftop.history.finding_flows import FindingFlows
from bpftop.history.stage_totals import StageTotals
from bpftop.model.derive import derive_snapshot
from bpftop.model.sample import Sample
from bpftop.model.snapshot import Snapshot
from bpftop.rules.engine import RuleEngine
from bpftop.rules.rule import Rule


class Analyzer:
    """Turns the samples of one session, pushed in order, into snapshots with stage totals and a diagnosis.

    ``snapshot`` is the newest snapshot, ``began_ns`` the CLOCK_MONOTONIC time of the first sample. ``stages`` keeps the
    totals of the ticks of the last ``keep_ns``; the newest snapshot needs no past snapshot.
    """

    def __init__(self, rules: Iterable[Rule] = (), keep_ns: int = 0) -> None:
        self._engine = RuleEngine(rules)
        self._sample: Sample | None = None
        self._keep_ns = keep_ns
        self.stages = StageTotals()
        self.episodes = Episodes()
        self._flows = FindingFlows()
        self.snapshot: Snapshot | None = None
        self.began_ns = 0

    @property
    def watched_s(self) -> float:
        """The time from the first to the newest sample."""
        return 0.0 if self.snapshot is None else (self.snapshot.mono_ns - self.began_ns) / 1e9

    def push(self, sample: Sample) -> Snapshot:
        """Return the snapshot of the sample, with rates against the sample pushed before."""
        snapshot = derive_snapshot(self._sample, sample)
        if self._sample is None:
            self.began_ns = sample.mono_ns
        self._sample = sample
        self.stages.push(snapshot)
        self.stages.forget(sample.mono_ns - self._keep_ns)
        self.snapshot = replace(
            snapshot,
            diagnosis=self._flows.with_evidence(snapshot, self._engine.push(sample, snapshot)),
            stage_totals=self.stages.totals(sample.mono_ns),
            loss_peaks=self.stages.loss_peaks(sample.mono_ns),
        )
        self.episodes.push(sample.mono_ns, self.snapshot.diagnosis.findings)
        return self.snapshot


def other_session(previous: Sample, sample: Sample) -> bool:
    """Return True if the samples are from different sessions, between which no rate may be computed."""
    return sample.seq <= previous.seq or sample.boot_id != previous.boot_id or sample.mono_ns <= previous.mono_ns
