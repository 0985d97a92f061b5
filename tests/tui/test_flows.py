"""The pane of flows: what it shows, what its keys do, and that flows are counted only while it is open."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from rich.cells import cell_len

from bpftop.model.sample import Interface
from bpftop.store.recorder import Recorder
from bpftop.store.recording import Recording
from bpftop.tui.panes.flows import FlowsTable
from tests.tui.conftest import Same, Stage, perform, until
from tests.tui.fake_signals import UNAVAILABLE
from tests.tui.fake_source import interface
from tests.waiting import LIMIT_S

SIZES = [(80, 24), (100, 30), (160, 50)]
TWO = (interface("eth0", 2), interface("eth1", 3))


def shows(same: Same, name: str, size: tuple[int, int], *keys: str, interfaces: tuple[Interface, ...] = ()) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("4")
        await stage.tick()
        await stage.press(*keys)
        await stage.tick()
        lines = stage.text().splitlines()
        assert len(lines) == size[1]
        assert max(map(len, lines)) <= size[0]
        same(f"{name}-{size[0]}x{size[1]}.txt", stage.text())

    perform(scenario, size=size, interfaces=interfaces)


@pytest.mark.parametrize("size", SIZES)
def test_flows(same: Same, size: tuple[int, int]) -> None:
    shows(same, "flows", size)


@pytest.mark.parametrize("size", SIZES)
def test_ports_of_services_sampled(same: Same, size: tuple[int, int]) -> None:
    shows(same, "flows-ports", size, "t", "b", "b", "N")


@pytest.mark.parametrize("size", SIZES)
def test_several_interfaces_filtered_and_sorted(same: Same, size: tuple[int, int]) -> None:
    shows(same, "flows-two", size, "slash", *"192.0.2.0/28", "enter", "s", "s", "j", interfaces=TWO)


def test_flows_are_counted_until_a_recording_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving the pane takes no flows out of a recording, which keeps the busiest ones."""
    monkeypatch.setattr("bpftop.tui.sampling_thread.RECORDED_FLOWS", 2)
    path = str(tmp_path / "a.bpftop")

    async def scenario(stage: Stage) -> None:
        asked = stage.source.flows_asked
        recorder = stage.sampling_thread.recorder = Recorder(path)
        await stage.press("4")
        await stage.tick()
        await stage.press("1")
        await stage.tick()
        assert asked == [(True, 1)]
        stage.sampling_thread.recorder = None
        assert recorder.close().ticks == 2
        await stage.tick()
        assert asked[1:] == [(False, 1)]

    perform(scenario)
    recording = Recording(path)
    flows = [tick.sample.readings["flows/eth0/rx"].keys for tick in recording.ticks(1, 2)]
    recording.close()
    assert list(map(len, flows)) == [2, 2]


def test_flows_are_counted_only_while_somebody_looks() -> None:
    async def scenario(stage: Stage) -> None:
        asked = stage.source.flows_asked
        await stage.press("2", "4")
        assert asked == [(True, 1)]
        assert "Flows are counted from now on" in stage.text()
        await stage.press("question_mark")
        await stage.press("escape", "b", "p", "p")
        assert asked == [(True, 1)]
        await stage.press("N", "N", "N")
        assert asked[1:] == [(True, 10), (True, 100), (True, 1)]
        await stage.tick()
        await stage.press("1")
        assert asked[4:] == [(False, 1)]
        await stage.tick()
        await stage.press("4", "p", "H")
        assert "There are no flows at this moment" in stage.text()

    perform(scenario)


def test_scrolling_back_shows_the_flows_of_that_moment() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("4")
        await stage.tick(2)
        before = stage.row("203.0.113.77")
        await stage.press("1")
        await stage.tick(3)
        await stage.press("4", "H", *["right"] * 6)
        assert "There are no flows" in stage.text() or stage.row("203.0.113.77")
        while "There are no flows" in stage.text():
            await stage.press("left")
        assert stage.row("203.0.113.77").split()[:6] == before.split()[:6]

    perform(scenario)


def test_the_last_row_is_all_others_and_the_shares_add_up() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("4")
        await stage.tick(3)
        view = stage.app.frame.query_one(FlowsTable)
        assert view.moment is not None
        shown = view.view(view.moment)
        assert sum(row.pair.share or 0 for row in (*shown.rows, shown.rest)) == pytest.approx(1)
        assert len(shown.rows[0].trend) == 3
        await stage.press("G")
        assert stage.line(-2).startswith("(all others)")
        assert "(all others)" not in view.cursor
        await stage.press("slash", *"udp", "enter")
        assert "(all others)" not in stage.text()

    perform(scenario)


def test_a_hostile_interface_name_moves_no_column() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("4")
        await stage.tick()
        drawn = stage.text().splitlines()
        assert any(one.startswith("??0?  ") for one in drawn)
        assert all(cell_len(one) == len(one) for one in drawn)
        await stage.press("j", "y")
        assert "\x1b" not in stage.app.clipboard

    perform(scenario, interfaces=(interface("网卡0\x1b", 2), interface("eth1", 3)))


def test_the_row_is_copied_with_whole_addresses() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("4")
        await stage.tick()
        table = stage.app.frame.query_one(FlowsTable)
        assert table.moment is not None
        key = next(key for key in table.rows(table.moment).keys if "2001:db8:85a3" in key)
        assert "2001:db8:85a3:1234:5678:8a2e:370:7334" in table.row_text(key, 140)

    perform(scenario)


def test_enter_shows_a_flow_whole_and_esc_goes_back() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("4")
        await stage.tick()
        await stage.press("j", "j", "j", "j", "enter")
        assert "2001:db8:85a3:1234:5678:8a2e:370:7334" in stage.text()
        assert "Flows › " in stage.line(0)
        told = {  # of the kernel's socket: the owner and what TCP knows
            "process": "nginx[812] docker 0123456789ab", "RTT ms": "12", "resent": "3", "user": "www-data",
            "limited by": "application", "min RTT": "8.10", "delivers": "8.00 M", "cwnd": "10", "resent all": "213",
            "lost": "0",
        }  # fmt: skip
        for title, cell in told.items():
            assert stage.row(f"{title} ").removeprefix(title).strip().startswith(cell)
        assert stage.line(-1).startswith("esc back")
        await stage.press("escape")
        assert "◂" in stage.text()
        assert "›" not in stage.line(0)

    perform(scenario, size=(120, 40))


def test_why_processes_are_not_known_stands_above_the_flows(monkeypatch: pytest.MonkeyPatch) -> None:
    why = "some processes are not known: that takes CAP_SYS_PTRACE: run it with sudo"
    monkeypatch.setitem(UNAVAILABLE, "flow_sockets/eth0/rx", why)

    async def scenario(stage: Stage) -> None:
        await stage.press("4")
        await stage.tick()
        assert why in stage.text()

    perform(scenario, size=(160, 50))


def test_enter_on_a_protocol_shows_its_flows_and_esc_goes_back() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("j", "j", "j", "enter")
        await stage.tick()
        assert "filter: udp" in stage.text()
        assert "Overview › UDP" in stage.line(0)
        assert all(" UDP " in line for line in stage.text().splitlines()[10:13])
        await stage.press("escape")
        assert stage.row("UDP").startswith("UDP           ◂")

    perform(scenario, size=(100, 30))


def test_names_are_asked_for_on_request_and_shown_as_text() -> None:
    asked: list[str] = []
    held = threading.Event()

    def resolve(address: str) -> str | None:
        asked.append(address)
        held.wait(LIMIT_S)
        return {"203.0.113.77": "evil\x1b[2J.example", "198.18.0.1": "web.example"}.get(address)

    async def scenario(stage: Stage) -> None:
        await stage.press("4")
        await stage.tick()
        assert asked == []
        await stage.press("n")
        assert "looking up" in stage.text()  # the screen waits for nobody
        assert stage.row("203.0.113.77")
        held.set()
        await until(stage, lambda: "looking up" not in stage.text())
        assert stage.row("evil?[2J.example:40001").split()[1] == "web.example:443"
        assert sorted(asked) == sorted(set(asked))
        await stage.press("slash", *"web.ex", "enter")
        assert stage.row("evil?[2J.example")
        await stage.press("escape", "n")
        assert stage.row("203.0.113.77:40001").split()[1] == "198.18.0.1:443"

    perform(scenario, engines={"names": resolve})
