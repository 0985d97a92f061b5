"""bpftop at ten ticks a second on the demo's traffic, as the live screen and without one, and the memory of each."""

from __future__ import annotations

import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bpftop.demo.lab import Lab
from bpftop.demo.sides import WATCHED
from bpftop.errors import BpftopError
from tests.bench.programs import bpftop, environment
from tests.bench.terminal import OnTerminal, gather

LIMIT = 1.01
"""The most that the last third of a run may have of the memory of the second third."""
LISTEN = "127.0.0.1:19436"
STEP_S = 2.0
KEYS = "123458"
"""The panes that are opened in turn, a new one every ten steps; the other panes only measure on demand."""


@dataclass
class Course:
    """Anonymous memory of one program, in KiB, from step to step."""

    name: str
    pid: int
    kib: list[int] = field(default_factory=list)

    def look(self) -> None:
        """Add the memory of this moment."""
        self.kib.append(anonymous_kib(self.pid))

    def third(self, number: int) -> float:
        """Return the median of one third of the run, in MiB."""
        length = len(self.kib) // 3
        return median(self.kib[number * length : (number + 1) * length]) / 1024

    @property
    def ratio(self) -> float:
        """Return the memory of the last third, divided by the memory of the second third."""
        return self.third(2) / self.third(1)


def anonymous_kib(pid: int) -> int:
    """Return the memory that a process alone has written. Raises BpftopError after its end."""
    try:
        return int(re.findall(r"^Anonymous: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)[0])
    except (OSError, IndexError):
        raise BpftopError(f"process {pid} ended before the soak did") from None


def soak(minutes: float, say: Callable[[str], None]) -> list[Course]:
    """Run all programs beside each other. Raises BpftopError if one of them ends."""
    with ExitStack() as stack:
        scratch = stack.enter_context(TemporaryDirectory(prefix="bpftop-soak-"))
        lab = stack.enter_context(Lab())
        lab.start_traffic(scale=0.1)
        screen = stack.enter_context(_screen(lab, scratch))
        headless = {name: stack.enter_context(process) for name, process in _headless(lab, scratch)}
        courses = [Course("live screen", screen.pid), *(Course(name, each.pid) for name, each in headless.items())]
        for step in range(int(minutes * 60 / STEP_S)):
            gather([screen], time.perf_counter() + STEP_S)
            screen.forget()
            if step % 10 == 0:
                screen.type(KEYS[step // 10 % len(KEYS)])
            lab.call_in(WATCHED, _scrape)
            for course in courses:
                course.look()
            if step % 30 == 29:
                say(", ".join(f"{course.name} {course.kib[-1] / 1024:.2f}" for course in courses) + " MiB")
        for process in headless.values():
            process.terminate()
    return courses


def _screen(lab: Lab, scratch: str) -> OnTerminal:
    netns_fd = os.open(lab.netns_path(), os.O_RDONLY | os.O_CLOEXEC)
    try:
        return OnTerminal("bpftop", bpftop(lab.interface, "-i", "0.1"), environment(scratch), netns_fd)
    finally:
        os.close(netns_fd)


def _headless(lab: Lab, scratch: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    verbs = {
        "export": ("--listen", LISTEN),
        "record": ("-o", f"{scratch}/a.bpftop", "--max-size", "20M"),
        "watch": ("--format", "json"),
    }
    for name, words in verbs.items():
        command = bpftop(name, lab.interface, "-i", "0.1", *words)
        yield name, lab.call_in(WATCHED, lambda: _started(command, scratch))  # noqa: B023


def _started(command: list[str], scratch: str) -> subprocess.Popen[bytes]:
    nothing = subprocess.DEVNULL
    return subprocess.Popen(command, env=environment(scratch), stdin=nothing, stdout=nothing, stderr=nothing)


def _scrape() -> None:
    with suppress(OSError), urllib.request.urlopen(f"http://{LISTEN}/metrics", timeout=5) as answer:
        answer.read()
