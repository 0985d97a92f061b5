"""The sampler's clocks: rates come from CLOCK_MONOTONIC, whatever happens to the time of day."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from bpftop.collect import live
from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.hooks.attach_facts import AttachRequest
from bpftop.model.derive import derive_snapshot
from bpftop.model.sample import EVERYTHING_ELSE, NOT_READ_YET

HOUR_NS = 3600 * 10**9


@pytest.mark.parametrize("step_s", [-86_400, 86_400])
def test_a_wall_clock_that_steps_changes_no_rate(monkeypatch: pytest.MonkeyPatch, step_s: int) -> None:
    source = LiveSource(["lo"], LiveOptions(AttachRequest("none"), interval_s=0.1))
    with closing(source.samples()) as samples:
        before = next(samples)
        real = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: real() + step_s * 10**9)
        after = next(samples)
    source.close()
    snapshot = derive_snapshot(before, after)
    assert abs(after.wall_ns - before.wall_ns - step_s * 10**9) < HOUR_NS
    assert snapshot.interval_ns is not None
    assert 50_000_000 < snapshot.interval_ns < HOUR_NS  # the clock stepped by a day
    assert snapshot.total.rx.totals.packets_per_sec is not None
    assert snapshot.total.rx.totals.packets_per_sec >= 0


def test_a_new_interval_does_not_wait_for_the_old_end() -> None:
    source = LiveSource(["lo"], LiveOptions(AttachRequest("none"), interval_s=3600.0))
    with closing(source.samples()) as samples:
        next(samples)  # the second one follows by itself
        next(samples)
        source.change_interval(0.1)
        third, fourth = next(samples), next(samples)
    source.close()
    assert 50_000_000 < fourth.mono_ns - third.mono_ns < HOUR_NS  # the old interval is an hour


def test_a_screen_reads_the_traffic_alone_at_first() -> None:
    options = LiveOptions(AttachRequest("none"), interval_s=3600.0, traffic_first=True, drops=False)
    source = LiveSource(["lo"], options)
    with closing(source.samples()) as samples:
        first = [next(samples) for _ in range(4)]
    source.close()
    families = [{reading.family for reading in sample.readings.values()} for sample in first]
    reasons = [sample.unavailable.get(EVERYTHING_ELSE) for sample in first]
    assert reasons == [NOT_READ_YET, NOT_READ_YET, None, None]
    assert [each - {"self"} for each in families[:2]] == [{"links"}] * 2
    assert families[2] == families[3]
    assert {"links", "softnet", "cpu_times", "snmp"} <= families[3]


def test_with_few_files_the_first_sample_of_a_screen_has_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "free_files", lambda: 20)
    options = LiveOptions(AttachRequest("none"), interval_s=3600.0, traffic_first=True, drops=False)
    source = LiveSource(["lo"], options)
    with closing(source.samples()) as samples:
        assert {"softnet", "cpu_times"} <= {reading.family for reading in next(samples).readings.values()}
    source.close()
