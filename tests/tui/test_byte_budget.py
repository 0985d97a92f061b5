"""At most 1 kB/s on slow lines, by counting bytes and letting ticks wait."""

from __future__ import annotations

import pytest

from bpftop.tui.terminal.byte_budget import ByteBudget
from bpftop.tui.terminal.traits import LOW_BANDWIDTH, TerminalTraits
from tests.tui.conftest import Stage, perform


def test_without_a_limit_nothing_waits() -> None:
    budget = ByteBudget(None)
    budget.spend(1_000_000)
    assert budget.wait_s() == 0


def test_bytes_of_any_hour_stay_within_the_limit() -> None:
    """Whatever a tick writes, the mean over time is at most the limit: each tick waits for the bytes before it."""
    now, written = 0.0, 0
    budget = ByteBudget(1000, lambda: now)
    sizes = [300, 5000, 40, 12_000, 900]
    for tick in range(3600):
        now = float(tick)
        if budget.wait_s() == 0:
            written += (size := sizes[tick % len(sizes)])
            budget.spend(size)
    assert written <= 1000 * 3600 + max(sizes)
    assert written > 900 * 3600


def test_time_without_writing_is_not_saved_up() -> None:
    now = 0.0
    budget = ByteBudget(1000, lambda: now)
    now = 100.0
    budget.spend(2000)
    assert budget.wait_s() == pytest.approx(2.0)


def test_ticks_wait_on_the_screen_and_keys_do_not() -> None:
    traits = TerminalTraits(16, bytes_per_sec=LOW_BANDWIDTH)

    async def scenario(stage: Stage) -> None:
        stage.app.writer.budget.spend(1_000_000)  # for the next quarter of an hour the line is busy
        before = stage.text()
        await stage.tick(3)
        assert stage.text() == before
        await stage.press("2")
        assert "softirq" in stage.text()

    perform(scenario, traits=traits)
