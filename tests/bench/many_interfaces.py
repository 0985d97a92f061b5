"""The live screen on 301 interfaces: its start against one on a single interface, in turn, then its memory and CPU.

150 veth pairs are added to the demo's watched namespace; the demo's own interface carries the traffic. Memory and CPU
are taken when all programs are attached, and the checks have ticks of half a minute behind them.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from statistics import median
from tempfile import TemporaryDirectory

from bpftop.demo.lab import Lab
from tests.bench.figures import Figure
from tests.bench.programs import RATES, bpftop, environment
from tests.bench.screen import Spent
from tests.bench.terminal import OnTerminal, first_shown, gather

PAIRS = 150
ROUNDS = 3
TIMEOUT_S, LOOK_S = 120.0, 1.0
LIMIT_TO_ONE = 3.0
"""Times the start on one interface, which takes 0.5 s on an idle machine: rates within 3 s, and mostly earlier."""

ATTACH_TIMEOUT_S, SETTLE_S, WINDOW_S = 300.0, 30.0, 20.0
LIMIT_RESIDENT_MIB = 60
LIMIT_CPU_PCT = 20

PROGRESS = re.compile(r"attached (\d+) of \d+ interfaces")


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Raises BpftopError where a screen does not show rates."""
    took: dict[int, list[float]] = {}
    waiting = ""
    with TemporaryDirectory(prefix="bpftop-bench-") as scratch, Lab() as lab:
        names = [lab.interface, *_make_pairs(lab.netns_path())]
        lab.start_traffic()
        netns_fd = os.open(lab.netns_path(), os.O_RDONLY | os.O_CLOEXEC)
        try:
            for turn in range(ROUNDS + 1):  # the first one fills the caches and is not kept
                for watched in (names[:1], names):
                    say(f"the screen on {len(watched)} interfaces, turn {turn + 1} of {ROUNDS + 1}")
                    with OnTerminal("bpftop", bpftop(*watched), environment(scratch), netns_fd) as program:
                        found_s = first_shown(program, RATES, TIMEOUT_S, LOOK_S)
                        progress = PROGRESS.search(program.screen())
                    if turn:
                        took.setdefault(len(watched), []).append(found_s)
                    if progress is not None:
                        waiting = f"; {progress[0]} by then"
            say(f"memory and CPU on {len(names)} interfaces")
            with OnTerminal("bpftop", bpftop(*names), environment(scratch), netns_fd) as program:
                yield from _spent(program, len(names))
        finally:
            os.close(netns_fd)
    ratios = [many / one for one, many in zip(took[1], took[len(names)], strict=True)]
    how = f"median of {ROUNDS} pairs of starts: {min(ratios):.2f} to {max(ratios):.2f}{waiting}"
    title = f"first rates of {len(names)} interfaces"
    yield Figure("many_interfaces", f"{title} / of one", median(ratios), "", LIMIT_TO_ONE, how)
    yield Figure("many_interfaces", title, median(took[len(names)]), "s", None, "goal: 3 s on an idle machine")


def _spent(program: OnTerminal, interfaces: int) -> Iterator[Figure]:
    """Measure the screen when it has come to rest. Raises BpftopError where programs wait for minutes."""
    first_shown(program, RATES, TIMEOUT_S, LOOK_S)
    while PROGRESS.search(program.screen()):
        if program.ended or time.perf_counter() - program.start_s > ATTACH_TIMEOUT_S:
            raise program.failure("did not attach its programs")
        gather([program], time.perf_counter() + LOOK_S)
    attached_s = time.perf_counter() - program.start_s
    program.forget()
    gather([program], time.perf_counter() + SETTLE_S)
    before = program.usage()
    gather([program], time.perf_counter() + WINDOW_S)
    spent = Spent.between(before, program.usage())
    how = f"all attached after {attached_s:.0f} s, {SETTLE_S + WINDOW_S:.0f} s later"
    title = f"the screen on {interfaces} interfaces"
    yield Figure("many_interfaces", f"{title}: resident", spent.resident_mib, "MiB", LIMIT_RESIDENT_MIB, how)
    how = f"of one core; a window of {WINDOW_S:.0f} s"
    yield Figure("many_interfaces", f"{title}: CPU", spent.cpu_pct, "%", LIMIT_CPU_PCT, how)


def _make_pairs(netns_path: str) -> list[str]:
    """Create idle veth pairs in the namespace, all of them up, and return the names of their ends."""
    ends = [(f"m{number}a", f"m{number}b") for number in range(PAIRS)]
    lines = []
    for one, other in ends:
        lines += [f"link add {one} type veth peer name {other}", f"link set {one} up", f"link set {other} up"]
    command = ["nsenter", f"--net={netns_path}", "ip", "-batch", "-"]
    subprocess.run(command, input="\n".join(lines), text=True, check=True)
    return [name for pair in ends for name in pair]
