"""Evidence and target of floods, kept for as long as a finding stands: the sample of flows lasts ten seconds."""

from __future__ import annotations

from bpftop.fields import replace
from bpftop.model.findings import Diagnosis, Finding
from bpftop.model.snapshot import Snapshot
from bpftop.rules.flow_evidence import FLOW_RULES, flow_evidence, target_words


class FindingFlows:
    """Adds sentences about flows to the evidence of findings, and the port of a flood to its title.

    One instance per session, samples in order.
    """

    def __init__(self) -> None:
        self._evidence: dict[tuple[str, str], tuple[str, ...]] = {}
        self._targets: dict[tuple[str, str], str] = {}

    def with_evidence(self, snapshot: Snapshot, diagnosis: Diagnosis) -> Diagnosis:
        """Return the diagnosis with the newest evidence about flows of each finding that still stands."""
        standing = {key_of(finding): finding for finding in diagnosis.findings if finding.id in FLOW_RULES}
        for key, finding in standing.items():
            found = flow_evidence(snapshot, finding)
            if found:
                self._evidence[key] = found
            if target := target_words(snapshot, finding):
                self._targets[key] = target
        self._evidence = {key: found for key, found in self._evidence.items() if key in standing}
        self._targets = {key: target for key, target in self._targets.items() if key in standing}
        if not self._evidence:
            return diagnosis
        return replace(diagnosis, findings=tuple(map(self._extended, diagnosis.findings)))

    def _extended(self, finding: Finding) -> Finding:
        found = self._evidence.get(key_of(finding), ())
        if not found:
            return finding
        finding = replace(finding, evidence=(*finding.evidence, *found))
        if finding.peak_title:
            finding = replace(finding, peak_evidence=(*finding.peak_evidence, *found))
        if not (target := self._targets.get(key_of(finding), "")):
            return finding
        peak_title = finding.peak_title and f"{finding.peak_title}, {target}"
        title = f"{finding.title}, {target}"
        if finding.peak_title and finding.title.startswith(finding.peak_title):  # ``(peak; now 0/s)`` may follow
            title = peak_title + finding.title.removeprefix(finding.peak_title)
        return replace(finding, title=title, peak_title=peak_title)


def key_of(finding: Finding) -> tuple[str, str]:
    """Return what tells a finding from the others that stand."""
    return finding.id, finding.scope_name
