"""The sampler's clocks: rates come from CLOCK_MONOTONIC, whatever happens to the time of day."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from bpftop.collect.live import LiveSource
from bpftop.hooks.attach_facts import AttachRequest
from bpftop.model.derive import derive_snapshot


@pytest.mark.parametrize("step_s", [-86_400, 86_400])
def test_a_wall_clock_that_steps_changes_no_rate(monkeypatch: pytest.MonkeyPatch, step_s: int) -> None:
    source = LiveSource(["lo"], AttachRequest("none"), interval_s=0.1)
    with closing(source.samples()) as samples:
        before = next(samples)
        real = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: real() + step_s * 10**9)
        after = next(samples)
    source.close()
    snapshot = derive_snapshot(before, after)
    assert abs(after.wall_ns - before.wall_ns - step_s * 10**9) < 5 * 10**9
    assert snapshot.interval_ns is not None
    assert 50_000_000 < snapshot.interval_ns < 5 * 10**9
    assert snapshot.total.rx.totals.packets_per_sec is not None
    assert snapshot.total.rx.totals.packets_per_sec >= 0
