"""A message for a chat: no longer than chats take, and the gravest first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpftop.export.snapshot.markdown import MESSAGE_CHARS, snapshot_markdown
from bpftop.model.findings import Diagnosis, Finding
from tests.export.moments import OBSERVED, busy, moment


def found(count: int) -> Diagnosis:
    findings = tuple(
        Finding(f"rule-{n}", "critical", f"Finding {n}: 1.20 k/s", "host", "web-17", (), "what it comes from " * 5, 0,
                (), "")
        for n in range(count)
    )  # fmt: skip
    return Diagnosis(findings=findings, rule_ids=tuple(f"rule-{n}" for n in range(count)))


@pytest.mark.parametrize("count", [1, 2, 5, 6, 7, 8, 40])
def test_with_one_interface_it_fits_however_much_is_found(count: int) -> None:
    text = snapshot_markdown(replace(busy(), diagnosis=found(count)))
    lines = [line for line in text.splitlines() if line.startswith("- **")]
    assert len(text) <= MESSAGE_CHARS
    assert lines
    assert lines[0].startswith("- **critical** Finding 0:")
    left_out = count - len(lines)
    assert text.endswith(f"- and {left_out} more (`bpftop diagnose`)\n") == bool(left_out)


def test_findings_are_listed_with_many_interfaces_too() -> None:
    many = moment(*(replace(OBSERVED, label=f"e{n}", name=f"e{n}", ifindex=n + 2) for n in range(30)))
    text = snapshot_markdown(replace(many, diagnosis=found(40)))
    assert len(text) > MESSAGE_CHARS
    assert "\n- **critical** Finding 2:" in text
    assert " more (`bpftop diagnose`)\n" in text


def test_nothing_has_no_shares() -> None:
    quiet = busy()
    (eth0,) = quiet.interfaces
    nothing = replace(eth0.rx.totals, packets_per_sec=0.0, bits_per_sec=0.0)
    text = snapshot_markdown(replace(quiet, interfaces=(replace(eth0, rx=replace(eth0.rx, totals=nothing)),)))
    assert "| all | 0 | 0 b/s | - |" in text
