"""Sentences about the number of a finding: now, peak, total, and the limits with their windows."""

from __future__ import annotations

from bpftop.model.findings import FindingValue
from bpftop.model.units import si
from bpftop.rules.evidence import number


def value_sentence(value: FindingValue, peak_time: str, *, over: bool = False) -> str:
    """Return ``RcvbufErrors 0/s now, peak 44.9 k/s at 03:12:31, 45.0 k in all``.

    ``over``: the finding has cleared, so the number now is left out.
    """
    now = "" if over else f" {'-' if value.now is None else number(value.now, value.unit)} now,"
    total = "" if value.total is None else f", {si(value.total)} in all"
    return f"{value.name}{now} peak {number(value.peak, value.unit)} {peak_time}{total}"


def limits_sentence(value: FindingValue) -> str:
    """Return ``raised at 10/s over 3 s, clears below 7/s over 5 s``."""
    return (
        f"raised at {number(value.raise_at, value.unit)} over {value.raise_s:g} s, "
        f"clears below {number(value.clear_at, value.unit)} over {value.clear_s:g} s"
    )
