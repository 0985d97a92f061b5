"""Findings as objects of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpftop.model.findings import Finding

if TYPE_CHECKING:
    from bpftop.export.snapshot.snapshot_types import FindingObject


def finding_object(finding: Finding, now_ns: int) -> FindingObject:
    """Convert a finding for a document taken at ``now_ns`` (monotonic)."""
    return {
        "id": finding.id,
        "severity": finding.severity,
        "title": finding.title,
        "scope": finding.scope,
        "scope_name": finding.scope_name,
        "evidence": list(finding.evidence),
        "why": finding.why,
        "since_s": round(finding.since_s(now_ns), 3),
        "next_steps": list(finding.commands),
        "source": finding.source or None,
        "explains": list(finding.explains),
        "explained_by": finding.explained_by,
    }
