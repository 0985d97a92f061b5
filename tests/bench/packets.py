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
from statistics import mean

from scapy.layers.l2 import ARP as Arp
from scapy.layers.l2 import Dot1Q

from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.program import Program
from tests.bench.figures import Figure
from tests.bpf.frame import BROADCAST, ether, pad, tcp4, tcp6, udp4

ROUNDS = 9
REPEAT = 200_000
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
    """A counting program, the empty one it is compared with, and what it may add to a packet."""

    program: str
    noop: str
    direction: str
    limit_ns: float | None

    @property
    def constants(self) -> dict[str, int]:
        return {"count_tx": int(self.direction == "tx"), "link_is_ip": 0}


CONTENDERS = (
    Contender("count_xdp", "noop_xdp", "rx", 10),
    Contender("count_xdp_frags", "noop_xdp_frags", "rx", 18),
    Contender("count_tc", "noop_tc", "rx", None),
    Contender("count_tc", "noop_tc", "tx", None),
)


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Nanoseconds per packet above an empty program, for each contender. Raises KernelError."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})  # no migration within a run
    try:
        for contender in CONTENDERS:
            say(f"ns per packet: {contender.program} {contender.direction}")
            yield from _figures(contender)
    finally:
        os.sched_setaffinity(0, allowed)


def _figures(contender: Contender) -> Iterator[Figure]:
    with ExitStack() as stack:
        programs: dict[str, Program] = {}
        for who, opened in (
            ("empty", BpfObject("noop", contender.noop)),
            ("ours", BpfObject("counter", contender.program, contender.constants)),
        ):
            stack.callback(opened.close)
            programs[who] = opened.program
        empty, ours = _take_turns(programs)
    added = {name: ours[name].cpu_ns - empty[name].cpu_ns for name in FRAMES}
    each = ", ".join(f"{name} {ns:.1f}" for name, ns in added.items())
    kernel_ns = mean(ours[name].kernel_ns - empty[name].kernel_ns for name in FRAMES)
    empty_ns = mean(cost.cpu_ns for cost in empty.values())
    yield Figure(
        "packets",
        f"{contender.program} {contender.direction}, added to a packet",
        mean(added.values()),
        "ns",
        contender.limit_ns,
        f"{each}; empty program {empty_ns:.1f}; by the kernel's whole ns {kernel_ns:.1f}",
    )


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
