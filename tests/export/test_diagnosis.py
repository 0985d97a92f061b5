"""The diagnosis: its document, the text for the terminal, and the report that is pasted."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bpftop.export.diagnosis.diagnosis_document import Diagnosed, diagnosis, rules_text, verdict
from bpftop.export.diagnosis.report import markdown, text
from bpftop.export.formats import DIAGNOSIS
from bpftop.history.analyzer import Analyzer
from bpftop.model.derive import derive_snapshot
from bpftop.rules.table import RULES, chosen
from tests.export.test_document import closed
from tests.rules.world import World

SCHEMA: dict[str, Any] = json.loads(files("bpftop.export.diagnosis").joinpath("diagnosis.schema.json").read_text())


def diagnosed(*stages: tuple[World, int]) -> Diagnosed:
    """So many seconds of each stage of a world."""
    analyzer = Analyzer(chosen())
    for world, seconds in stages:
        for _ in range(seconds):
            analyzer.push(world.advance())
    assert analyzer.snapshot is not None
    return Diagnosed(analyzer.snapshot, analyzer.began_ns, tuple(analyzer.episodes), RULES)


def flooded() -> World:
    world = World().frames("protocols", 6, pps=20_000, size=60).frames("tcp_flags", "syn", pps=20_000, size=60)
    world.stack(TcpExtTCPReqQFullDrop=19_000, TcpPassiveOpens=10)
    return world.rate("softnet", (0,), "dropped", 1_000)


MOMENTS = {"quiet": diagnosed((World(), 6)), "flood": diagnosed((flooded(), 6)), "early": diagnosed((World(), 2))}


@pytest.mark.parametrize("what", MOMENTS.values(), ids=MOMENTS)
def test_documents_fit_the_schema_without_other_members(what: Diagnosed) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    schema = json.loads(json.dumps(SCHEMA), object_hook=closed)
    Draft202012Validator(schema).validate(json.loads(DIAGNOSIS["json"].load()(what)))


def test_a_flood_is_the_verdict_and_explains_other_findings() -> None:
    what = diagnosed((flooded(), 6))
    assert verdict(what) == "Critical on eth0: SYN flood likely: 20.0 k/s SYN, <1 % accepted."
    document = diagnosis(what)
    assert document["verdict"]["severity"] == "critical"
    assert document["findings"][0]["id"] == "syn-flood"
    assert {f["explained_by"] for f in document["findings"][1:]} == {"syn-flood"}
    assert "tcp-retransmits" in document["ruled_out"]
    assert {
        "id": "link-saturated",
        "reason": "the speed of eth0 is not known, or not to be believed (virtual device)",
        "kind": "does_not_apply",
    } in (document["unknown"])


def test_no_finding_names_the_number_of_blind_rules() -> None:
    what = diagnosed((World(), 6))
    rules, unknown = len(RULES), what.unknown
    kinds = [what.why_unknown(rule) for rule in unknown]
    blind, absent, waiting = (kinds.count(kind) for kind in ("blind", "does_not_apply", "waiting"))
    assert min(blind, absent, waiting) > 1
    assert verdict(what) == (
        f"Nothing found on eth0: {rules - len(unknown)} of {rules} checks decided, {blind} blind, {absent} do not "
        f"apply here, {waiting} need more time."
    )


def test_only_notes_are_no_problem_but_are_named() -> None:
    world = World().rate("drops", ("eth0", "NETFILTER_DROP"), "packets", 300)
    what = diagnosed((world, 6))
    assert verdict(what).startswith("No problem on eth0; note: The firewall drops 300/s: ")


def test_absent_input_is_not_blindness() -> None:
    absent = World().absent("conntrack", "connection tracking does not apply here: nf_conntrack is not loaded")
    what = diagnosed((absent.absent("conntrack_events"), 6))
    assert "conntrack-full" not in what.blind
    assert what.why_unknown("conntrack-full") == "does_not_apply"
    refused = World().absent("conntrack", "connection tracking: cannot read /proc/x: Permission denied")
    assert "conntrack-full" in diagnosed((refused, 6)).blind


def test_before_three_seconds_no_rule_is_ruled_out() -> None:
    document = diagnosis(diagnosed((World(), 2)))
    assert document["ruled_out"] == []
    assert len(document["unknown"]) == len(RULES)


def test_an_ended_finding_has_its_duration() -> None:
    what = _then_quiet()
    assert "(it has ended)" in verdict(what)
    first = diagnosis(what)["findings"][0]
    assert (first["active"], (first["ended_s_ago"] or 0) > 0) == (False, True)
    assert "over for" in text(what)


def _then_quiet() -> Diagnosed:
    world, analyzer = flooded(), Analyzer(chosen())
    for second in range(30):
        if second == 10:
            world.quiet()
        analyzer.push(world.advance())
    assert analyzer.snapshot is not None
    return Diagnosed(analyzer.snapshot, analyzer.began_ns, tuple(analyzer.episodes), RULES)


def test_the_report_has_verdict_evidence_and_rules() -> None:
    report = markdown(diagnosed((flooded(), 6)))
    assert report.startswith("**Critical on eth0: SYN flood likely")
    for part in ("### CRITICAL", "Why: ", "- SYN 20.0 k/s; limit 1.00 k/s", "- follows: ", "```sh", "**Ruled out:** ",
                 "**Not checked:**"):  # fmt: skip
        assert part in report


def test_losses_whose_counter_is_read_late_are_in_the_totals() -> None:
    """Programs on tracepoints are loaded after the first sample."""
    world, analyzer = World().absent("drops"), Analyzer(chosen())
    first = world.sample()
    analyzer.push(first)
    world.rate("drops", ("eth0", "NETFILTER_DROP"), "packets", 500)
    samples = [world.advance() for _ in range(5)]
    for sample in samples:
        analyzer.push(sample)
    assert analyzer.snapshot is not None
    whole = derive_snapshot(first, samples[-1])
    page = text(Diagnosed(analyzer.snapshot, analyzer.began_ns, tuple(analyzer.episodes), RULES, whole))
    assert page.splitlines()[2].startswith("refused 2.00 k packets, 400 pps (firewall)")


def test_hostile_names_stay_text() -> None:
    world = flooded()
    world.facts(label="eth0", name="eth0")
    what = diagnosed((world, 6))
    hostile = Diagnosed(_renamed(what, "e`\x1b[31m|*"), what.began_ns, what.episodes, RULES)
    for made in (text(hostile), markdown(hostile)):
        assert "\x1b" not in made
    assert "``e`\\x1b[31m|*``" in markdown(hostile)


def _renamed(what: Diagnosed, label: str) -> Any:
    from dataclasses import replace

    (watched,) = what.last.interfaces
    return replace(what.last, interfaces=(replace(watched, interface=replace(watched.interface, label=label)),))


def test_the_list_has_every_rule_with_its_limits() -> None:
    listed = rules_text(chosen({"conntrack-full": {"warning": 0.5}}))
    for rule in RULES:
        assert f"{rule.id}  (" in listed
    assert "warning: 0.5 share, clears at 0.466667" in listed
