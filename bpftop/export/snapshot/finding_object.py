"""A finding as the documents have it."""

from __future__ import annotations

from typing import Any

from bpftop.model.findings import Finding


def finding_object(finding: Finding, now_ns: int) -> dict[str, Any]:
    """A finding as the documents have it."""
    return {
        "id": finding.id,
        "severity": finding.severity,
        "title": finding.title,
        "scope": finding.scope,
        "scope_name": finding.scope_name,
        "evidence": list(finding.evidence),
        "why": finding.why,
        "since_s": round(finding.since_s(now_ns), 3),
        "next_steps": finding.commands,
        "source": finding.source or None,
        "explains": list(finding.explains),
        "explained_by": finding.explained_by,
    }
