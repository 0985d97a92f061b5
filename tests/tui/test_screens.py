"""Snapshots of every pane at the three sizes, from a made-up source and a clock that stands still."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bpftop.model.sample import Hook, Interface
from tests.tui.conftest import Same, Stage, perform
from tests.tui.fake_source import interface

SIZES = [(80, 24), (100, 30), (160, 50)]

OBSERVED = replace(
    interface("eth0", 2, speed_bits_per_sec=None),
    hooks={},
    notices=("no program: EPERM, CAP_BPF and CAP_NET_ADMIN are missing; start it with sudo",),
)
BOND = (
    interface("bond0", 5, kind="bond"),
    interface("eth0", 2, master=5),
    interface("eth1", 3, master=5, state="down"),
)


def shows(
    same: Same, name: str, size: tuple[int, int], *keys: str, interfaces: tuple[Interface, ...] = (), cpus: int = 16
) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press(*keys)
        lines = stage.text().splitlines()
        assert len(lines) == size[1]
        assert max(map(len, lines)) <= size[0]
        same(f"{name}-{size[0]}x{size[1]}.txt", stage.text())

    perform(scenario, size=size, interfaces=interfaces, cpus=cpus)


@pytest.mark.parametrize("size", SIZES)
def test_overview(same: Same, size: tuple[int, int]) -> None:
    shows(same, "overview", size)


@pytest.mark.parametrize("size", SIZES)
def test_cpus(same: Same, size: tuple[int, int]) -> None:
    shows(same, "cpus", size, "2")


@pytest.mark.parametrize("size", SIZES)
def test_one_cpu(same: Same, size: tuple[int, int]) -> None:
    """Its interrupts have room beside its protocols on every screen."""
    shows(same, "cpu", size, "2", *"jjjj", "enter")


@pytest.mark.parametrize("size", SIZES)
def test_cpus_as_a_strip(same: Same, size: tuple[int, int]) -> None:
    shows(same, "strip", size, "2", "w", cpus=512)


@pytest.mark.parametrize("size", SIZES)
def test_observer_mode(same: Same, size: tuple[int, int]) -> None:
    shows(same, "observer", size, interfaces=(OBSERVED,))


@pytest.mark.parametrize("size", SIZES)
def test_several_interfaces(same: Same, size: tuple[int, int]) -> None:
    shows(same, "bond", size, interfaces=BOND)


@pytest.mark.parametrize("size", SIZES)
def test_paused_ten_ticks_back(same: Same, size: tuple[int, int]) -> None:
    shows(same, "paused", size, "p", "H")


@pytest.mark.parametrize("size", SIZES)
def test_filtered_and_sorted(same: Same, size: tuple[int, int]) -> None:
    shows(same, "filtered", size, "slash", *"icmp,arp", "enter", "s", "s")


@pytest.mark.parametrize("size", SIZES)
def test_help(same: Same, size: tuple[int, int]) -> None:
    shows(same, "help", size, "question_mark")


@pytest.mark.parametrize("size", [(50, 10), (60, 15), (72, 20), (120, 40), (220, 60)])
def test_sizes_between(same: Same, size: tuple[int, int]) -> None:
    shows(same, "overview", size)


@pytest.mark.parametrize("size", [(49, 24), (80, 9), (20, 3), (1, 1)])
def test_too_small(size: tuple[int, int]) -> None:
    async def scenario(stage: Stage) -> None:
        whole = f"The terminal is too small: bpftop needs 50 x 10 cells, this is {size[0]} x {size[1]}."
        words = whole if size[0] >= 10 else "T"
        assert words.startswith(" ".join(stage.text().split()))
        await stage.pilot.resize_terminal(80, 24)
        await stage.pilot.pause()
        assert stage.row("LOST ")
        await stage.pilot.resize_terminal(*size)
        await stage.pilot.pause()
        assert "TCP" not in stage.text()

    perform(scenario, size=size)


def test_resizing_live_shows_what_a_start_at_that_size_shows() -> None:
    async def scenario(stage: Stage) -> None:
        for width, height in [(160, 50), (51, 11), (100, 30), (80, 24)]:
            await stage.pilot.resize_terminal(width, height)
            await stage.tick()
            lines = stage.text().splitlines()
            assert len(lines) == height
            assert max(map(len, lines)) <= width
            assert lines[5].startswith("LOST ")
            assert lines[-1].endswith("^p all  ? help  q quit")

    perform(scenario)


def test_before_the_first_sample_and_before_the_first_rates() -> None:
    async def scenario(stage: Stage) -> None:
        assert stage.text().startswith("waiting for the first sample")
        await stage.tick()
        assert "TCP" not in stage.text()  # nothing was counted yet
        assert stage.row("LOST").startswith("LOST  not known yet")
        assert stage.row("REFUSED").startswith("REFUSED  not known yet")
        assert re.search(r" RX +- +-", stage.text())
        await stage.tick()
        assert stage.row("TCP").split()[1:3] == ["1.08", "M"]

    perform(scenario, ticks=0)


def test_single_lookups_are_a_notice() -> None:
    slow = replace(
        interface("eth0", 2), hooks={"rx": Hook("tcx", None, 7, 14.0, False), "tx": Hook("tcx", None, 8, 14.0, False)}
    )

    async def scenario(stage: Stage) -> None:
        assert stage.line(3).startswith("! maps are read entry by entry (single lookups)")

    perform(scenario, interfaces=(slow,))


def test_further_notices_are_counted_and_listed_in_the_log() -> None:
    noted = interface("eth0", 2, notices=("the first one", "the second one", "the third one"))

    async def scenario(stage: Stage) -> None:
        assert re.fullmatch(r"! the first one +L: 2 more  esc: hide", stage.line(3))
        await stage.press("L")
        assert "the third one" in stage.text()
        await stage.press("escape")
        assert stage.line(3).startswith("! the first one")
        await stage.press("escape")
        assert stage.line(3) == ""
        await stage.tick()
        assert stage.line(3) == ""

    perform(scenario, interfaces=(noted,))


def test_each_cell_has_the_ground_of_the_theme() -> None:
    async def scenario(stage: Stage) -> None:
        strips = stage.app.frame._compositor.render_strips(stage.app.screen.size)
        grounds = {segment.style and segment.style.bgcolor for strip in strips for segment in strip}
        assert {ground and ground.name for ground in grounds} == {"#14171c"}

    perform(scenario, size=(160, 50))


@pytest.mark.parametrize(
    ("cpus", "size", "charts"), [(2, (80, 24), 2), (2, (80, 16), 0), (5, (160, 50), 5), (16, (160, 50), 0)]
)
def test_each_cpu_has_a_chart_where_there_is_room(cpus: int, size: tuple[int, int], charts: int) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("2")
        assert stage.text().count("now") == charts
        assert ("one scale for all CPUs" in stage.text()) == bool(charts)
        await stage.press("w")
        assert "one scale for all CPUs" not in stage.text()
        await stage.press("w")
        assert stage.text().count("now") == charts

    perform(scenario, size=size, cpus=cpus)


def test_widths_stay_from_tick_to_tick() -> None:
    """Columns end at the same cell on every tick."""

    async def scenario(stage: Stage) -> None:
        seen = set()
        for _ in range(20):
            await stage.tick()
            line = stage.row("UDP ")
            seen.add((len(line), line.index("%"), line.index("b/s")))
        assert len(seen) == 1

    perform(scenario, size=(100, 30))


def test_a_replay_shows_its_state_and_its_end() -> None:
    async def scenario(stage: Stage) -> None:
        assert " replay" in stage.line(1)
        stage.source.close()
        stage.sampling_thread.stop()
        await stage.pilot.pause()
        assert stage.said().startswith("The end: there are no more samples.")

    perform(scenario, live=False)
