"""The commands of "Every command once" in README.md, and the words in which their first lines are compared."""

from __future__ import annotations

import platform
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

README = Path(__file__).resolve().parents[2] / "README.md"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|\d\d:\d\d:\d\dZ")
_NUMBER = re.compile(r"\d[\d.]*( k(?=/| |$))?")
_PROCESS = re.compile(r"[\w.-]+\[N\]")


class Shown(NamedTuple):
    """A command line of the README, without sudo and comment, and the first line of its answer, if it has one."""

    line: str
    answer: str

    @property
    def words(self) -> list[str]:
        """Return the arguments of bpftop; of a pipe, the arguments of its last command."""
        return shlex.split(self.line.rpartition("| ")[2])[1:]


def commands() -> list[Shown]:
    """Return the commands in their order."""
    section = README.read_text().partition("## Every command once")[2]
    return list(_parsed(section.split("```")[1].strip("\n").splitlines()))


def _parsed(lines: list[str]) -> Iterator[Shown]:
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if not line.startswith("  "):
            yield Shown(line.partition(" # ")[0].strip().removeprefix("sudo "), after if after.startswith("  ") else "")


def normalised(line: str, host: str, interface: str) -> str:
    """Return a line without what differs from run to run: names, times, numbers, processes, the width of columns."""
    names = {host: "HOST", interface: "IFACE", platform.release(): "6.18.44"}
    for name, word in names.items():
        line = line.replace(name, word)
    line = _PROCESS.sub("PROCESS", _NUMBER.sub("N", _TIME.sub("TIME", line)))
    return " ".join(line.split())
