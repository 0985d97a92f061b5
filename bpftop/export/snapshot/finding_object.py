"""Findings as objects of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpftop.export.json_writing import rounded
from bpftop.model.findings import Finding, FindingValue

if TYPE_CHECKING:
    from bpftop.export.snapshot.snapshot_types import FindingObject, FindingValueObject

_DIGITS = 6


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
        "value": None if finding.value is None else _value_object(finding.value, now_ns),
    }


def _value_object(value: FindingValue, now_ns: int) -> FindingValueObject:
    return {
        "name": value.name,
        "unit": value.unit,
        "now": rounded(value.now, _DIGITS),
        "peak": round(value.peak, _DIGITS),
        "peak_s_ago": round((now_ns - value.peak_ns) / 1e9, 3),
        "total": rounded(value.total, _DIGITS),
        "raise_at": value.raise_at,
        "raise_window_s": value.raise_s,
        "clears_below": value.clear_at,
        "clear_window_s": value.clear_s,
        "below_since_s": None if value.below_since_ns is None else round((now_ns - value.below_since_ns) / 1e9, 3),
    }
