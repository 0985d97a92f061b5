"""Cost of one packet: the counting programs above an empty one of the same type, under BPF_PROG_TEST_RUN.

The kernel reports a mean in whole nanoseconds, and the empty program is always cut by the same fraction, so the
difference of two such numbers may be wrong by one. Here the CPU time of the calling thread around the whole call is
divided by the number of repetitions, which resolves 0.01 ns and repeats within 0.5 ns: an XDP call waits some 8 to
16 ms until a dispatcher has been switched (bpf_prog_change_xdp), but sleeping is not in its CPU time, and what a call
costs besides is measured too and taken off. Frames, the empty program and ours take turns, and the least of all rounds
counts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from statistics import mean, median

from scapy.layers.l2 import ARP as Arp
from scapy.layers.l2 import Dot1Q

from bpftop.hooks.steps import ProgramName
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.program import Program
from bpftop.measure.programs.counters import COUNTERS, OWN
from tests.bench.figures import Figure
from tests.bench.priority import undisturbed
from tests.bpf.frame import BROADCAST, ether, pad, tcp4, tcp6, udp4

ROUNDS = 9
REPEAT = 200_000
PLAIN = "naive"  # of bench_counters.bpf.c: the protocol, a look-up in a shared hash, two additions
LIMIT_TO_PLAIN, LIMIT_FRAGS_TO_PLAIN = 1.0, 1.5
LIMIT_RANDOM_TO_PLAIN, SUITE_RUNS = 3.5, 3
FIXED_REPEAT = 2  # above 1 an XDP call switches the dispatcher, as the measured ones do

FRAMES: dict[str, bytes] = {
    "UDP": bytes(ether() / udp4(5000, 5001, 100)),
    "TCP": bytes(ether() / tcp4("A", 1000)),
    "SYN": pad(ether() / tcp4("S"), 60),
    "IPv6": bytes(ether() / tcp6("A", 1000)),
    "VLAN": bytes(ether() / Dot1Q(vlan=7) / udp4(5000, 5001, 100)),
    "ARP": pad(ether(BROADCAST) / Arp(), 60),
}


@dataclass(frozen=True)
class Contender:
    """A counting program, the empty program of its type, and the limit of its cost / the plain program's cost."""

    program: ProgramName
    noop: str
    direction: str
    limit: float | None

    @property
    def constants(self) -> dict[str, int]:
        return {"count_tx": int(self.direction == "tx"), "link_is_ip": 0}


CONTENDERS = (
    Contender("count_xdp", "noop_xdp", "rx", LIMIT_TO_PLAIN),
    Contender("count_xdp_frags", "noop_xdp_frags", "rx", LIMIT_FRAGS_TO_PLAIN),
    Contender("count_tc", "noop_tc", "rx", None),
    Contender("count_tc", "noop_tc", "tx", None),
)


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Yield the cost of a packet for each contender / the cost by a plain counter. Raises KernelError."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})  # no migration within a run
    try:
        for contender in CONTENDERS:
            say(f"ns per packet: {contender.program} {contender.direction}")
            with undisturbed():
                figures = list(_figures(contender))
            yield from figures
    finally:
        os.sched_setaffinity(0, allowed)
    say("packets in random order: bpftop bench counters")
    yield _random_order()


def _random_order() -> Figure:
    """Compare two rows of the suite ``counters``, whose packets come in random order."""
    pairs = []
    for _ in range(SUITE_RUNS):
        with undisturbed():
            *_, last = COUNTERS.run(Stop())
        ns = {row.name: row.alone.net.median for row in last.table.rows}
        pairs.append((ns[OWN], ns["percpu-array"]))
    each = ", ".join(f"{own:.1f} / {plain:.1f}" for own, plain in pairs)
    ratio = median(own / plain for own, plain in pairs)
    how = f"packets in random order, median of {SUITE_RUNS} runs: {each} ns"
    return Figure("packets", "bench counters: bpftop / percpu-array", ratio, "", LIMIT_RANDOM_TO_PLAIN, how)


def _figures(contender: Contender) -> Iterator[Figure]:
    with ExitStack() as stack:
        programs: dict[str, Program] = {}
        for who, opened in (
            ("empty", BpfObject("noop", contender.noop)),
            ("ours", BpfObject("counter", contender.program, contender.constants)),
            ("empty XDP", BpfObject("noop", "noop_xdp")),
            ("plain", BpfObject("bench_counters", (PLAIN,))),
        ):
            stack.callback(opened.close)
            programs[who] = opened.program
        empty, ours, empty_xdp, plain = _take_turns(programs)
    added = {name: ours[name].cpu_ns - empty[name].cpu_ns for name in FRAMES}
    each = ", ".join(f"{name} {ns:.1f}" for name, ns in added.items())
    kernel_ns = mean(ours[name].kernel_ns - empty[name].kernel_ns for name in FRAMES)
    empty_ns = mean(cost.cpu_ns for cost in empty.values())
    plain_ns = mean(plain[name].cpu_ns - empty_xdp[name].cpu_ns for name in FRAMES)
    name, ns = f"{contender.program} {contender.direction}", mean(added.values())
    how = f"{ns:.1f} against {plain_ns:.1f} ns of a plain XDP counter in a hash, both above an empty program"
    yield Figure("packets", f"{name}, a packet / by a plain hash counter", ns / plain_ns, "", contender.limit, how)
    how = f"{each}; empty program {empty_ns:.1f}; by the kernel's whole ns {kernel_ns:.1f}"
    yield Figure("packets", f"{name}, added to a packet", ns, "ns", None, how)


@dataclass(frozen=True)
class Cost:
    """Time of one packet: CPU time of this thread, and the kernel's own mean."""

    cpu_ns: float
    kernel_ns: int

    def least(self, other: Cost) -> Cost:
        return Cost(min(self.cpu_ns, other.cpu_ns), min(self.kernel_ns, other.kernel_ns))


def _take_turns(programs: dict[str, Program]) -> list[dict[str, Cost]]:
    """Program by program, frame -> least cost."""
    least: dict[tuple[str, str], Cost] = {}
    fixed_ns: dict[str, int] = {}
    for _ in range(ROUNDS):
        for who, program in programs.items():
            took_ns, _ = _call(program, FRAMES["UDP"], FIXED_REPEAT)
            fixed_ns[who] = min(took_ns, fixed_ns.get(who, took_ns))
        for (name, frame), (who, program) in product(FRAMES.items(), programs.items()):
            took_ns, kernel_ns = _call(program, frame, REPEAT)
            cost = Cost(took_ns, kernel_ns)
            least[who, name] = cost.least(least.get((who, name), cost))
    repeated = REPEAT - FIXED_REPEAT
    return [
        {
            name: Cost((least[who, name].cpu_ns - fixed_ns[who]) / repeated, least[who, name].kernel_ns)
            for name in FRAMES
        }
        for who in programs
    ]


def _call(program: Program, frame: bytes, repeat: int) -> tuple[int, int]:
    """CPU time of one call, and the kernel's mean of its runs."""
    start_ns = time.thread_time_ns()
    outcome = program.test_run(frame, repeat)
    return time.thread_time_ns() - start_ns, outcome.duration_ns
