"""A finding as the documents have it."""

from __future__ import annotations

from shlex import quote
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
        "next_steps": next_steps(finding),
        "source": finding.source or None,
        "explains": list(finding.explains),
        "explained_by": finding.explained_by,
    }


def next_steps(finding: Finding) -> list[str]:
    """The commands with the interface in its place. A name that a shell would read otherwise is quoted."""
    name = quote(finding.scope_name) if finding.scope == "interface" else "IFACE"
    return [step.replace("{iface}", name) for step in finding.next_steps]
