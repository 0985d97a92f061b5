"""Evidence about flows, kept for as long as a finding stands: the sample that it is from lasts ten seconds."""

from __future__ import annotations

from bpftop.fields import replace
from bpftop.model.findings import Diagnosis, Finding
from bpftop.model.snapshot import Snapshot
from bpftop.rules.flow_evidence import FLOW_RULES, flow_evidence


class FindingFlows:
    """Adds what flows say to the evidence of findings. One instance per session, samples in order."""

    def __init__(self) -> None:
        self._evidence: dict[tuple[str, str], tuple[str, ...]] = {}

    def with_evidence(self, snapshot: Snapshot, diagnosis: Diagnosis) -> Diagnosis:
        """Return the diagnosis with the newest evidence about flows of each finding that still stands."""
        standing = {key_of(finding): finding for finding in diagnosis.findings if finding.id in FLOW_RULES}
        for key, finding in standing.items():
            found = flow_evidence(snapshot, finding)
            if found:
                self._evidence[key] = found
        self._evidence = {key: found for key, found in self._evidence.items() if key in standing}
        if not self._evidence:
            return diagnosis
        return replace(diagnosis, findings=tuple(map(self._extended, diagnosis.findings)))

    def _extended(self, finding: Finding) -> Finding:
        found = self._evidence.get(key_of(finding), ())
        if not found:
            return finding
        peak = (*finding.peak_evidence, *found) if finding.peak_title else finding.peak_evidence
        return replace(finding, evidence=(*finding.evidence, *found), peak_evidence=peak)


def key_of(finding: Finding) -> tuple[str, str]:
    """Return what tells a finding from the others that stand."""
    return finding.id, finding.scope_name
