"""Cost of the demo: its start, and the CPU time of its generator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED
from bpftop.errors import BpftopError
from tests.bench.figures import Figure, number
from tests.bench.programs import RATES, bpftop, environment
from tests.bench.terminal import OnTerminal, cpu_time_s, first_shown

START_ROUNDS, LAB_ROUNDS = 4, 5
START_LOOK_S, START_TIMEOUT_S = 1.0, 20.0
GENERATOR_S = 10.0


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Raises BpftopError where the demo does not start or does not show rates."""
    say("start of the demo")
    with TemporaryDirectory(prefix="bpftop-bench-") as scratch:
        shown_s = [_first_rates_s(environment(scratch)) for _ in range(START_ROUNDS + 1)][1:]
    how = f"median of {START_ROUNDS}, {1000 * min(shown_s):.0f} to {1000 * max(shown_s):.0f}"
    yield Figure("demo", "bpftop demo: first rates on screen", 1000 * median(shown_s), "ms", None, how)
    labs_s = [_lab_s() for _ in range(LAB_ROUNDS)]
    spread = f"{1000 * min(labs_s):.0f} to {1000 * max(labs_s):.0f}"
    how = f"namespaces, cable, first packets; median of {LAB_ROUNDS}, {spread}"
    yield Figure("demo", "the lab alone", 1000 * median(labs_s), "ms", None, how)
    say("the demo's generator")
    yield _generator()


def _first_rates_s(settings: dict[str, str]) -> float:
    with OnTerminal("bpftop demo", bpftop("demo"), settings) as program:
        return first_shown(program, RATES, START_TIMEOUT_S, START_LOOK_S)


def _lab_s() -> float:
    start_s = time.perf_counter()
    with Lab() as lab:
        lab.start_traffic()
        return time.perf_counter() - start_s


def _generator() -> Figure:
    with Lab() as lab:
        lab.start_traffic()
        pids = [lab.pid(side) for side in (WATCHED, GENERATOR)]
        packets, cpu_s, start_s = _packets(lab), sum(map(cpu_time_s, pids)), time.perf_counter()
        time.sleep(GENERATOR_S)
        elapsed_s = time.perf_counter() - start_s
        cpu_pct = 100 * (sum(map(cpu_time_s, pids)) - cpu_s) / elapsed_s
        per_sec = (_packets(lab) - packets) / elapsed_s
    how = f"of one core, both processes, over {GENERATOR_S:.0f} s; {number(round(per_sec))} frames/s, GSO ones as one"
    return Figure("demo", "generator: CPU", cpu_pct, "%", None, how)


def _packets(lab: Lab) -> int:
    """Packets of the watched interface since it exists, both directions."""
    text = lab.call_in(WATCHED, Path("/proc/thread-self/net/dev").read_text)
    for line in text.splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == lab.interface:
            numbers = counts.split()
            return int(numbers[1]) + int(numbers[9])
    raise BpftopError(f"the demo's interface {lab.interface} is not in its namespace")
