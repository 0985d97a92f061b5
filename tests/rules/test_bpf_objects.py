"""The checks of BPF programs and maps: asleep without their readings, raised by fullness, share of a CPU and cost."""

from __future__ import annotations

import pytest

from bpftop.rules.bpf_objects import ASLEEP
from tests.rules.world import Watch, World

PROGRAM = ("7", "xdp", "filter", "xdp native eth0", "agent[12]")


def test_without_readings_the_checks_are_asleep_and_not_blind() -> None:
    diagnosis = Watch(World()).run(6)
    for rule in ("bpf-map-full", "bpf-program-cost"):
        assert diagnosis.not_applicable[rule] == ASLEEP


@pytest.mark.parametrize(
    ("used", "kind", "severity"),
    [(79, "hash", None), (81, "hash", "warning"), (96, "hash", "critical"), (100, "lru_hash", None),
     (100, "array", None), (100, "sockmap", None), (100, "reuseport_sockarray", None), (100, "lpm_trie", "critical"),
     (100, "sockhash", "critical"), (100, "devmap_hash", "critical")],
)  # fmt: skip
def test_a_map_that_is_nearly_full(used: int, kind: str, severity: str | None) -> None:
    world = World().level("bpf_maps", ("9", kind, "conns", "agent[12]"), entries=used, max_entries=100)
    watch = Watch(world)
    watch.run(6)
    finding = watch.finding("bpf-map-full")
    assert (finding.severity if finding else None) == severity
    if finding:
        assert finding.title == f"The BPF map conns is {used}% full"
        assert "held by agent[12]" in finding.evidence


@pytest.mark.parametrize(("used", "severity"), [(79, None), (96, "critical")])
def test_a_map_that_was_counted_in_part_is_never_called_fine(used: int, severity: str | None) -> None:
    world = World().level("bpf_maps", ("9", "lpm_trie", "routes", "agent[12]"), entries=0, max_entries=100)
    watch = Watch(world.level("bpf_maps_in_part", ("9",), entries=used))
    diagnosis = watch.run(6)
    finding = watch.finding("bpf-map-full")
    if severity is None:
        assert finding is None
        assert diagnosis.blind["bpf-map-full"] == "too large to be counted within 50 ms: routes"
    else:
        assert finding is not None
        assert (finding.severity, finding.title) == (severity, f"The BPF map routes is at least {used}% full")


def program(runs: float, each_ns: float, *, added_ps: int = 40_000, are_on: int = 1) -> World:
    world = World().level("bpf_statistics", (), are_on=are_on, added_ps=added_ps)
    world.rate("bpf_programs", PROGRAM, "run_cnt", runs)
    return world.rate("bpf_programs", PROGRAM, "run_time_ns", runs * (each_ns + added_ps / 1000))


def test_a_program_that_takes_a_share_of_a_cpu() -> None:
    watch = Watch(program(1_000_000, 250))
    watch.run(6)
    finding = watch.finding("bpf-program-cost")
    assert finding is not None
    assert finding.title == "The BPF program filter takes 25% of a CPU"
    assert "1.00 M/s runs of 250 ns each" in finding.evidence[0]
    assert "xdp, id 7, attached to xdp native eth0" in finding.evidence
    quiet = Watch(program(1_000_000, 150))
    quiet.run(6)
    assert quiet.finding("bpf-program-cost") is None


def test_a_program_that_became_dear() -> None:
    world = program(2_000, 100)
    watch = Watch(world)
    watch.run(10)
    assert watch.finding("bpf-program-cost") is None
    world.rate("bpf_programs", PROGRAM, "run_time_ns", 2_000 * 500)
    watch.run(5)
    finding = watch.finding("bpf-program-cost")
    assert finding is not None
    assert "ns a run before" in finding.evidence[0]


def test_without_statistics_the_cost_does_not_apply() -> None:
    diagnosis = Watch(program(1_000_000, 900, are_on=0)).run(6)
    assert diagnosis.not_applicable["bpf-program-cost"].startswith("run statistics are off")
