"""Rule engine: raising, clearing, baselines, blind rules, causes."""

from __future__ import annotations

from dataclasses import replace

from bpftop.model.findings import Diagnosis, Finding
from bpftop.rules.engine import fold
from bpftop.rules.rule import Limit
from bpftop.rules.table import BY_ID, RULES, chosen, overridden
from tests.rules.world import Watch, World


def test_quiet_machine_has_no_findings() -> None:
    watch = Watch(World())
    assert watch.run(20) == replace(watch.now, findings=())
    assert list(watch.now.waiting) == ["rx-dropped-harmless"]  # needs ten minutes


def test_rules_wait_for_three_seconds() -> None:
    watch = Watch(World().stack(TcpExtListenOverflows=100, TcpExtListenDrops=100))
    assert watch.run(2).findings == ()
    assert "accept-queue-overflow" in watch.now.waiting
    assert "accept-queue-overflow" not in watch.now.blind
    watch.run(1)
    assert watch.ids == ["accept-queue-overflow"]


def test_fault_is_found_within_5_s_and_cleared_within_15() -> None:
    world = World()
    watch = Watch(world)
    watch.run(20)
    world.stack(TcpExtListenOverflows=20, TcpExtListenDrops=20)
    seconds = watch.until("accept-queue-overflow", 5)
    assert seconds is not None
    watch.run(10)
    finding = watch.finding("accept-queue-overflow")
    assert finding is not None
    assert finding.severity == "critical"
    assert finding.since_s(world.mono_ns) == 10
    world.quiet()
    watch.run(15)
    assert watch.finding("accept-queue-overflow") is None


def test_finding_stands_between_raise_and_clear_level() -> None:
    world = World()
    world.level("conntrack", (), entries=730, max_entries=1000)
    watch = Watch(world)
    assert "conntrack-full" not in watch.run(10).blind
    assert watch.finding("conntrack-full") is None
    world.level("conntrack", (), entries=760, max_entries=1000)
    watch.run(5)
    assert watch.finding("conntrack-full") is not None
    world.level("conntrack", (), entries=730, max_entries=1000)
    watch.run(20)
    assert watch.finding("conntrack-full") is not None
    world.level("conntrack", (), entries=690, max_entries=1000)
    watch.run(10)
    assert watch.finding("conntrack-full") is None


def test_baseline_is_frozen_while_the_finding_stands() -> None:
    world = World().frames("protocols", 6, pps=1_000)
    watch = Watch(world)
    watch.run(30)
    world.frames("protocols", 6, pps=50_000)
    assert watch.until("packet-storm", 5) is not None
    watch.run(120)  # without a frozen baseline the storm would be its own baseline by now
    assert watch.finding("packet-storm") is not None


def test_only_absolute_limits_hold_without_a_baseline() -> None:
    world = World().frames("protocols", 1, pps=20_000)
    watch = Watch(world)
    watch.run(5)
    assert watch.finding("packet-storm") is None
    assert watch.finding("icmp-flood") is not None


def test_slow_rule_waits_until_the_condition_has_held() -> None:
    world = World().rate("links/eth0", ("eth0",), "rx_missed_errors", 5)
    world.rate("links/eth0", ("eth0",), "rx_packets", 1_000_000)
    watch = Watch(world)
    watch.run(9)
    assert watch.finding("rx-ring-overflow") is None
    watch.run(6)
    finding = watch.finding("rx-ring-overflow")
    assert finding is not None
    assert finding.severity == "warning"


def test_unreadable_input_makes_the_rule_blind() -> None:
    watch = Watch(World().absent("conntrack", "nf_conntrack is not loaded"))
    watch.run(5)
    assert watch.now.blind["conntrack-full"] == "nf_conntrack is not loaded"
    assert watch.now.rules == len(RULES)


def test_rule_without_any_object_to_look_at_is_not_blind() -> None:
    watch = Watch(World().absent("conntrack", "connection tracking does not apply here: nf_conntrack is not loaded"))
    watch.run(5)
    assert "conntrack-full" not in {**watch.now.blind, **watch.now.waiting}
    assert watch.now.not_applicable["conntrack-full"].endswith("nf_conntrack is not loaded")
    assert "link-saturated" in watch.now.not_applicable  # eth0 has no speed that can be believed
    assert watch.now.applicable == len(RULES) - len(watch.now.not_applicable)
    assert watch.now.active == watch.now.applicable - len(watch.now.blind) - len(watch.now.waiting)


def test_counter_reset_neither_raises_nor_clears() -> None:
    world = World().stack(TcpExtListenOverflows=20, TcpExtListenDrops=20)
    watch = Watch(world)
    watch.run(5)
    assert watch.finding("accept-queue-overflow") is not None
    world._cells["netstat"][("TcpExtListenOverflows",)] = [0.0]
    watch.run(1)
    assert watch.finding("accept-queue-overflow") is not None
    assert all(f.id == "accept-queue-overflow" for f in watch.now.findings)


def test_fast_ticks_give_rates_over_three_seconds() -> None:
    world = World()
    watch = Watch(world)
    watch.run(10, 0.1)
    world.stack(TcpExtListenOverflows=30)  # a burst of a tenth of a second: 1 per second over three
    watch.run(0.1, 0.1)
    world.quiet()
    watch.run(5, 0.1)
    assert watch.finding("accept-queue-overflow") is None


def test_slow_ticks_need_one_interval() -> None:
    world = World()
    watch = Watch(world)
    watch.run(20, 10)
    world.stack(TcpExtListenOverflows=30, TcpExtListenDrops=30)
    watch.run(10, 10)
    assert watch.finding("accept-queue-overflow") is not None


def test_consequences_are_folded_under_their_cause() -> None:
    world = World().frames("protocols", 6, pps=20_000, size=60).frames("tcp_flags", "syn", pps=20_000, size=60)
    world.stack(TcpExtTCPReqQFullDrop=19_000, TcpPassiveOpens=10)
    world.rate("softnet", (0,), "dropped", 1_000)
    watch = Watch(world)
    watch.run(6)
    assert watch.ids[0] == "syn-flood"
    first = watch.now.findings[0]
    assert first.severity == "critical"
    assert {"backlog-overflow", "cpu-imbalance"} <= set(first.explains)
    assert all(f.explained_by == "syn-flood" for f in watch.now.findings[1:])


def test_fold_makes_no_circle() -> None:
    first = Finding("a", "warning", "", "host", "h", (), "", 0, (), "")
    second = replace(first, id="b")
    folded = fold([first, second], {"a": ("b",), "b": ("a",)})
    assert [f.explained_by for f in folded] == [None, folded[0].id]


def test_threshold_scales_the_clear_level() -> None:
    limits = {"warning": Limit(0.75, 0.70), "floor": Limit(10)}
    assert overridden(limits, {"warning": 0.5})["warning"].clear == 0.70 * 0.5 / 0.75
    assert overridden(limits, {"warning": 0.5, "warning_clear": 0.4})["warning"] == Limit(0.5, 0.4)
    assert overridden(limits, {})["floor"].level(clearing=True) == 7.0
    watch = Watch(World().stack(UdpNoPorts=50), {"udp-port-unreachable": {"info": 20}})
    watch.run(4)
    assert watch.ids == ["udp-port-unreachable"]


def test_the_table_is_sound() -> None:
    assert len(BY_ID) == len(RULES)  # docs/findings.md pins the ids
    for rule in RULES:
        assert rule.severities, rule.id
        assert all(name in BY_ID for name in rule.explains), rule.id
        assert rule.id not in rule.explains
        assert all(limit.clear is None or name in ("accepted", "refused") or limit.clear <= limit.raised
                   for name, limit in rule.limits.items()), rule.id  # fmt: skip


def test_silenced_rule_is_not_checked() -> None:
    rules = chosen(silenced={"packet-storm", "firewall-drops"})
    assert {rule.id for rule in RULES} - {rule.id for rule in rules} == {"packet-storm", "firewall-drops"}


def test_diagnosis_without_samples_is_empty() -> None:
    assert Diagnosis().findings == ()
