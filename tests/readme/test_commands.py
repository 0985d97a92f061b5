"""Every command of README.md runs, and its answer begins as the README says."""

from __future__ import annotations

import platform
import shlex
import signal
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bpftop.cli.verb_table import VERBS
from bpftop.demo.faults.udp import UdpSocketOverflow
from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED
from tests.cli.running import COMMAND, Terminal, default_signals
from tests.fleet.hosts import Hosts
from tests.readme.commands import Shown, commands, normalised
from tests.waiting import LIMIT_S, until

pytestmark = pytest.mark.bpf

COMMANDS = commands()
OF_AN_INTERFACE = ("diagnose", "snapshot", "watch", "record", "flows", "export", "doctor", "eth0", "--xdp",
                   "capture")  # fmt: skip
"""First words of commands that get the namespace."""
CUT_SHORT = {
    "diagnose": ["--duration", "6"],
    "watch": ["--count", "2"],
    "fleet": ["--count", "2"],
    "capture": ["--duration", "2"],
}
"""Options that end a command sooner. They stand behind the options of the README, and win."""
GO_ON = ("record", "export")
"""Commands that end by a signal."""
SCREENS = ("eth0", "demo", "--xdp", "replay")


class Walk:
    """A namespace with traffic and a fault, in which the commands run one after the other in one folder."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder, self.hosts = lab, folder, Hosts(folder)
        for name in ("web-17", "web-18"):
            self.hosts.add_namespace(name, lab.pid())

    def arguments(self, shown: Shown) -> list[str]:
        words = [self.lab.interface if word == "eth0" else word for word in shown.words]
        words += CUT_SHORT.get(words[0], [])
        return [*words, "--netns", str(self.lab.pid())] if shown.words[0] in OF_AN_INTERFACE else words

    def answer(self, shown: Shown) -> str:
        """Run a command without a screen. Return what it wrote, on standard error if nothing else, without notices."""
        command = [*COMMAND, *self.arguments(shown)]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.hosts.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=default_signals,
        ) as process:  # fmt: skip
            try:
                if shown.words[0] in GO_ON:
                    self._until_it_works(shown.words[0], process)
                    process.send_signal(signal.SIGINT)
                out, said = process.communicate(timeout=LIMIT_S)
            finally:
                process.kill()
        assert process.returncode in (0, 3), said
        notices = f"bpftop: {self.lab.interface}: "
        return out or "\n".join(line for line in said.splitlines() if not line.startswith(notices))

    def _until_it_works(self, verb: str, process: subprocess.Popen[str]) -> None:
        if verb == "record":
            until(lambda: recorded(self.folder / "night.bpftop"), "two ticks in the file")
        else:
            until(answers, "an answer of the endpoint")
        assert process.poll() is None


def recorded(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            ticks: int = connection.execute("SELECT count(*) FROM ticks").fetchone()[0]
    except sqlite3.OperationalError:  # the file or its tables are still being made
        return False
    return ticks >= 2


def answers() -> bool:
    try:
        with urllib.request.urlopen("http://127.0.0.1:9435/metrics", timeout=LIMIT_S) as answer:
            return b"bpftop_samples_total" in answer.read()
    except OSError:
        return False


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    with Lab() as lab:
        lab.run_in(WATCHED, ["ip", "route", "add", "default", "via", GENERATOR.ipv4[0]])
        lab.start_traffic()
        with UdpSocketOverflow(lab) as fault:
            fault.begin()
            yield Walk(lab, tmp_path_factory.mktemp("walk"))
            fault.end()


def test_every_verb_is_in_the_readme() -> None:
    named = {word for shown in COMMANDS for word in shown.line.split()}
    assert {verb for verb in VERBS if verb != "monitor"} <= named


@pytest.mark.parametrize("shown", [shown for shown in COMMANDS if shown.answer], ids=lambda shown: shown.line)
def test_an_answer_begins_as_the_readme_says(walk: Walk, shown: Shown) -> None:
    if shown.words[0] == "diff":
        for name in ("A.json", "B.json"):
            walk.answer(Shown(f"bpftop snapshot eth0 -o {name}", ""))
    expected = normalised(shown.answer, "web-17", "eth0")
    seen: list[str] = []

    def begins() -> bool:
        """Compare the first two lines: the line of ``flows`` may name the interface alone."""
        lines = [line for line in walk.answer(shown).splitlines() if line.strip()][:2]
        seen[:] = [normalised(line, platform.node(), walk.lab.interface)[: len(expected)] for line in lines]
        return expected in seen

    until(begins, lambda: (expected, seen))  # a busy machine may have another finding for a moment


@pytest.mark.parametrize("shown", [shown for shown in COMMANDS if not shown.answer], ids=lambda shown: shown.line)
def test_a_screen_opens_and_closes(walk: Walk, shown: Shown) -> None:
    assert shown.words[0] in SCREENS
    command = [*COMMAND, *walk.arguments(shown)]
    if "|" in shown.line:
        samples = [*COMMAND, "watch", walk.lab.interface, "--format", "samples", "--netns", str(walk.lab.pid())]
        command = ["sh", "-c", f"{shlex.join(samples)} | {shlex.join(command)}"]
    elif shown.words[0] == "replay":
        command = [*command[:-1], str(walk.folder / "night.bpftop")]
    with Terminal(command=command) as terminal:
        terminal.await_text(walk.lab.interface)
        terminal.type("q")
        assert terminal.await_end() == 0
