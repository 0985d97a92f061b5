"""The gravest finding of an interface, with the mark of its severity."""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.model.findings import SEVERITIES, Finding, Severity
from bpftop.model.snapshot import Snapshot

MARKS: Mapping[Severity, str] = {"critical": "▲▲", "warning": "▲", "info": "·"}


def gravest_finding(snapshot: Snapshot, label: str) -> Finding | None:
    """Return the gravest finding of the interface, its namespace or the host that no other finding explains."""
    findings = snapshot.diagnosis.findings
    causes = [f for f in findings if f.explained_by is None and (f.scope != "interface" or f.scope_name == label)]
    return max(causes, key=lambda finding: SEVERITIES.index(finding.severity), default=None)
