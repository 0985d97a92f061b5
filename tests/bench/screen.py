"""The live screen from outside, at 160x50 and one tick a second: first rates, CPU, memory, bytes to the terminal.

First rates: bare Textual and bpftop start in turn, on the demo's traffic, and the medians count; labels, dashes and
zeros are no rates. Then all programs run beside each other, on the Overview and on the CPUs pane, for two windows of
20 s each. The cheaper window counts for CPU time, because what else runs on the machine makes it only dearer; the worse
one for bytes and memory. CPU time comes from the kernel in nanoseconds; the demo's generator has no part in it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bpftop.demo.lab import Lab
from bpftop.errors import BpftopError
from tests.bench.figures import Figure
from tests.bench.priority import undisturbed
from tests.bench.programs import CHARACTERS, RATES, bpftop, environment, python
from tests.bench.terminal import COLUMNS, ROWS, OnTerminal, Usage, first_shown, gather

START_ROUNDS = 7
START_LOOK_S, START_TIMEOUT_S = 0.7, 20.0
WINDOW_S, WINDOWS = 20.0, 2
SETTLED_PCT, SETTLE_TIMEOUT_S = 15.0, 60.0
HISTORY_TICKS = 600  # all that bpftop keeps at one tick a second

LIMIT_FIRST_RATES = 1.4  # times the first text of bare Textual
LIMIT_CPU = 0.8  # of what a Textual app of the same size takes
LIMIT_HEADLESS_CPU = 1 / 3  # of what the live screen takes
LIMIT_CPU_PCT = 2
LIMIT_RESIDENT_MIB = 45
LIMIT_BYTES_PER_SEC = 8_000

PANES = {"Overview": ("1", RATES), "CPUs": ("2", re.compile(r"top protocols.*60 s"))}
"""Pane -> the key that opens it, and a text on the screen then."""

BARE = python(str(Path(__file__).with_name("bare_app.py")))
TOOLKIT = python(str(Path(__file__).with_name("toolkit_app.py")))
GLANCES = python("-m", "glances", "--disable-check-update", "--disable-autodiscover", "-t", "1")


@dataclass(frozen=True)
class Watched:
    """One that runs beside the others. ``limited``: it is bpftop. ``source``: the one whose CPU time is taken off."""

    name: str
    command: Sequence[str]
    limited: bool = False
    source: str | None = None


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Raises BpftopError where a program does not run or does not show rates."""
    with ExitStack() as stack:
        scratch = stack.enter_context(TemporaryDirectory(prefix="bpftop-bench-"))
        lab = stack.enter_context(Lab())
        lab.start_traffic()
        netns_fd = os.open(lab.netns_path(), os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, netns_fd)
        monitor, headless = (
            bpftop(*words) for words in ((lab.interface, "--xdp"), ("watch", lab.interface, "--attach", "tcx"))
        )
        stage = Stage(environment(scratch), netns_fd, monitor, headless)
        say("first rates on screen")
        yield from stage.first_rates()
        say("CPU time against a Textual app of the same size")
        yield from stage.against_toolkit()
        say("the programs beside each other")
        yield from stage.beside_each_other(say)


@dataclass(frozen=True)
class Stage:
    """The demo's watched namespace, in which all compared programs run, and their environment."""

    environment: dict[str, str]
    netns_fd: int
    monitor: list[str]
    headless: list[str]

    def start(self, name: str, command: Sequence[str]) -> OnTerminal:
        with undisturbed():
            return OnTerminal(name, command, self.environment, self.netns_fd)

    def first_rates(self) -> Iterator[Figure]:
        took: dict[str, list[float]] = {"bare": [], "bpftop": [], "glances": []}
        contenders = (("bare", BARE, CHARACTERS), ("bpftop", self.monitor, RATES), ("glances", GLANCES, CHARACTERS))
        for turn in range(START_ROUNDS + 1):  # the first one fills the caches and is not kept
            for name, command, pattern in contenders:
                with undisturbed(), self.start(name, command) as program:
                    found_s = first_shown(program, pattern, START_TIMEOUT_S, START_LOOK_S)
                if turn:
                    took[name].append(found_s)
        middle = {name: 1000 * median(each) for name, each in took.items()}
        ranges = {name: f"{1000 * min(each):.0f} to {1000 * max(each):.0f}" for name, each in took.items()}
        how = f"median of {START_ROUNDS} pairs of starts, in turn"
        ratios = [rates / bare for rates, bare in zip(took["bpftop"], took["bare"], strict=True)]
        how += f": {min(ratios):.2f} to {max(ratios):.2f}"
        yield Figure("screen", "first rates / bare Textual's first text", median(ratios), "", LIMIT_FIRST_RATES, how)
        for name, title in (
            ("bpftop", "first rates on screen"),
            ("bare", "bare Textual: first 80 characters"),
            ("glances", "glances: first 80 characters"),
        ):
            yield Figure("screen", title, middle[name], "ms", None, ranges[name])

    def against_toolkit(self) -> Iterator[Figure]:
        """Compare the live screen with an app of its size, and ``watch`` with the live screen, in the same windows."""
        commands = {"screen": self.monitor, "toolkit": TOOLKIT, "watch": self.headless}
        with ExitStack() as stack:
            running = {name: stack.enter_context(self.start(name, command)) for name, command in commands.items()}
            _settle(list(running.values()))
            windows = [_window(running) for _ in range(WINDOWS)]
            if not RATES.search(running["screen"].screen()):
                raise running["screen"].failure("shows no rates")
        cpu_pct = {name: min(window[name].cpu_pct for window in windows) for name in commands}
        how = ", ".join(f"{name} {cpu_pct[name]:.2f} %" for name in commands) + " of one core"
        for title, name, reference, limit in (
            ("live screen: CPU / a Textual app of its size", "screen", "toolkit", LIMIT_CPU),
            ("watch: CPU / the live screen's", "watch", "screen", LIMIT_HEADLESS_CPU),
        ):
            yield Figure("screen", title, cpu_pct[name] / cpu_pct[reference], "", limit, how)

    def beside_each_other(self, say: Callable[[str], None]) -> Iterator[Figure]:
        made_up = python("-m", "tests.bench.made_up_screen", "--cpus")
        past = ("--past", str(HISTORY_TICKS))
        everyone = (
            Watched("bpftop on the demo", self.monitor, limited=True),
            Watched("bpftop, 128 made-up CPUs", [*made_up, "128", *past], limited=True, source="128 CPUs alone"),
            Watched("bpftop, 512 made-up CPUs", [*made_up, "512", *past], limited=True, source="512 CPUs alone"),
            Watched("128 CPUs alone", [*made_up, "128", "--alone"]),
            Watched("512 CPUs alone", [*made_up, "512", "--alone"]),
            Watched("bare Textual", BARE),
            Watched("glances", GLANCES),
        )
        with ExitStack() as stack:
            running = {one.name: stack.enter_context(self.start(one.name, one.command)) for one in everyone}
            watched = [running[one.name] for one in everyone if one.limited]
            spent: dict[str, list[Spent]] = {}
            for pane, (key, pattern) in PANES.items():
                for program in watched:
                    program.type(key)
                _settle(list(running.values()))
                say(f"CPU, memory and bytes on the {pane} pane")
                windows = [_window(running) for _ in range(WINDOWS)]
                for program in watched:
                    if not pattern.search(program.screen()):
                        raise program.failure(f"does not show the {pane} pane")
                spent = {name: [window[name] for window in windows] for name in running}
                for one in everyone:
                    if one.limited:
                        yield from _figures(one, pane, spent)
            for one in everyone:
                if one.name in ("bare Textual", "glances"):
                    yield from _figures(one, "", spent)


@dataclass(frozen=True)
class Spent:
    """Use of the machine by a program in one window."""

    cpu_pct: float
    bytes_per_sec: float
    resident_mib: float

    @classmethod
    def between(cls, before: Usage, after: Usage) -> Spent:
        elapsed_s = after.at_s - before.at_s
        return cls(
            100 * (after.cpu_s - before.cpu_s) / elapsed_s,
            (after.written_bytes - before.written_bytes) / elapsed_s,
            after.resident_bytes / 2**20,
        )


def _window(running: dict[str, OnTerminal], seconds: float = WINDOW_S) -> dict[str, Spent]:
    before = {name: program.usage() for name, program in running.items()}
    gather(list(running.values()), time.perf_counter() + seconds)
    return {name: Spent.between(before[name], program.usage()) for name, program in running.items()}


def _settle(programs: list[OnTerminal]) -> None:
    """Until all have started, made-up minutes have been taken in, and only ticks are left to do. Raises BpftopError."""
    running = {program.name: program for program in programs}
    deadline_s = time.perf_counter() + SETTLE_TIMEOUT_S
    gather(programs, time.perf_counter() + 2)
    while busy := [name for name, spent in _window(running, 2.0).items() if spent.cpu_pct > SETTLED_PCT]:
        if time.perf_counter() > deadline_s:
            raise BpftopError(f"{busy[0]} does not come to rest on this machine, so nothing can be measured beside it")


def _figures(one: Watched, pane: str, spent: dict[str, list[Spent]]) -> Iterator[Figure]:
    windows = spent[one.name]
    sources = spent[one.source] if one.source else [Spent(0, 0, 0)] * len(windows)
    cpu_pct = [window.cpu_pct - source.cpu_pct for window, source in zip(windows, sources, strict=True)]
    how = f"of one core; windows of {WINDOW_S:.0f} s: {', '.join(f'{each:.2f}' for each in cpu_pct)}"
    if one.source:
        how += f"; without making the samples, {min(source.cpu_pct for source in sources):.2f}"
    name = f"{one.name}, {pane} {COLUMNS}x{ROWS}" if pane else one.name
    limits = (LIMIT_CPU_PCT, LIMIT_RESIDENT_MIB, LIMIT_BYTES_PER_SEC) if one.limited else (None, None, None)
    memory = f"{HISTORY_TICKS // 60} minutes of history" if one.source else ""
    yield Figure("screen", f"{name}: CPU", min(cpu_pct), "%", limits[0], how)
    yield Figure("screen", f"{name}: resident", max(w.resident_mib for w in windows), "MiB", limits[1], memory)
    yield Figure("screen", f"{name}: to the terminal", max(w.bytes_per_sec for w in windows), "B/s", limits[2])
