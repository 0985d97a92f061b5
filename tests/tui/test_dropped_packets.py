"""Dropped packets on the Path pane: real drops in a namespace, seen by the real programs."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from bpftop.cli.screen_captures import ScreenCaptures
from tests.bpf.devices import Lab
from tests.cli.running import fdinfo
from tests.tui.conftest import Stage, perform, until
from tests.tui.fake_source import interface

pytestmark = pytest.mark.bpf

CLOSED = 9999
LO = (interface("lo", 1),)
UDP_PORTS = ("3", "slash", *"no port", "enter", "j")


def send(packets: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(packets):
            sender.sendto(b"the secret of this test", ("127.0.0.1", CLOSED))


def links() -> int:
    """Return how many BPF programs this process has attached."""
    return sum(line.startswith("link_type") for line in fdinfo(os.getpid()))


@pytest.fixture
def captures(lab: Lab) -> ScreenCaptures:
    return ScreenCaptures(lab.near_path)


async def shown(stage: Stage, text: str, packets: int = 1) -> str:
    """Drop packets and tick until the screen has the text."""
    await until(stage, lambda: links() == 1)
    for _ in range(600):
        send(packets)
        await stage.tick()
        if text in stage.text():
            return stage.text()
    pytest.fail(stage.text())


def test_enter_on_a_loss_shows_the_last_packets_and_their_cost(captures: ScreenCaptures) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press(*UDP_PORTS)
        assert links() == 0, "nothing is attached before somebody looks"
        await stage.press("enter")
        screen = await shown(stage, "The last 20 dropped packets", packets=30)
        rows = [line for line in screen.splitlines() if "NO_SOCKET" in line]
        assert len(rows) == 20
        row = r" +\d+\.\d s  NO_SOCKET +UDP 127\.0\.0\.1:\d+ → 127\.0\.0\.1:9999 +\d+  \w*udp\w*\+0x[0-9a-f]+\s*"
        assert [line for line in rows if not re.fullmatch(row, line)] == []
        cost = r"Copied while this is open: \d+ packets in \d+ s.*; it costs 0\.\d+ % of a CPU \(\d+ ns a packet\)"
        assert re.search(cost, screen)
        await stage.press("escape")
        await until(stage, lambda: links() == 0)

    perform(scenario, interfaces=LO, size=(130, 50), actions={"captures": captures})


def test_another_pane_ends_it_and_a_pause_keeps_what_was_shown(captures: ScreenCaptures) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press(*UDP_PORTS, "enter")
        await shown(stage, "NO_SOCKET")
        await stage.press("p")
        packets = [line for line in stage.text().splitlines() if "NO_SOCKET" in line]
        send(5)
        await stage.tick(3)
        assert [line for line in stage.text().splitlines() if "NO_SOCKET" in line] == packets
        await stage.press("1")
        await until(stage, lambda: links() == 0)

    perform(scenario, interfaces=LO, size=(130, 50), actions={"captures": captures})


@pytest.mark.needs("tshark")
def test_c_writes_a_file_and_says_its_path(
    captures: ScreenCaptures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def scenario(stage: Stage) -> None:
        await stage.press(*UDP_PORTS, "c")
        await until(stage, lambda: "capturing to " in stage.said())
        assert str(tmp_path) in stage.said()
        send(3)
        await until(stage, lambda: captures.progress() == "3 packets")
        await stage.tick()
        assert "● 3 packets" in stage.line(1)
        await stage.press("c")
        await until(stage, lambda: "captured 3 packets in " in stage.said())
        assert re.search(r"; the capture took \d+\.\d+ ms of CPU time", stage.said())
        await stage.tick()
        assert "●" not in stage.line(1)

    perform(scenario, interfaces=LO, size=(130, 50), actions={"captures": captures})
    (path,) = tmp_path.iterdir()
    command = ["tshark", "-r", str(path), "-T", "fields", "-e", "frame.comment", "-e", "udp.dstport", "-e", "data"]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(rows) == 3
    for comment, port, data in (row.split("\t") for row in rows):
        assert comment.startswith("dropped: NO_SOCKET in ")
        assert (port, set(data)) == (str(CLOSED), {"0"})
    assert links() == 0


def test_without_a_row_all_drops_are_taken_and_the_file_stays(
    captures: ScreenCaptures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def scenario(stage: Stage) -> None:
        await stage.press("3", "c")
        await until(stage, lambda: "capturing to " in stage.said())
        send(2)
        await until(stage, lambda: captures.progress() == "2 packets")

    perform(scenario, interfaces=LO, actions={"captures": captures})
    (path,) = tmp_path.iterdir()
    assert captures.unsaid.startswith(f"2 packets in {path}")
    assert links() == 0


def test_a_loss_without_a_reason_says_so(captures: ScreenCaptures) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("3", "slash", *"wire", "enter", "j", "c")
        assert stage.said() == "The kernel names no reason for the packets of wire, so they cannot be captured."
        await stage.press("enter")
        assert "The kernel names no reason for these packets, so none of them can be shown." in stage.text()

    perform(scenario, interfaces=LO, actions={"captures": captures})


def test_what_cannot_be_captured_is_a_sentence_on_the_screen(captures: ScreenCaptures) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press(*UDP_PORTS, "c")
        await until(stage, lambda: "gone0" in stage.said())
        assert stage.app.said[-1][2], "it is an error"
        await stage.press("enter")
        for _ in range(600):
            await stage.tick()
            if "gone0" in stage.text():
                return
        pytest.fail(stage.text())

    perform(scenario, interfaces=(interface("gone0", 7),), size=(100, 30), actions={"captures": captures})


def test_a_replay_has_no_packets() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press(*UDP_PORTS, "c")
        assert stage.said().startswith("Cannot capture here: these samples come from a recording")
        await stage.press("enter")
        assert "dropped packets" not in stage.text()

    perform(scenario, interfaces=LO, live=False)


def test_the_palette_finds_it(captures: ScreenCaptures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def scenario(stage: Stage) -> None:
        await stage.press("3", "ctrl+p", *"capture dr")
        await until(stage, lambda: "Capture dropped packets  (c)" in stage.text())
        await stage.press("enter", "enter")
        await until(stage, lambda: "capturing to " in stage.said())

    perform(scenario, interfaces=LO, size=(100, 30), actions={"captures": captures})
