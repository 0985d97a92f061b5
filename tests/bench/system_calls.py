"""System calls of a tick, counted by strace: of ``watch``, and of the live screen, on the demo's traffic.

The median of ten ticks counts: one of ten reads the facts of the device, and the search for the process of a socket
that begins to drop reads as many links as the machine has open files. The mean is printed beside it.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bpftop.demo.lab import Lab
from bpftop.errors import BpftopError
from tests.bench.figures import Figure
from tests.bench.priority import undisturbed
from tests.bench.programs import bpftop, environment
from tests.bench.terminal import OnTerminal, gather

SETTLING_TICKS = 8  # tracing programs are loaded during the first ticks
TICKS = 10
LOOK_S, TIMEOUT_S = 0.5, 120.0

LIMIT_WATCH, LIMIT_SCREEN = 60, 100

_TICK = re.compile(r"\bsendto\(.*RTM_GETQDISC")
"""The system call that each tick makes exactly once."""
_BEGUN = re.compile(r"^\d+ +(\w+)\(")
"""A call's line; a call that another thread's call interrupts has a second line, ``<... NAME resumed>``."""


@dataclass(frozen=True)
class Calls:
    """System calls by name, of each tick."""

    of_ticks: list[Counter[str]]

    @property
    def per_tick(self) -> float:
        return median(calls.total() for calls in self.of_ticks)

    def words(self) -> str:
        """Return the mean and the commonest calls in words."""
        ticks = len(self.of_ticks)
        together = sum(self.of_ticks, Counter[str]())
        common = ", ".join(f"{name} {count / ticks:.1f}" for name, count in together.most_common(5))
        return f"median of {ticks} ticks; mean {together.total() / ticks:.1f}: {common}"


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Raises BpftopError where strace is missing or a program does not run."""
    say("system calls per tick")
    watch, screen = counted()
    for title, calls, limit in (
        ("watch, system calls per tick", watch, LIMIT_WATCH),
        ("live screen, system calls per tick of 1 s", screen, LIMIT_SCREEN),
    ):
        yield Figure("system_calls", title, calls.per_tick, "", limit, calls.words())


def counted() -> tuple[Calls, Calls]:
    """Count the system calls of ``watch`` and of the live screen. Raises BpftopError."""
    if shutil.which("strace") is None:
        raise BpftopError("system calls are counted by strace, which is not installed")
    with ExitStack() as stack:
        scratch = stack.enter_context(TemporaryDirectory(prefix="bpftop-bench-"))
        lab = stack.enter_context(Lab())
        lab.start_traffic()
        netns_fd = os.open(lab.netns_path(), os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, netns_fd)
        running: list[tuple[OnTerminal, Path]] = []
        for name, command in (
            ("watch", bpftop("watch", lab.interface)),
            ("screen", bpftop(lab.interface)),
        ):
            trace = Path(scratch, f"{name}.strace")
            traced = ["strace", "-f", "-qq", "-o", str(trace), *command]
            with undisturbed():  # each wait for the interpreter's lock is a system call, too
                program = OnTerminal(name, traced, environment(scratch), netns_fd)
            running.append((stack.enter_context(program), trace))
        _await_ticks(running)
        for program, _ in running:  # strace ends with its program, but not the other way round
            program.type("q" if program.name == "screen" else "\x03")
        gather([program for program, _ in running], time.perf_counter() + TIMEOUT_S, until_ended=True)
        watch, screen = (calls_per_tick(trace.read_text(errors="replace").splitlines()) for _, trace in running)
        return watch, screen


def _await_ticks(running: Sequence[tuple[OnTerminal, Path]]) -> None:
    """Wait until every trace has all ticks. Raises BpftopError."""
    deadline_s = time.perf_counter() + TIMEOUT_S
    programs = [program for program, _ in running]
    for program, trace in running:
        while not (trace.exists() and len(_TICK.findall(trace.read_text(errors="replace"))) > SETTLING_TICKS + TICKS):
            if program.ended or time.perf_counter() > deadline_s:
                raise program.failure("does not tick")
            gather(programs, time.perf_counter() + LOOK_S)


def calls_per_tick(lines: Sequence[str]) -> Calls:
    """Count the calls of the first TICKS ticks after SETTLING_TICKS in the output of ``strace -f``."""
    ticks = [number for number, line in enumerate(lines) if _TICK.search(line)]
    starts = ticks[SETTLING_TICKS : SETTLING_TICKS + TICKS + 1]
    return Calls(
        [
            Counter(match[1] for line in lines[start:end] if (match := _BEGUN.match(line)))
            for start, end in pairwise(starts)
        ]
    )
