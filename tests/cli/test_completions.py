"""The completions are made from the tables of the command line, and complete in real shells on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bpftop.cli.verb_table import VERBS
from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.bpf.object import BpfObject
from contrib.completions import FOLDER, texts
from tests.bpf.compiled import compiled
from tests.waiting import until

# Each shell calls a function instead of bpftop, which prints the words that it was given.
SHELLS = {
    "bash": ("--norc --noprofile -i", "bpftop() { printf '<%s>' \"$@\"; echo '<end>'; }; source {scripts}/bash/bpftop"),
    "zsh": (
        "-f -i",
        "bpftop() { printf '<%s>' \"$@\"; echo '<end>'; }; fpath+=({scripts}/zsh); autoload compinit; compinit -u -D",
    ),
}


PROGRAM = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int completed_prog(void *ctx) { return XDP_PASS; }
"""


def test_scripts_are_up_to_date() -> None:
    for path, text in texts():
        assert path.read_text() == text, "run `python -m contrib.completions`"


class Shell:
    """An interactive shell on a pseudo-terminal, with the completion of bpftop loaded."""

    def __init__(self, name: str, home: Path) -> None:
        options, setup = SHELLS[name]
        self._master, slave = pty.openpty()
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", "PS1": "$ ", "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(
            [name, *options.split()],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            cwd=home,
            start_new_session=True,
        )
        os.close(slave)
        os.set_blocking(self._master, False)
        self._written = ""
        self._type(setup.replace("{scripts}", str(FOLDER)) + "; bpftop ready\n")
        until(lambda: "<ready><end>" in self._read(), f"{name} has loaded the completion")

    def completed(self, line: str) -> list[str]:
        """Type the line and a tabulator, and return the words that bpftop gets."""
        self._written = ""
        self._type(f"{line}\t\n")
        until(lambda: "<end>" in self._read(), f"the completed line {line!r} runs")
        words = self._written.rpartition("<end>")[0].rpartition("\n")[2]
        return words[words.index("<") + 1 : -1].split("><")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def _type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def _read(self) -> str:
        with suppress(BlockingIOError):
            self._written += os.read(self._master, 65_536).decode(errors="replace")
        return self._written


class Fish:
    """fish, which tells its completions without a terminal."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def completed(self, line: str) -> list[str]:
        """Return the words of the line with the only completion of the last word."""
        script = f"source {FOLDER}/fish/bpftop.fish; complete -C '{line}'"
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._home), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            ["fish", "--no-config", "-c", script], capture_output=True, text=True, env=environment, cwd=self._home
        )
        assert (done.returncode, done.stderr) == (0, "")
        words = [candidate.partition("\t")[0] for candidate in done.stdout.splitlines()]
        *begin, last = line.split()[1:]
        return [*begin, words[0] if len(words) == 1 else last]

    def close(self) -> None:
        pass


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.needs(name)) for name in (*SHELLS, "fish")], scope="module"
)
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell | Fish]:
    home = tmp_path_factory.mktemp("home")
    (home / ".config/bpftop/themes").mkdir(parents=True)
    (home / ".config/bpftop/themes/sepia.yaml").touch()
    (home / "night.bpftop").touch()
    shell = Fish(home) if request.param == "fish" else Shell(request.param, home)
    yield shell
    shell.close()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sna", "snapshot"),
        ("watch --form", "watch --format"),
        ("watch lo --format mark", "watch lo --format markdown"),
        ("--netns blue --the", "--netns blue --theme"),
        ("--theme sep", "--theme sepia"),
        ("bench coun", "bench counters"),
        ("profile --access zi", "profile --access zipf"),
        ("replay ni", "replay night.bpftop"),
        ("record lo -o ni", "record lo -o night.bpftop"),
        ("demo --no-d", "demo --no-drops"),
        ("-i 2 diag", "-i 2 diagnose"),
        ("lo --att", "lo --attach"),
        ("--attach nat", "--attach native"),
        ("demo --fault syn", "demo --fault syn-flood"),
        ("flows --by cont", "flows --by container"),
    ],
)
def test_a_word_is_completed(shell: Shell | Fish, line: str, words: str) -> None:
    assert shell.completed(f"bpftop {line}") == words.split()


def test_every_verb_is_completed(shell: Shell | Fish) -> None:
    for verb in VERBS:
        assert shell.completed(f"bpftop {verb}") == [verb]


def test_interfaces_are_completed(shell: Shell | Fish) -> None:
    for interface in os.listdir("/sys/class/net"):
        assert shell.completed(f"bpftop watch {interface}") == ["watch", interface]
    assert shell.completed("bpftop watch l") in (["watch", "lo"], ["watch", "l"])


@pytest.mark.bpf
def test_namespaces_are_completed(shell: Shell | Fish) -> None:
    name = f"completed-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        assert shell.completed(f"bpftop watch --netns {name[:-1]}") == ["watch", "--netns", name]
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.mark.bpf
@pytest.mark.needs("bpftool")
def test_bpf_programs_and_maps_are_completed(shell: Shell | Fish, tmp_path: Path) -> None:
    """With a program and a map of names that nothing else on this machine has."""
    with (
        closing(BpfObject("completed", (), path=compiled("completed", PROGRAM, tmp_path))),
        closing(bpf_map.create(bpf_map.HASH, 4, 8, 1, name="completed_map")),
    ):
        assert shell.completed("bpftop progs completed_p") == ["progs", "completed_prog"]
        words = ["progs", "--disassemble", "completed_prog"]
        assert shell.completed("bpftop progs --disassemble completed_p") == words
        assert shell.completed("bpftop maps completed_m") == ["maps", "completed_map"]
        assert shell.completed("bpftop profile completed_m") == ["profile", "completed_map"]
