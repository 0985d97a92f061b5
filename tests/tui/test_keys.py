"""The effect of every key in the table of actions."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bpftop.errors import BpftopError
from bpftop.model.units import factor
from bpftop.tui.actions import ACTION_IDS, ACTIONS
from bpftop.tui.app import APP_ACTIONS
from bpftop.tui.commands import COMMANDS
from tests.tui.conftest import Stage, perform
from tests.tui.fake import interface

THREE = (interface("eth0", 2), interface("eth1", 3), interface("eth2", 4))
OFFER = "native XDP, exact (this driver resets its rings)"


def test_every_action_is_there_once_and_can_be_done() -> None:
    assert len(set(ACTION_IDS)) == len(ACTIONS)
    keys = [key for action in ACTIONS for key in action.keys.split(",")]
    assert len(set(keys)) == len(keys)
    assert all((action.id in COMMANDS) != (action.id in APP_ACTIONS) for action in ACTIONS)
    assert {*COMMANDS, *APP_ACTIONS} == set(ACTION_IDS)


def test_pause_stops_the_screen_and_not_the_counting() -> None:
    async def scenario(stage: Stage) -> None:
        before = stage.row("TCP")
        await stage.press("p")
        await stage.tick(5)
        assert stage.row("TCP") == before
        assert stage.line(0).endswith("-5 s PAUSED")
        assert stage.app.snapshot is not None
        assert stage.app.snapshot.seq == 74
        await stage.press("p")
        assert stage.row("TCP") != before
        assert stage.line(0).endswith("live")

    perform(scenario)


def test_arrows_go_back_and_forth_while_paused() -> None:
    async def scenario(stage: Stage) -> None:
        rows = {}
        for back in range(3, -1, -1):
            rows[back] = stage.row("TCP")
            if back:
                await stage.tick()
        await stage.press("left")  # this alone pauses
        assert stage.row("TCP") == rows[1]
        assert stage.line(0).endswith("-1 s PAUSED")
        await stage.press("h")
        assert stage.row("TCP") == rows[2]
        await stage.press("right", "l")
        assert stage.row("TCP") == rows[0]
        await stage.press("right", "right")  # no further than the newest
        assert stage.line(0).endswith("0 s PAUSED")
        await stage.press(*["H"] * 20)  # no further than the oldest with rates
        assert stage.line(0).startswith("web-17")
        assert stage.row("TCP").split()[1] != "-"
        await stage.press("L", "shift+left", "shift+right", "escape")
        assert stage.line(0).endswith("live")
        await stage.press("right")  # live already
        assert stage.line(0).endswith("live")

    perform(scenario)


def test_a_mark_changes_the_factor_to_since_the_mark() -> None:
    async def scenario(stage: Stage) -> None:
        assert "x 1 min " in stage.text()
        await stage.press("m")
        assert "x mark" in stage.row("Protocol")
        assert stage.line(3).endswith(" x mark")
        assert "x 1 min" not in stage.text()
        await stage.tick()
        assert 0.7 < float(stage.row("TCP")[52:60]) < 1.3
        await stage.tick(20)
        mark, latest = stage.app.view.mark, stage.app.snapshot
        assert mark is not None
        assert latest is not None
        now = next(row.counts.packets_per_sec for row in latest.total.rx.protocols if row.name == "SCTP")
        assert stage.row("SCTP")[52:60].strip() == factor(now, mark.rates["eth0", "rx", "132"])
        await stage.press("2")
        assert "x mark" in stage.row("  CPU")
        await stage.press("m")
        assert "x mark" not in stage.text()

    perform(scenario, size=(100, 30))


def test_filter_as_it_is_typed() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("slash", "u", "d")
        assert stage.line(-1).startswith("/ud▁")
        assert "UDP" in stage.text()
        assert "\nTCP" not in stage.text()
        await stage.press("backspace", "backspace", "q", "p")  # these are letters now, and not quit and pause
        assert stage.line(-1).startswith("/qp▁")
        assert "filter: qp (0 of 16)" in stage.text()
        await stage.press("ctrl+u", *"sctp", "enter")
        assert "filter: sctp (1 of 16)" in stage.text()
        assert stage.line(-1).startswith("p pause")
        await stage.press("slash", "escape")
        assert "\nTCP" in stage.text()
        assert "filter" not in stage.line(5)

    perform(scenario)


def test_a_pasted_filter() -> None:
    async def scenario(stage: Stage) -> None:
        from textual.events import Paste

        await stage.press("slash")
        stage.app.post_message(Paste("icmp\x1b[31m"))
        await stage.pilot.pause()
        assert stage.line(-1).startswith("/icmp[31m▁")

    perform(scenario)


def test_sort_by_each_column_reversed_and_back() -> None:
    async def scenario(stage: Stage) -> None:
        usual = [line.split()[0] for line in stage.text().splitlines()[8:24]]
        titles = []
        for _ in range(7):
            await stage.press("s")
            heading = stage.row("Protocol" if not stage.line(7).startswith("▲") else "▲")
            titles.append(heading[heading.index("▼" if "▼" in heading else "▲") :].split("  ")[0].strip())
        assert titles == ["▲Protocol", "▼RX pps", "▼RX bit/s", "▼share", "▼x 1 min", "▼TX pps", "▼TX bit/s"]
        await stage.press("s")
        assert [line.split()[0] for line in stage.text().splitlines()[8:24]] == usual
        await stage.press("s", "s", "o")
        rates = [line[15:23].strip() for line in stage.text().splitlines()[8:24]]
        assert rates[-1] == stage.row("TCP")[15:23].strip()
        assert "▲RX pps" in stage.text()

    perform(scenario, size=(80, 25))


def test_the_cursor_stays_on_its_row_whatever_the_order() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("j", "down", "j")
        assert stage.row("UDP").startswith("UDP           ◂")
        await stage.press("s")
        assert stage.row("UDP").startswith("UDP           ◂")
        await stage.press("k")
        assert "◂" not in stage.row("UDP")
        await stage.press("G")
        assert "◂" in stage.line(22)
        await stage.press("g")
        assert "◂" in stage.line(8)
        await stage.press("pagedown")
        await stage.press("pageup")
        assert "◂" in stage.line(8)
        await stage.press("escape")
        assert "◂" not in stage.text()

    perform(scenario)


def test_a_longer_table_scrolls_with_the_cursor() -> None:
    async def scenario(stage: Stage) -> None:
        assert "rows 1-17 of 512" in stage.text()
        await stage.press("G")
        assert "rows 496-512 of 512" in stage.text()
        assert stage.line(-2).startswith("▸ 511")
        await stage.press("k", "ctrl+u")
        assert "▸ 498" in stage.text()
        await stage.press("g")
        assert "rows 1-17 of 512" in stage.text()

    async def opened(stage: Stage) -> None:
        await stage.press("2")
        await scenario(stage)

    perform(opened, cpus=512, ticks=3)


def test_cpus_are_filtered_by_number_and_by_protocol() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("2", "slash", *"1-2,7", "enter")
        assert [line.split()[0] for line in stage.text().splitlines()[6:9]] == ["1", "2", "7"]
        assert "filter: 1-2,7 (3 of 16)" in stage.text()
        await stage.press("slash", "ctrl+u", *"gre", "enter")
        assert "(16 of 16)" in stage.text()
        await stage.press("slash", "ctrl+u", *"nonesuch", "enter")
        assert "(0 of 16)" in stage.text()
        await stage.press("1")  # a filter is that of one pane
        assert "filter" not in stage.line(5)

    perform(scenario)


def test_cpus_sorted_by_load() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("2", "s", "s")
        assert "▼pps" in stage.text()
        assert stage.line(6).split()[0] == "3"
        await stage.press("s", "o")
        assert "▲bit/s" in stage.text()
        assert stage.line(21).split()[0] == "3"
        await stage.press(*["s"] * 5)
        assert stage.line(6).split()[0] == "0"

    perform(scenario)


def test_strip_and_rows() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("2", "w")
        assert stage.line(6).startswith("    0 ▁▁▁▇▁▁▁▁ ▁▁▁▁▁▁▁▁")
        await stage.press("j", "s", "y")  # nothing to select or sort; the screen can be copied
        await stage.press("w")
        assert stage.row("    3").split()[0] == "3"

    perform(scenario)


def test_direction() -> None:
    async def scenario(stage: Stage) -> None:
        assert "RX frame sizes" in stage.text()
        assert "carry RX" in stage.text()
        await stage.press("t")
        assert "TX frame sizes" in stage.text()
        assert "UDP to port" in stage.text()
        assert "carry TX" in stage.text()
        await stage.press("2")
        assert stage.line(1).startswith("TX ")
        await stage.press("t")
        assert stage.line(1).startswith("RX ")

    perform(scenario, size=(160, 50))


def test_interfaces_in_a_circle() -> None:
    async def scenario(stage: Stage) -> None:
        chosen = []
        for key in ("tab", "right_square_bracket", "tab", "tab", "shift+tab", "left_square_bracket"):
            await stage.press(key)
            chosen.append(stage.row("▸").split()[1])
        assert chosen == ["eth0", "eth1", "eth2", "total", "eth2", "eth1"]
        assert stage.line(0).startswith("web-17  eth1  rx xdp native")

    perform(scenario, interfaces=THREE)


def test_help_and_back() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("s", "s", "slash", *"tcp", "enter", "question_mark")
        first = stage.line(1)
        assert first == "Keys"
        await stage.press("j")
        assert stage.line(1) != first
        await stage.press("G")
        assert "is never zero." in stage.text()
        await stage.press("y")
        assert "RX bit/s" in stage.app.clipboard
        await stage.press("escape")
        assert "filter: tcp" in stage.text()  # what was looked at is as it was
        assert "▼RX pps" in stage.text()
        await stage.press("f1", "2")
        assert stage.line(5).startswith("  CPU")

    perform(scenario)


def test_copy_a_row_or_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(stage: Stage) -> None:
        written: list[str] = []
        assert stage.app._driver is not None
        monkeypatch.setattr(stage.app._driver, "write", written.append)
        await stage.press("y")
        assert (
            stage.app.clipboard == stage.text().replace(stage.line(-1), "").rstrip("\n") or "TCP" in stage.app.clipboard
        )
        await stage.press("g", "y")
        heading, row = stage.app.clipboard.splitlines()
        assert heading.startswith("Protocol")
        assert row.startswith("TCP")
        encoded = base64.b64encode(stage.app.clipboard.encode()).decode()
        assert f"\x1b]52;c;{encoded}\a" in written
        assert stage.line(-1).startswith("copied the row to the clipboard")
        await stage.press("k")
        assert stage.line(-1).startswith("p pause")
        await stage.press("2", "g", "y")
        assert stage.app.clipboard.splitlines()[1].split()[0] == "▸"

    perform(scenario)


def test_save_the_moment_that_is_shown() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("p")
        await stage.tick(3)
        await stage.press("S")
        await stage.app.workers.wait_for_complete()
        await stage.pilot.pause()
        assert [snapshot.seq for snapshot in stage.saved] == [69]
        assert stage.line(-1) == "saved /somewhere/bpftop-web-17.json"
        await stage.press("j")
        assert stage.line(-1).startswith("p live")

    perform(scenario)


def test_an_action_that_fails_says_why() -> None:
    def fails(svg: str) -> str:
        raise BpftopError("cannot write x.svg: No space left on device; start bpftop where you may write")

    async def scenario(stage: Stage) -> None:
        await stage.press("V")
        await stage.app.workers.wait_for_complete()
        await stage.pilot.pause()
        assert stage.line(-2) == "cannot write x.svg: No space left on device; start bpftop where you may write"[:80]

    async def fits(stage: Stage) -> None:
        await stage.press("V")
        await stage.app.workers.wait_for_complete()
        await stage.pilot.pause()
        assert stage.line(-1).startswith("cannot write x.svg")

    perform(fits, size=(100, 30), actions={"save_picture": fails})


@pytest.mark.parametrize("key", ["V", "ctrl+s"])
def test_the_picture_is_saved_and_its_path_shown(key: str) -> None:
    pictures: list[str] = []

    def save(svg: str) -> str:
        pictures.append(svg)
        return "bpftop-web-17.svg"

    async def scenario(stage: Stage) -> None:
        await stage.press(key)
        await stage.app.workers.wait_for_complete()
        await stage.pilot.pause()
        assert stage.line(-1) == "saved bpftop-web-17.svg"
        assert pictures[0].startswith("<svg ")

    perform(scenario, actions={"save_picture": save})


@pytest.mark.parametrize(("key", "accepted"), [("y", ["eth0"]), ("n", []), ("escape", []), ("x", [])])
def test_an_offer_is_taken_up_only_after_a_yes(key: str, accepted: list[str]) -> None:
    async def scenario(stage: Stage) -> None:
        assert stage.line(-1).startswith(f"x: {OFFER}  p pause")
        await stage.press("x")
        assert stage.line(-1) == f"x: {OFFER} - do it? y/n"
        await stage.tick()  # the question stays
        assert stage.line(-1).endswith("do it? y/n")
        await stage.press(key)
        await stage.app.workers.wait_for_complete()
        await stage.pilot.pause()
        assert stage.source.accepted == accepted
        await stage.press("g")
        await stage.tick()
        assert stage.line(-1).startswith("p pause") == bool(accepted)  # what was done is no longer on offer

    perform(scenario, interfaces=(interface("eth0", 2, offer=OFFER),))


def test_a_long_offer_of_an_interface_is_shown_whole() -> None:
    long = "native XDP, exact: " + "this driver resets its rings and drops the link for seconds; " * 3

    async def scenario(stage: Stage) -> None:
        assert stage.line(-1).startswith("x: eth1: native XDP, exact")
        await stage.press("x")
        asked = " ".join(" ".join(stage.text().splitlines()[-4:]).split())
        assert asked.endswith(f"x: eth1: {long.strip()} - do it? y/n")
        await stage.press("y")
        await stage.app.workers.wait_for_complete()
        assert stage.source.accepted == ["eth1"]

    perform(scenario, interfaces=(interface("eth0", 2), interface("eth1", 3, offer=long)))


def test_x_without_an_offer_does_nothing() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("x", "y")
        assert stage.source.accepted == []

    perform(scenario)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_quit(key: str) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.pilot.press(key)
        await stage.pilot.pause()
        assert stage.app.return_code == 0
        assert not stage.app.is_running

    perform(scenario)


def test_quit_before_the_first_sample() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.pilot.press("p", "j", "question_mark", "q")
        await stage.pilot.pause()
        assert not stage.app.is_running

    perform(scenario, ticks=0)


def test_suspend(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(stage: Stage) -> None:
        asked: list[Any] = []
        monkeypatch.setattr(stage.app, "action_suspend_process", lambda: asked.append(1))
        await stage.press("ctrl+z")
        assert asked == [1]

    perform(scenario)


def test_keys_can_be_chosen() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("p")
        assert stage.line(0).endswith("live")
        await stage.press("space")
        assert stage.line(0).endswith("PAUSED")
        assert stage.line(-1).startswith("space live")
        await stage.press("question_mark")
        assert any(line.startswith("space ") and "Pause the screen" in line for line in stage.text().splitlines())

    perform(scenario, keys={"pause": "space"})


def test_the_help_leaves_filter_sort_and_strip_alone() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("s")
        before = stage.app.view
        await stage.press("question_mark", "slash", "a", "w", "s", "o", "G", "question_mark")
        after = stage.app.view
        assert (after.pane, after.filter, after.wide, after.reverse) == ("overview", "", False, before.reverse)
        assert after.sort == before.sort

    perform(scenario)
