"""The start of the live screen on 301 interfaces, against its start on one of them, in turn.

150 idle veth pairs are added to the demo's watched namespace; the demo's own interface carries the traffic.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from statistics import median
from tempfile import TemporaryDirectory

from bpftop.demo.lab import Lab
from tests.bench.figures import Figure
from tests.bench.programs import RATES, bpftop, environment
from tests.bench.terminal import OnTerminal, first_shown

PAIRS = 150
ROUNDS = 3
TIMEOUT_S, LOOK_S = 120.0, 1.0
LIMIT_TO_ONE = 3.0
"""Times the start on one interface, which takes 0.5 s on an idle machine: rates within 3 s, and mostly earlier."""

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
        finally:
            os.close(netns_fd)
    ratios = [many / one for one, many in zip(took[1], took[len(names)], strict=True)]
    how = f"median of {ROUNDS} pairs of starts: {min(ratios):.2f} to {max(ratios):.2f}{waiting}"
    title = f"first rates of {len(names)} interfaces"
    yield Figure("many_interfaces", f"{title} / of one", median(ratios), "", LIMIT_TO_ONE, how)
    yield Figure("many_interfaces", title, median(took[len(names)]), "s", None, "goal: 3 s on an idle machine")


def _make_pairs(netns_path: str) -> list[str]:
    """Create idle veth pairs in the namespace, all of them up, and return the names of their ends."""
    ends = [(f"m{number}a", f"m{number}b") for number in range(PAIRS)]
    lines = []
    for one, other in ends:
        lines += [f"link add {one} type veth peer name {other}", f"link set {one} up", f"link set {other} up"]
    command = ["nsenter", f"--net={netns_path}", "ip", "-batch", "-"]
    subprocess.run(command, input="\n".join(lines), text=True, check=True)
    return [name for pair in ends for name in pair]
