"""The busiest flows on a wide Overview: when they are counted, and what the screen says of them."""

from __future__ import annotations

from typing import Any

import pytest

from bpftop.fields import replace
from bpftop.model.sample import Reading
from bpftop.tui.widgets.top_flows import FEW_PACKETS, SOME_PACKETS, TopFlows, top_flows_1_in
from tests.tui.conftest import Stage, perform
from tests.tui.fake_flows import top_flow_readings

WIDE = (160, 50)


def test_top_flows_are_counted_only_while_they_are_shown() -> None:
    async def scenario(stage: Stage) -> None:
        asked = stage.source.top_flows_asked
        assert asked == [FEW_PACKETS]
        await stage.press("2")
        assert asked == [FEW_PACKETS, 0]
        await stage.press("1")
        assert asked == [FEW_PACKETS, 0, FEW_PACKETS]
        await stage.pilot.resize_terminal(150, 50)
        await stage.tick()
        assert asked[3:] == [0]
        assert "Top flows" not in stage.text()

    perform(scenario, size=WIDE)


def test_a_screen_that_begins_with_rates_asks_for_top_flows() -> None:
    """The first drawing is before the pane runs, and a message posted then is lost."""

    async def scenario(stage: Stage) -> None:
        await stage.tick()
        assert stage.source.top_flows_asked == [FEW_PACKETS]

    perform(scenario, size=WIDE, ticks=12, before=10)


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (159, 60), (160, 30)])
def test_smaller_screens_count_no_flows(size: tuple[int, int]) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.tick()
        assert stage.source.top_flows_asked == []

    perform(scenario, size=size)


def test_estimates_are_marked() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.tick()
        assert "Top flows  mean of 1 s, estimated from 1 in 128 packets" in stage.text()
        row = next(line for line in stage.text().splitlines() if "203.0.113.78:61234" in line)
        assert row.split()[-6:] == ["TCP", "443", "~150", "k", "~1.44", "G"]

        stage.source.top_flows_asked.clear()
        await stage.tick()
        assert "the first flows come with the next ticks" in stage.text()

    perform(scenario, size=WIDE)


def test_flows_without_rates_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first read of the tables has counts since the interface is watched, and no rates: not rates of zero."""

    def without_previous(*args: Any) -> dict[str, Reading]:
        return {name: replace(reading, previous=None) for name, reading in top_flow_readings(*args).items()}

    monkeypatch.setattr("tests.tui.fake_source.top_flow_readings", without_previous)

    async def scenario(stage: Stage) -> None:
        asked = stage.source.top_flows_asked.pop()
        await stage.tick()
        stage.source.top_flows_asked.append(asked)
        await stage.tick()
        assert "the first flows come with the next ticks" in stage.text()
        assert "~0" not in stage.text()
        await stage.tick()
        assert "203.0.113.78:61234" in stage.text()

    perform(scenario, size=WIDE)


def test_enter_and_click_on_a_flow_open_it_in_the_flows_pane() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.tick()
        await stage.press("i", "j", "enter")
        assert stage.app.place.pane == "flows"
        await stage.tick()
        assert "203.0.113.78:61234" in stage.text()
        await stage.press("escape")
        table = stage.app.query_one(TopFlows)
        for _ in range(2):
            await stage.pilot.click(table, offset=(3, 3))
        assert stage.app.place.pane == "flows"
        assert "198.51.100.9" in stage.app.place.title
        await stage.press("escape")
        await stage.pilot.click(table, offset=(3, 0))
        assert (stage.app.place.pane, stage.app.place.row) == ("flows", "")

    perform(scenario, size=WIDE)


def test_how_many_packets_are_counted_follows_the_rate() -> None:
    async def scenario(stage: Stage) -> None:
        snapshot = stage.app.snapshot
        assert snapshot is not None
        total = snapshot.total

        def at(packets_per_sec: float, counting_1_in: int, seq: int = 10) -> int:
            totals = replace(total.rx.totals, packets_per_sec=packets_per_sec)
            quiet = replace(total.tx, totals=replace(total.tx.totals, packets_per_sec=0.0))
            moved = replace(total, rx=replace(total.rx, totals=totals), tx=quiet)
            return top_flows_1_in(replace(snapshot, seq=seq, total=moved), counting_1_in)

        assert at(1e6, 0, seq=1) == 0, "not before the first rates"
        assert at(100.0, 0) == SOME_PACKETS
        assert at(1e6, 0) == FEW_PACKETS
        assert [at(rate, SOME_PACKETS) for rate in (19e3, 21e3)] == [SOME_PACKETS, FEW_PACKETS]
        assert [at(rate, FEW_PACKETS) for rate in (6e3, 4e3)] == [FEW_PACKETS, SOME_PACKETS]

    perform(scenario, size=(80, 24))
