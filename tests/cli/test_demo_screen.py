"""End to end, as a person does it: `bpftop demo` in a terminal, numbers that move, a key, and away without a trace."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.test_kill import our_programs
from tests.waiting import until

pytestmark = [pytest.mark.bpf, pytest.mark.needs("tmux")]

ROOT = Path(__file__).resolve().parents[2]
RATE = re.compile(r"\bRX +([0-9.]+ ?[kM]?pps)")


class Terminal:
    """A tmux server of our own with one window."""

    def __init__(self, socket: Path, size: tuple[int, int], command: list[str]) -> None:
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        columns, lines = map(str, size)
        # "exec" keeps the pane's process the program itself; what it leaves on the screen stays to be looked at
        self._run(
            "new-session", "-d", "-x", columns, "-y", lines, f"{shlex.join(command)}; echo exit $?; exec sleep 600"
        )

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([*self._tmux, *arguments], check=True, capture_output=True, text=True, cwd=ROOT)
        return done.stdout

    def screen(self) -> str:
        return self._run("capture-pane", "-p")

    def keys(self, *names: str) -> None:
        self._run("send-keys", *names)

    def resize(self, columns: int, lines: int) -> None:
        self._run("resize-window", "-x", str(columns), "-y", str(lines))

    def until(self, holds: Callable[[str], object], what: str) -> str:
        screen = ""

        def held() -> bool:
            nonlocal screen
            screen = self.screen()
            return bool(holds(screen))

        until(held, lambda: f"{what}\n{screen}")
        return screen

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True)


@pytest.fixture
def words() -> list[str]:
    """Return the options of the demo; a test parametrizes it."""
    return []


@pytest.fixture
def demo(tmp_path: Path, words: list[str]) -> Iterator[Terminal]:
    os.environ.pop("NO_COLOR", None)
    terminal = Terminal(tmp_path / "tmux", (100, 30), [sys.executable, "-m", "bpftop.cli", "demo", *words])
    yield terminal
    terminal.close()


def test_the_demo_shows_live_rates_and_leaves_nothing(demo: Terminal) -> None:
    before = our_programs()
    first = demo.until(RATE.search, "a rate on the screen")
    assert "counting by XDP" in first.splitlines()[1]
    shown = RATE.search(first)
    demo.until(lambda screen: (now := RATE.search(screen)) and shown and now[1] != shown[1], "another rate")
    demo.keys("2")
    demo.until(lambda screen: "CPUs carry RX" in screen, "the CPUs pane")
    demo.keys("1")
    demo.resize(80, 24)
    demo.until(lambda screen: "Protocol" in screen and "TCP" in screen, "the Overview at 80x24")
    demo.resize(30, 5)
    demo.until(lambda screen: "Protocol" not in screen, "the sentence that the terminal is too small")
    demo.resize(160, 50)
    demo.until(lambda screen: "Protocol" in screen and RATE.search(screen), "the Overview again")
    demo.keys("q")
    demo.until(lambda screen: "exit 0" in screen, "the end")
    until(lambda: our_programs() <= before, "the programs are gone")


@pytest.mark.parametrize("words", [["--fault", "udp-socket-overflow"]])
def test_a_fault_is_announced_and_found(demo: Terminal) -> None:
    demo.until(lambda screen: "udp-socket-overflow begins in" in screen, "the announcement")
    demo.until(lambda screen: "Findings name the socket" in screen, "what to look at")
    demo.until(lambda screen: "UDP socket overflows" in screen, "the finding")
    demo.keys("q")
    demo.until(lambda screen: "exit 0" in screen, "the end")


@pytest.fixture
def flooded(tmp_path: Path) -> Iterator[Terminal]:
    command = [sys.executable, "-m", "bpftop.cli", "demo", "--fault", "udp-socket-overflow"]
    terminal = Terminal(tmp_path / "tmux", (120, 40), command)
    yield terminal
    terminal.close()


def test_a_real_fault_is_found_looked_into_and_left_again(flooded: Terminal) -> None:
    flooded.until(lambda screen: "UDP socket overflows" in screen.splitlines()[2], "the finding in the verdict")
    flooded.keys("8")
    flooded.until(lambda screen: "raised at" in screen and "limits" in screen, "the evidence")
    flooded.keys("Enter")
    flooded.until(lambda screen: "Findings › UDP socket overflows" in screen.splitlines()[0], "the stage of the path")
    flooded.keys("Escape")
    flooded.until(lambda screen: "raised at" in screen, "the findings again")
    flooded.keys("/", "u", "d", "p", "Enter")  # as quickly as tmux types
    flooded.until(lambda screen: "filter: udp" in screen, "the filter")
    flooded.keys("q")
    flooded.until(lambda screen: "exit 0" in screen, "the end")
