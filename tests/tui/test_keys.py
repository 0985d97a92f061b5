"""The effect of every key in the table of actions."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from textual.events import MouseScrollDown

from bpftop.errors import BpftopError
from bpftop.render.columns import change_text
from bpftop.tui.actions import ACTIONS
from bpftop.tui.app import APP_ACTIONS, ELSEWHERE, BpftopApp
from bpftop.tui.moment_app import TOASTS_AT_ONCE
from bpftop.tui.panes import PANES
from bpftop.tui.panes.cpus import CpuRows
from bpftop.tui.panes.overview import ProtocolTable
from tests.tui.conftest import Stage, perform, until
from tests.tui.fake_source import interface

THREE = (interface("eth0", 2), interface("eth1", 3), interface("eth2", 4))
OFFER = "native XDP, exact (this driver resets its rings)"


def test_every_action_is_there_once_and_can_be_done() -> None:
    ids = [action.id for action in ACTIONS]
    assert len(set(ids)) == len(ids)
    keys = [key for action in ACTIONS for key in action.keys.split(",")]
    assert len(set(keys)) == len(keys)
    elsewhere = [action.id for action in ELSEWHERE]
    assert sorted([*APP_ACTIONS, *PANES, *elsewhere, "other", "palette", "suspend"]) == sorted(ids)
    assert all(callable(getattr(BpftopApp, f"action_{name}", None)) for name in APP_ACTIONS)


def test_pause_stops_the_screen_and_not_the_counting() -> None:
    async def scenario(stage: Stage) -> None:
        before = stage.row("TCP")
        await stage.press("p")
        await stage.tick(5)
        assert stage.row("TCP") == before
        assert stage.line(1).endswith("-5 s PAUSED")
        assert stage.app.snapshot is not None
        assert stage.app.snapshot.seq == 74
        await stage.press("p")
        assert stage.row("TCP") != before
        assert " live" in stage.line(1)

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
        assert stage.line(1).endswith("-1 s PAUSED")
        await stage.press("h")
        assert stage.row("TCP") == rows[2]
        await stage.press("right", "l")
        assert stage.row("TCP") == rows[0]
        await stage.press("right", "right")  # no further than the newest
        assert stage.line(1).endswith("0 s PAUSED")
        await stage.press(*["H"] * 20)  # no further than the oldest with rates
        assert stage.line(1).startswith("web-17")
        assert stage.row("TCP").split()[1] != "-"
        await stage.press("shift+right", "shift+left", "shift+right", "escape")
        assert " live" in stage.line(1)
        await stage.press("right")  # live already
        assert " live" in stage.line(1)

    perform(scenario)


def test_a_mark_changes_the_factor_to_since_the_mark() -> None:
    async def scenario(stage: Stage) -> None:
        assert "vs 1 min ago" in stage.text()
        await stage.press("m")
        assert "vs mark" in stage.row("Protocol")
        assert "vs 1 min ago" not in stage.text()
        await stage.tick()
        assert 0.7 < float(stage.row("TCP")[44:57].removesuffix(" x")) < 1.3
        await stage.tick(20)
        mark, latest = stage.app.choices.mark, stage.app.snapshot
        assert mark is not None
        assert latest is not None
        now = next(row.counts.packets_per_sec for row in latest.total.rx.protocols if row.name == "SCTP")
        assert stage.row("SCTP")[44:57].strip() == change_text(now, mark.rates["eth0", "rx", "132"])
        await stage.press("2")
        assert "vs mark" in stage.row("  CPU")
        await stage.press("m")
        assert "vs mark" not in stage.text()

    perform(scenario, size=(100, 30))


def test_filter_as_it_is_typed() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("slash", "u", "d")
        assert stage.line(-2).startswith("/ud")
        assert "UDP" in stage.text()
        assert "\nTCP" not in stage.text()
        await stage.press("backspace", "backspace", "q", "p")  # these are letters now, and not quit and pause
        assert stage.line(-2).startswith("/qp")
        assert "filter: qp   0 of 16 rows" in stage.text()
        assert "no row matches qp" in stage.text()
        await stage.press("ctrl+u", *"sctp", "enter")
        assert "filter: sctp   1 of 16 rows" in stage.text()
        assert not stage.line(-2).startswith("/")
        assert " q quit" in stage.line(-1)
        await stage.press("slash", "escape")
        assert "\nTCP" in stage.text()
        assert "filter:" not in stage.text()

    perform(scenario)


def test_a_pasted_filter() -> None:
    async def scenario(stage: Stage) -> None:
        from textual.events import Paste

        await stage.press("slash")
        stage.app.post_message(Paste("icmp\x1b[31m"))
        await stage.pilot.pause()
        assert "\x1b" not in stage.text()
        assert "filter: icmp?[31m" in stage.text()

    perform(scenario)


def names(stage: Stage) -> list[str]:
    """Return the first word of every row of the protocol table."""
    lines = stage.text().splitlines()
    heading = next(i for i, line in enumerate(lines) if "Protocol" in line)
    return [line.split()[0] for line in lines[heading + 1 : -1] if line.strip()]


def test_sort_by_each_column_reversed_and_back() -> None:
    async def scenario(stage: Stage) -> None:
        usual = names(stage)
        titles = ["RX pps", "RX bit/s", "share", "vs 1 min ago", "TX pps", "TX bit/s", "mean"]
        for marked in ("▲Protocol", *(f"▼{title}" for title in titles)):
            await stage.press("s")
            heading = next(line for line in stage.text().splitlines() if "▼" in line or "▲Protocol" in line)
            assert marked in heading
            assert heading.count("▼") + heading.count("▲") == 1
        await stage.press("s")
        assert names(stage) == usual
        await stage.press("s", "s", "o")
        assert names(stage)[-1] == "TCP"
        assert "▲RX pps" in stage.text()

    perform(scenario, size=(100, 40))


def test_a_click_on_a_title_sorts_and_a_second_one_turns_round() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.pilot.click(ProtocolTable, offset=(20, 0))
        await stage.pilot.pause()
        assert "▼RX pps" in stage.text()
        await stage.pilot.click(ProtocolTable, offset=(20, 0))
        await stage.pilot.pause()
        assert "▲RX pps" in stage.text()
        assert names(stage)[-1] == "TCP"

    perform(scenario, size=(100, 40))


def test_the_cursor_stays_on_its_row_whatever_the_order() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("j", "down", "j")
        assert stage.row("UDP").startswith("UDP           ◂")
        await stage.press("s")
        assert stage.row("UDP").startswith("UDP           ◂")
        await stage.press("k")
        assert "◂" not in stage.row("UDP")
        await stage.press("G")
        assert "◂" in stage.line(-2)
        await stage.press("g")
        assert "◂" in stage.line(-11)
        await stage.press("pagedown")
        await stage.press("pageup")
        assert "◂" in stage.line(-11)
        await stage.press("escape")
        assert "◂" not in stage.text()

    perform(scenario)


def test_a_longer_table_scrolls_with_the_cursor_and_the_wheel() -> None:
    def cpus(stage: Stage) -> list[int]:
        return [int(line.replace("▸", " ").split()[0]) for line in stage.text().splitlines()[9:-1]]

    async def scenario(stage: Stage) -> None:
        await stage.press("2")
        assert cpus(stage) == list(range(14))
        await stage.press("G")
        assert cpus(stage) == list(range(498, 512))
        assert stage.line(-2).startswith("▸ 511")
        await stage.press("k", "ctrl+u")
        assert "▸ 497" in stage.text()
        await stage.press("g")
        assert cpus(stage) == list(range(14))
        await stage.pilot._post_mouse_events([MouseScrollDown], CpuRows, offset=(5, 5))
        await stage.pilot.pause()
        assert cpus(stage) == list(range(3, 17))

    perform(scenario, cpus=512, ticks=3)


def test_cpus_are_filtered_by_number_and_by_protocol() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("2", "slash", *"1-2,7", "enter")
        assert [line.split()[0] for line in stage.text().splitlines()[10:13]] == ["1", "2", "7"]
        assert "filter: 1-2,7   3 of 16 rows" in stage.text()
        await stage.press("slash", "ctrl+u", *"gre", "enter")
        assert "16 of 16 rows" in stage.text()
        await stage.press("slash", "ctrl+u", *"nonesuch", "enter")
        assert "0 of 16 rows" in stage.text()
        await stage.press("1")  # a filter belongs to one pane
        assert "filter:" not in stage.text()

    perform(scenario)


def test_cpus_sorted_by_load() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("2", "s", "s")
        assert "▼pps" in stage.text()
        assert stage.line(9).split()[0] == "3"
        await stage.press("s", "o")
        assert "▲bit/s" in stage.text()
        await stage.press("G")
        assert stage.line(-2).replace("▸", " ").split()[0] == "3"
        await stage.press(*["s"] * 5)
        assert stage.line(9).split()[0] == "0"

    perform(scenario)


def test_strip_and_rows() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("2", "w")
        assert stage.line(9).startswith("    0 ▁▁▁▇▁▁▁▁ ▁▁▁▁▁▁▁▁")
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
        assert stage.line(5).startswith("TX ")
        await stage.press("t")
        assert stage.line(5).startswith("RX ")

    perform(scenario, size=(220, 60))  # narrower, the top flows stand where the ports are


def test_interfaces_in_a_circle() -> None:
    async def scenario(stage: Stage) -> None:
        chosen = []
        for key in ("tab", "right_square_bracket", "tab", "tab", "shift+tab", "left_square_bracket"):
            await stage.press(key)
            chosen.append(stage.row("▸").split()[1])
        assert chosen == ["eth0", "eth1", "eth2", "total", "eth2", "eth1"]
        assert stage.line(1).startswith("web-17  eth1  XDP, TX TCX")

    perform(scenario, interfaces=THREE)


def test_interfaces_are_sorted_filtered_and_chosen() -> None:
    many = tuple(interface(f"e{n}", n + 2) for n in range(30))

    async def scenario(stage: Stage) -> None:
        await stage.press("i", "s", "s")
        assert "▼RX pps" in stage.text()
        assert stage.row("  e0 ")
        await stage.press("slash", *"e17", "enter")
        assert "\n  e17" in stage.text()
        assert "\n  e0 " not in stage.text()
        await stage.press("G")
        assert stage.app.choices.label == "e17"
        assert "  e17  " in stage.line(1)
        await stage.press("escape", "i", "j")  # back to the protocols
        assert stage.app.choices.label == "e17"
        assert "◂" in stage.row("TCP")

    perform(scenario, size=(100, 40), interfaces=many, ticks=5)


def test_help_and_back() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("s", "s", "slash", *"tcp", "enter", "question_mark")
        first = stage.line(0)
        assert first.startswith("Help: Overview")
        assert stage.line(2).startswith("Keys of Overview")
        await stage.press("j")
        assert stage.line(0) != first
        await stage.press("G")
        assert "is never zero." in stage.text()
        await stage.press("y")
        assert "RX bit/s" in stage.app.clipboard
        await stage.press("escape")
        assert "filter: tcp" in stage.text()  # the place on the screen is as it was
        assert "▼RX pps" in stage.text()
        await stage.press("f1", "2")
        assert stage.line(8).startswith("  CPU")

    perform(scenario)


def test_copy_a_row_or_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(stage: Stage) -> None:
        written: list[str] = []
        assert stage.app._driver is not None
        monkeypatch.setattr(stage.app._driver, "write", written.append)
        await stage.press("y")
        assert stage.app.clipboard == stage.text()
        await stage.press("g", "y")
        heading, row = stage.app.clipboard.splitlines()
        assert heading.startswith("Protocol")
        assert row.startswith("TCP")
        encoded = base64.b64encode(stage.app.clipboard.encode()).decode()
        assert f"\x1b]52;c;{encoded}\a" in written
        assert stage.said().startswith("Copied the row to the clipboard")
        await stage.press("2", "g", "y")
        assert stage.app.clipboard.splitlines()[1].split()[0] == "0"

    perform(scenario)


def test_save_the_moment_that_is_shown() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("p")
        await stage.tick(3)
        await stage.press("S")
        await stage.app.workers.wait_for_complete()
        await stage.pilot.pause()
        assert [snapshot.seq for snapshot in stage.saved] == [69]
        assert stage.said() == "saved /somewhere/bpftop-web-17.json"

    perform(scenario)


def test_an_action_that_fails_says_why() -> None:
    def fails(svg: str) -> str:
        raise BpftopError("cannot write x.svg: No space left on device; start bpftop where you may write")

    async def scenario(stage: Stage) -> None:
        await stage.press("V")
        await stage.app.workers.wait_for_complete()
        await stage.pilot.pause()
        assert stage.said() == "cannot write x.svg: No space left on device; start bpftop where you may write"
        assert "cannot write x.svg" in stage.text()  # a toast
        assert " q quit" in stage.line(-1)
        await stage.press("L")
        assert stage.said() in " ".join(stage.text().split())

    perform(scenario, actions={"save_picture": fails}, toasts=True)


def test_a_remark_that_counts_down_is_said_once() -> None:
    left = iter(range(600, 0, -1))

    async def scenario(stage: Stage) -> None:
        await stage.tick(5)
        assert [sentence for _, sentence, _ in stage.app.said if "look at LOST" in sentence] == [stage.said()]
        assert "look at LOST" in stage.text()

    perform(scenario, ticks=0, remarks=lambda: [f"look at LOST ({next(left)} s)"])


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
        assert stage.said() == "saved bpftop-web-17.svg"
        assert pictures[0].startswith("<svg ")

    perform(scenario, actions={"save_picture": save})


@pytest.mark.parametrize(("key", "accepted"), [("y", ["eth0"]), ("n", []), ("escape", []), ("x", [])])
def test_an_offer_is_taken_up_only_after_a_yes(key: str, accepted: list[str]) -> None:
    async def scenario(stage: Stage) -> None:
        assert stage.line(-2).startswith(f"x: {OFFER}")
        await stage.press("x")
        assert OFFER in " ".join(stage.text().split())
        assert "Do it?" in stage.text()
        await stage.tick()  # the question stays
        assert "Do it?" in stage.text()
        await stage.press(key)
        await stage.app.workers.wait_for_complete()
        await stage.pilot.pause()
        assert stage.source.accepted == accepted
        await stage.tick()
        assert stage.line(-2).startswith("x: ") != bool(accepted)  # the accepted offer is gone

    perform(scenario, interfaces=(interface("eth0", 2, offer=OFFER),))


def test_an_offer_is_dismissed() -> None:
    async def scenario(stage: Stage) -> None:
        assert stage.line(-2).startswith("x: ")
        await stage.press("escape")
        assert "x: " not in stage.text()
        await stage.tick()
        assert "x: " not in stage.text()
        await stage.press("x")  # and can still be accepted
        assert "Do it?" in stage.text()

    perform(scenario, interfaces=(interface("eth0", 2, offer=OFFER),))


def test_a_long_offer_of_an_interface_is_shown_whole() -> None:
    long = "native XDP, exact: " + "this driver resets its rings and drops the link for seconds; " * 3

    async def scenario(stage: Stage) -> None:
        assert stage.line(-2).startswith("x: eth1: native XDP, exact")
        assert re.search(r"…  +esc not now$", stage.line(-2))
        await stage.press("x")
        asked = " ".join(" ".join(row.split("│")[1] for row in stage.text().splitlines() if "│" in row).split())
        assert f"eth1: {long.strip()}" in asked
        await stage.press("y")
        await stage.app.workers.wait_for_complete()
        assert stage.source.accepted == ["eth1"]

    perform(scenario, interfaces=(interface("eth0", 2), interface("eth1", 3, offer=long)))


def test_x_without_an_offer_says_so() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("x")
        assert stage.said() == "There is no offer to accept now."
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
        assert " live" in stage.line(1)
        await stage.press("space")
        assert stage.line(1).endswith("PAUSED")
        assert "space pause" in stage.line(-1)
        await stage.press("question_mark")
        assert any(line.startswith("space ") and "Pause the screen" in line for line in stage.text().splitlines())

    perform(scenario, keys={"pause": "space"}, size=(100, 30))


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (("b",), "b (group flows) works in 4 Flows, 5 Programs and 6 Maps."),
        (("w",), "w (all CPUs as a strip) works in 2 CPUs."),
        (("R",), "R (measure) works in 7 Measure."),
        (("2", "w", "s"), "s (sort by the next column) works in a table."),
        (("i",), "There is only one list here."),
        (("tab",), "There is only one interface."),
        (("Z",), "Z does nothing here; ? shows the keys of this pane."),
        (("at",), "This is a live screen, not a recording: p pauses it, and the arrows go back through ten minutes."),
    ],
)
def test_a_key_that_does_nothing_here_says_where_it_works(keys: tuple[str, ...], sentence: str) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press(*keys)
        assert stage.said() == sentence

    perform(scenario)


def test_the_help_leaves_filter_and_order_alone() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("s")
        table = stage.app.frame.query_one(ProtocolTable)
        before = (table.sort, table.reverse, table.filter)
        await stage.press("question_mark", "slash", "a", "w", "s", "o", "G", "question_mark")
        assert (table.sort, table.reverse, table.filter) == before
        assert stage.app.place.pane == "overview"

    perform(scenario)


def test_many_messages_leave_the_screen_readable() -> None:
    async def scenario(stage: Stage) -> None:
        for number in range(30):
            stage.app.say(f"message {number}")
            await stage.pilot.pause()
        await until(stage, lambda: "message 29" in stage.text())
        assert 1 <= len(re.findall(r"message \d+", stage.text())) <= TOASTS_AT_ONCE
        assert "TCP" in stage.text()
        assert len(stage.app.said) == 30

    perform(scenario, toasts=True)
