"""docs/findings.md is generated from the table of rules."""

from __future__ import annotations

from bpftop.rules.table import BY_ID, RULES
from contrib.findings_doc import MADE_UP, PAGE, page
from tests.faults.scenarios import FAULTS


def test_findings_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m contrib.findings_doc`"


def test_every_rule_has_a_scenario_or_a_reason_why_not() -> None:
    provoked = {fault.id for fault in FAULTS}
    assert {rule.id for rule in RULES} <= provoked | MADE_UP.keys()
    assert provoked & MADE_UP.keys() == set()
    assert MADE_UP.keys() <= BY_ID.keys()
    assert len(provoked & BY_ID.keys()) >= 18
