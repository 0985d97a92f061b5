"""Sampling of flows for findings: its times, and how long the evidence stays."""

from __future__ import annotations

import pytest

from bpftop.fields import replace
from bpftop.history.finding_flows import FindingFlows
from bpftop.history.flow_sampling import MOST_A_MINUTE, FlowSampling, sample_1_in
from bpftop.history.top_flows import with_top_flows
from bpftop.model.derive import derive_snapshot
from bpftop.model.findings import Diagnosis, Finding
from bpftop.model.sample import Key, Reading, Sample, reading_key
from bpftop.model.snapshot import Snapshot
from bpftop.rules.flow_evidence import FLOW_RULES
from bpftop.rules.table import RULES
from tests.samples import SECOND_NS, packed, protocols, sample


def finding(name: str, scope: str = "eth0") -> Finding:
    return Finding(name, "warning", "title", "interface", scope, ("first",), "", 0, (), "")


def snapshot(second: float, *findings: Finding, pps: int = 1000) -> Snapshot:
    before = sample(second - 1, protocols(second - 1, {17: [0]}), cpus=1)
    after = sample(second, protocols(second, {17: [pps]}), cpus=1)
    return replace(derive_snapshot(before, after), diagnosis=Diagnosis(findings))


def sampled(*snapshots: Snapshot) -> list[int]:
    """Return which snapshots a sample is asked for at."""
    asked: list[int] = []
    sampling = FlowSampling(lambda one_in, seconds: asked.append(at))
    for at, each in enumerate(snapshots):  # noqa: B007 read by the function above
        sampling.look_at(each)
    return asked


def test_every_rule_about_flows_exists() -> None:
    assert {rule.id for rule in RULES} >= set(FLOW_RULES)


def test_once_for_each_finding_and_again_when_it_comes_back() -> None:
    flood, storm, other = finding("udp-flood"), finding("packet-storm"), finding("tcp-memory")
    assert sampled(snapshot(1, flood), snapshot(2, flood), snapshot(3, flood, storm), snapshot(4, other)) == [0, 2]
    assert sampled(snapshot(1, flood), snapshot(2), snapshot(3, flood)) == [0, 2]


def test_at_most_three_a_minute_and_then_again() -> None:
    turns = [snapshot(second, *([finding("udp-flood")] if second % 2 else [])) for second in range(1, 70)]
    asked = [turns[at].mono_ns // SECOND_NS for at in sampled(*turns)]
    assert asked[:MOST_A_MINUTE] == [1, 3, 5]
    assert asked[MOST_A_MINUTE:] == [61, 63, 65]


@pytest.mark.parametrize(("pps", "expected"), [(0, 1), (100_000, 1), (100_001, 10), (2_000_000, 100), (10**10, 1000)])
def test_fewer_packets_are_counted_under_load(pps: int, expected: int) -> None:
    assert sample_1_in(snapshot(1, pps=pps)) == expected


def flows(second: float, ports: dict[int, int], sources: int) -> list[Reading]:
    """Return groups and sockets of flows: UDP port -> packets per second, from so many sources alike."""
    total = sum(ports.values())
    rows: dict[Key, int] = {("eth0", "rx", "destination_port", f"UDP {port}"): pps for port, pps in ports.items()}
    rows |= {("eth0", "rx", "source", f"203.0.113.{n}"): total // sources for n in range(sources)}
    rows[("eth0", "rx", "destination", "198.18.0.1")] = total
    cells = [cell for pps in rows.values() for cell in (round(second * pps), 0)]
    socket: Key = ("eth0", "rx", "203.0.113.0", "198.18.0.1", 5, 53, 17, "named", 812, "bind", "named.service", "")
    return [
        packed("flow_groups", tuple(rows), cells, second),
        packed("flow_sockets", (socket,), [1, 0, 0, 0, 0, 0, 0], second),
        packed("flow_table", (("eth0", "rx"),), [61_000, 65_536, 0, 10, 0, 0], second),
    ]


def with_flows(ports: dict[int, int], sources: int) -> Snapshot:
    pps = sum(ports.values())
    before, after = (
        sample(second, protocols(second, {17: [round(second * pps)]}), *flows(second, ports, sources), cpus=1)
        for second in (1.0, 2.0)
    )
    return derive_snapshot(before, after)


def test_evidence_names_port_process_and_sources_and_stays() -> None:
    kept, flood = FindingFlows(), Diagnosis((finding("udp-flood"), finding("tcp-memory")))
    first = kept.with_evidence(with_flows({53: 900, 80: 100}, 2), flood)
    expected = (
        "first",
        "Flows of eth0: 90 % of what arrives goes to UDP 53 (named[812], named.service); 61.0 k flows in a sample of 1 "
        "in 10.",
        "Largest sources of all that arrives: 203.0.113.0 50 %, 203.0.113.1 50 %.",
    )
    assert [each.evidence for each in first.findings] == [expected, ("first",)]
    titles = [f"{flood.findings[0].title}, port 53 of named[812]", flood.findings[1].title]
    assert [each.title for each in first.findings] == titles
    assert first.findings[0].peak_title == ""
    assert kept.with_evidence(snapshot(3), flood) == first  # the sample is over
    assert kept.with_evidence(snapshot(4), Diagnosis()) == Diagnosis()
    assert kept.with_evidence(snapshot(5), flood) == flood  # raised again: the sample before says nothing about it


def test_many_sources_are_not_listed() -> None:
    flood, shot = Diagnosis((finding("udp-flood"),)), with_flows({53: 1000}, 100)
    found = FindingFlows().with_evidence(shot, flood)
    assert found.findings[0].evidence[-1] == "No source sends 10 % of what arrives."
    counted = packed("flow_sources", (("eth0", "rx", "UDP 53"),), [61_000], 2.0)
    before, after = (
        sample(
            second, protocols(second, {17: [round(second * 1000)]}), *flows(second, {53: 1000}, 100), counted, cpus=1
        )
        for second in (1.0, 2.0)
    )
    found = FindingFlows().with_evidence(derive_snapshot(before, after), flood)
    assert found.findings[0].title == f"{flood.findings[0].title}, port 53 of named[812] from 61.0 k sources"
    assert found.findings[0].evidence[-2:] == (
        "61.0 k sources send to UDP 53.",
        "No source sends 10 % of what arrives.",
    )


def test_a_flood_to_ports_at_random_names_none_of_them() -> None:
    flood = Diagnosis((finding("udp-flood"),))
    (found,) = FindingFlows().with_evidence(with_flows(dict.fromkeys(range(53, 153), 10), 1), flood).findings
    assert found.evidence[-2:] == (
        "Flows of eth0: no UDP port gets 10 % of the UDP packets; 61.0 k flows in a sample of 1 in 10.",
        "Largest sources of all that arrives: 203.0.113.0 100 %.",
    )
    assert found.title == flood.findings[0].title


def test_the_port_stands_before_the_peak_in_a_title() -> None:
    over = replace(finding("udp-flood"), title="UDP flood (peak; now 0/s)", peak_title="UDP flood")
    (found,) = FindingFlows().with_evidence(with_flows({53: 900, 80: 100}, 2), Diagnosis((over,))).findings
    assert found.title == "UDP flood, port 53 of named[812] (peak; now 0/s)"
    assert found.peak_title == "UDP flood, port 53 of named[812]"


def test_a_flood_with_several_targets_has_no_port_in_its_title() -> None:
    flood = Diagnosis((finding("udp-flood"),))
    (found,) = FindingFlows().with_evidence(with_flows({53: 400, 80: 300, 443: 300}, 2), flood).findings
    assert found.title == flood.findings[0].title


def test_flows_of_another_protocol_explain_no_finding() -> None:
    ports: tuple[Key, ...] = (("eth0", "rx", "destination_port", "TCP 443"),
                              ("eth0", "rx", "destination_port", "UDP 53"))  # fmt: skip

    def at(second: float) -> Sample:
        counts = [cell for pps in (900, 100) for cell in (round(second * pps), 0)]
        return sample(
            second, protocols(second, {6: [round(second * 900)], 17: [round(second * 100)]}),
            packed("flow_groups", ports, counts, second),
            packed("flow_table", (("eth0", "rx"),), [8, 65_536, 0, 1, 0, 0], second),
            packed("flow_sources", tuple((*key[:2], key[3]) for key in ports), [7, 1], second), cpus=1,
        )  # fmt: skip

    both = Diagnosis((finding("udp-socket-overflow"), finding("syn-flood"), finding("packet-storm")))
    findings = FindingFlows().with_evidence(derive_snapshot(at(1.0), at(2.0)), both).findings
    assert findings[0].evidence[1:] == (
        "Flows of eth0: 10 % of what arrives goes to UDP 53; 8 flows.", "1 source sends to UDP 53.",
    )  # fmt: skip
    assert "goes to TCP 443" in findings[1].evidence[1]
    assert "goes to TCP 443" in findings[2].evidence[1]


def test_a_recording_keeps_the_busiest_flows_with_their_names() -> None:
    keys: tuple[Key, ...] = tuple(("eth0", "rx", "a", "b", n, 1, 6) for n in range(50))
    before = packed("flows", keys, [cell for n in range(50) for cell in (1, 1000)], 1)
    now = packed("flows", keys, [cell for n in range(50) for cell in (2, 1000 + n)], 2, previous=before)
    listening: Key = ("eth0", "rx", "0.0.0.0", "b", 0, 1, 6)
    sockets = packed("flow_sockets", tuple((*key, "p", 1, "u", "", "") for key in (*keys, listening)), [0] * 357, 2)
    groups: tuple[Key, ...] = tuple(
        ("eth0", "rx", kind, str(n)) for kind in ("source", "destination") for n in range(9)
    )
    ports: tuple[Key, ...] = tuple(("eth0", "rx", "destination_port", f"UDP {n}") for n in range(9))
    members = packed("flow_groups", (*groups, *ports), [1] * 36 + [n // 2 for n in range(18)], 2)
    sources = packed("flow_sources", tuple((*key[:2], key[3]) for key in ports), range(9), 2)
    whole = sample(2, now, sockets, members, sources)
    trimmed = with_top_flows(whole, 3)
    kept = trimmed.readings[reading_key("flows", "eth0", "rx")]
    assert [key[4] for key in kept.keys] == [47, 48, 49]
    assert list(kept.values[1::2]) == [1047, 1048, 1049]
    assert kept.previous is not None
    assert kept.previous.keys == kept.keys
    named = [key[:7] for key in trimmed.readings[reading_key("flow_sockets", "eth0", "rx")].keys]
    assert named == [*kept.keys, listening]
    assert len(trimmed.readings[reading_key("flow_groups", "eth0", "rx")].keys) == 9
    assert trimmed.readings[reading_key("flow_sources", "eth0", "rx")].totals == {
        ("eth0", "rx", f"UDP {n}"): (n,) for n in (6, 7, 8)
    }
    assert with_top_flows(whole, 100).readings == whole.readings
