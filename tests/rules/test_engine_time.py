"""Rules over time: jitter, slow and late readings, interfaces that vanish, samples kept for rates."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bpftop.model.derive import derive_snapshot
from bpftop.model.past_readings import past_sample
from bpftop.model.protocols import MALFORMED
from bpftop.model.sample import Interface, Reading, Sample
from bpftop.rules.engine import RuleEngine
from bpftop.rules.measure_series import MeasureSeries, TickTimes
from bpftop.rules.rule import NO_RATE
from bpftop.rules.table import chosen
from tests import samples
from tests.rules.test_rule_cases import require_finding
from tests.rules.world import Watch, World

SECOND = 10**9


def test_early_ticks_still_give_rates_over_three_seconds() -> None:
    world = World()
    watch = Watch(world)
    for tick in range(20):
        watch.run(1, 0.998 if tick % 2 else 1.002)
    world.stack(TcpExtListenOverflows=200)
    watch.run(2.994, 0.998)  # 199 whole events in 0.998 s of the last interval
    assert require_finding(watch, "accept-queue-overflow").title == "Accept queue overflows: 199/s"


def test_slow_family_has_rates_over_three_seconds() -> None:
    def sample(seq: int, reading: Reading) -> Sample:
        return samples.sample(seq / 10, reading, seq=seq, cpus=1, interfaces=())

    def nic(second: int, count: int, previous: Reading | None) -> Reading:
        return samples.reading("nic", {("eth0", "rx_missed"): [count]}, second, previous=previous)

    readings = [nic(0, 0, None)]
    for second in range(1, 5):
        readings.append(nic(second, 6 if second >= 2 else 0, replace(readings[-1], previous=None)))
    now = sample(45, readings[4])
    short = derive_snapshot(sample(10, readings[1]), now).reading("nic", "eth0")
    tick = derive_snapshot(sample(44, readings[4]), now).reading("nic", "eth0")
    assert short is not None
    assert tick is not None
    assert short.per_sec(("eth0", "rx_missed"), "count") == 2.0
    assert tick.per_sec(("eth0", "rx_missed"), "count") == 0.0


def test_rules_see_again_a_second_after_a_new_attachment() -> None:
    """A retreat from native XDP in the middle of a flood costs no 3 s more."""

    def attached_anew(sample: Sample) -> Sample:
        counted = {name: replace(each, epoch=1) for name, each in sample.readings.items() if name.endswith("/rx")}
        return replace(sample, readings={**sample.readings, **counted})

    world = World()
    watch = Watch(world)
    watch.run(5)
    world.frames("protocols", MALFORMED, pps=24)
    watch.run(1)
    assert watch.finding("malformed-packets") is None, "8 a second over 3 s"
    watch._push(attached_anew(world.advance()))
    assert watch.now.waiting["malformed-packets"] == NO_RATE
    watch._push(attached_anew(world.advance()))
    assert require_finding(watch, "malformed-packets").title == "Malformed packets: 24/s"


@pytest.mark.parametrize("ticks", [(1, 1, 1), (1.4, 0.6, 1), (0.5, 2.5, 0.6), (1, 1.9, 0.1, 1), (2.2, 0.8)])
def test_burst_of_a_moment_is_no_finding_with_late_ticks(ticks: tuple[float, ...]) -> None:
    """On a busy machine ticks come late, and the time of one is no measure for how long a burst has lasted."""
    world = World()
    watch = Watch(world)
    watch.run(5)
    world.stack(TcpExtListenOverflows=300)
    for seconds in ticks:
        watch.run(seconds, seconds)
        assert watch.finding("accept-queue-overflow") is None, watch.now
        world.stack(TcpExtListenOverflows=0)


def test_overflow_that_lasts_is_found_with_late_ticks() -> None:
    world = World()
    watch = Watch(world)
    watch.run(5)
    world.stack(TcpExtListenOverflows=300)
    for seconds in (0.5, 1.6, 1.0):
        watch.run(seconds, seconds)
    assert require_finding(watch, "accept-queue-overflow").severity == "critical"


def test_findings_of_a_gone_interface_are_cleared() -> None:
    world = World().rate("links/eth0", ("eth0",), "rx_crc_errors", 50)
    watch = Watch(world)
    watch.run(5)
    assert watch.finding("rx-crc-errors") is not None
    world.absent("links/eth0", "gone").facts(state="gone")
    watch.run(1)
    assert watch.finding("rx-crc-errors") is None
    assert watch.now.blind["rx-crc-errors"] == "eth0 is gone"


def test_finding_without_data_is_dropped() -> None:
    world = World().stack(TcpExtListenOverflows=20)
    watch = Watch(world)
    watch.run(5)
    for _ in range(30):  # a counter that is reset with every reading
        world._cells["netstat"][("TcpExtListenOverflows",)] = [1e6 - world.seq * 1e3]
        watch.run(1)
    assert watch.finding("accept-queue-overflow") is None


def test_late_counters_need_three_seconds() -> None:
    world = World()
    drops = world._cells.pop("drops")
    watch = Watch(world)
    watch.run(2)
    world._cells["drops"] = drops
    world.rate("drops", ("eth0", "NETFILTER_DROP"), "packets", 50)
    watch.run(2)
    assert watch.finding("firewall-drops") is None
    assert "firewall-drops" in watch.now.waiting
    watch.run(2)
    assert watch.finding("firewall-drops") is not None


@pytest.mark.parametrize(("first_s", "interval_s"), [(0.1, 0.1), (0.1, 1.0), (0.1, 3.0), (0.1, 10.0)])
def test_fault_before_the_start_is_found_at_any_interval(first_s: float, interval_s: float) -> None:
    watch = Watch(World().stack(TcpExtListenOverflows=20))
    watch.run(first_s, first_s)
    watch.run(max(4.0, interval_s), interval_s)
    assert require_finding(watch, "accept-queue-overflow").title == "Accept queue overflows: 20/s"


@pytest.mark.parametrize("interval_s", [0.1, 1.0, 10.0])
def test_finding_at_its_limit_does_not_flap(interval_s: float) -> None:
    world, changes, stood = World(), 0, False
    watch = Watch(world)
    for step in range(60):
        world.stack(TcpExtListenOverflows=0.9 if step % 2 else 1.1)
        watch.run(max(1.0, interval_s), interval_s)
        stands = watch.finding("accept-queue-overflow") is not None
        changes, stood = changes + (stands != stood), stands
    assert changes <= 1


def test_series_mean_is_weighted_by_time() -> None:
    ticks = TickTimes(70)
    series: MeasureSeries | None = None

    def push(mono_ns: int, interval_ns: int, value: float | None) -> MeasureSeries:
        ticks.push(mono_ns, interval_ns)
        pushed = series or MeasureSeries(70, ticks)
        pushed.push(mono_ns, interval_ns, value)
        return pushed

    series = push(1 * SECOND, SECOND, 0.0)
    push(11 * SECOND // 10, SECOND // 10, 1_000.0)  # a tenth of a second
    push(2 * SECOND, 9 * SECOND // 10, None)
    for second in range(3, 12):
        push(second * SECOND, SECOND, 10.0)
    mean = series.mean(11 * SECOND, 10, 0, 9)
    assert mean == pytest.approx((100 + 90) / 9.1)
    assert series.mean(11 * SECOND, 10, 0, 9.5) is None


@pytest.mark.parametrize("moved", [(200, 201, 350), range(100, 400, 10), range(150, 250, 3)])
@pytest.mark.parametrize("unknown", [(), (33, 60, 61, 180), range(40, 75), range(31, 94)])
@pytest.mark.parametrize("first", [0.0, None, 5.0])
def test_zeros_of_a_series_count_as_other_values(
    first: float | None, unknown: Sequence[int], moved: Sequence[int]
) -> None:
    """Compare a series, which holds no values while all are zero, with its definition in every tick."""
    ticks = TickTimes(610)
    for second in range(1, 31):
        ticks.push(second * SECOND, SECOND)
    series: MeasureSeries | None = None
    values: dict[int, float | None] = {}
    for second in range(31, 400):
        ticks.push(second * SECOND, SECOND)
        if second in (90, 91):  # the input was unavailable
            continue
        series = series or MeasureSeries(70, ticks)
        values[second] = first if second == 31 else 7.0 if second in moved else 0.0
        if second in unknown:
            values[second] = None
        series.push(second * SECOND, SECOND, values[second])
        for seconds, until_s in ((60.0, 5.0), (3.0, 0.0)):
            inside = [values[at] for at in sorted(values) if second - until_s - seconds < at <= second - until_s]
            known = [value for value in inside if value is not None]
            mean = series.mean(second * SECOND, seconds, until_s, 3.0)
            if second - until_s - seconds in values and len(known) >= 3:  # the first tick only begins the sums
                assert mean == pytest.approx(sum(known) / len(known))
        if second >= 95:
            expected = [(0.0 if values[at] is None else 1.0, values[at] or 0.0) for at in range(second - 2, second + 1)]
            assert series.intervals(second * SECOND, 3.0) == [pytest.approx(each) for each in expected]


def test_sample_without_cpu_cells_gives_the_same_rates() -> None:
    world = World().frames("protocols", 6, pps=900, cpu=0).frames("protocols", 17, pps=300, cpu=1)
    world.rate("softnet", (1,), "dropped", 5).rate("cpu_times", (1,), "softirq_ns", SECOND / 2)
    old, new = world.advance(), world.advance()
    full = derive_snapshot(old, new).interfaces[0].rx
    slim = derive_snapshot(past_sample(old), new).interfaces[0].rx
    assert (full.totals, full.protocols, full.breakdowns) == (slim.totals, slim.protocols, slim.breakdowns)
    assert full.cpu_rates == slim.cpu_rates == (900.0, 300.0)
    small = past_sample(old).readings["protocols/eth0/rx"]
    assert len(small.values) == 2 * 2
    assert all(r.previous is None for r in past_sample(old).readings.values())


def test_unchanged_values_are_kept_once_for_all_samples() -> None:
    name = "protocols/eth0/rx"
    world = World().frames("protocols", 6, pps=900, cpu=0)
    old = world.advance()
    newer = world.quiet().advance()
    unchanged = replace(newer.readings[name], values=old.readings[name].values)
    newer = replace(newer, readings={**newer.readings, name: unchanged})
    condensed, own = past_sample(old), past_sample(newer)
    shared = past_sample(newer, old, condensed)
    assert shared == own
    assert [each.cpu_totals for each in shared.readings.values()] == [e.cpu_totals for e in own.readings.values()]
    assert shared.readings[name].values is condensed.readings[name].values is not own.readings[name].values
    assert shared.readings[name].read_ns > condensed.readings[name].read_ns
    again = past_sample(replace(newer, readings={"links/eth0": newer.readings["links/eth0"]}), newer, shared)
    assert list(again.readings.items()) == [("links/eth0", own.readings["links/eth0"])]
    other_epoch = replace(newer, readings={name: replace(unchanged, epoch=7)})
    assert past_sample(other_epoch, newer, shared).readings[name].epoch == 7


def test_past_samples_share_the_readings_of_idle_interfaces() -> None:
    """300 interfaces without traffic: a past sample refers to the readings of the sample before, and keeps no other."""
    world = World(*[samples.interface(f"m{number}", number + 2, hooks=samples.HOOKS) for number in range(300)])
    first = world.sample()
    second = world.advance()
    idle = {
        name: replace(reading, values=first.readings[name].values)
        for name, reading in second.readings.items()
        if reading.values == first.readings[name].values
    }
    second = replace(second, readings={**second.readings, **idle})
    assert len(idle) > 300
    past = past_sample(first)
    newer = past_sample(second, first, past)
    kept = [each for each in gc.get_referents(newer.readings) if isinstance(each, list)]
    assert len(kept) == 1
    before = {id(each) for held in gc.get_referents(past.readings) if isinstance(held, list) for each in held}
    assert sum(id(each) not in before for each in kept[0]) == len(newer.readings) - len(set(idle) & set(newer.readings))
    assert [each.read_ns for each in newer.readings.values()] == [
        second.readings[name].read_ns for name in newer.readings
    ]


def test_engine_accepts_a_new_interface() -> None:
    engine, world = RuleEngine(chosen()), World()
    before = None
    for second in range(12):
        if second == 4:
            world.interfaces = (*world.interfaces, Interface("eth9", "eth9", 9))
        sample = world.advance()
        diagnosis = engine.push(sample, derive_snapshot(before, sample))
        before = sample
    assert diagnosis.findings == ()
