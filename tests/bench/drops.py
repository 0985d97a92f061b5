"""Cost of counting drops: on each packet that the kernel drops, at start, and per tick.

Frames of an unknown ethertype go through a private veth pair and are dropped on its other end, all of it in the system
call that sends them: veth hands its frames to the backlog of the same CPU, which runs when the call lets softirqs in.
The same flood is timed with and without the tracepoint, in turn, and the median of all pairs of turns counts. (A
softirq is not in a thread's CPU time where the kernel keeps interrupts apart, so this is elapsed time.)
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from statistics import median, quantiles

from bpftop.collect.bpf.drops import DropCounts
from bpftop.collect.bpf.xdp_errors import load
from bpftop.errors import BpftopError
from bpftop.kernel.bpf.kernel_btf import drop_reasons
from bpftop.kernel.bpf.probe import PrivatePair, private_pair
from tests.bench.figures import Figure
from tests.bench.programs import python

TURNS, FRAMES = 120, 5_000
ROUNDS, READS = 9, 400
LIMIT_DROP_NS, LIMIT_LOAD_MS, LIMIT_KEPT_MIB = 100, 30, 2
_PAGE_MIB = os.sysconf("SC_PAGESIZE") / (1 << 20)


MAKERS: dict[str, Callable[[], object]] = {
    "the names of the drop reasons from BTF": drop_reasons,
    "drop reasons, names included, to attached": lambda: DropCounts(()).close(),
    "XDP exceptions, to attached": lambda: load("count_exception", ()).close(),
}


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Raises BpftopError where a packet was not counted, or the kernel refuses."""
    say("drops: start")
    yield from _start()
    say("drops: ns per dropped packet")
    allowed = os.sched_getaffinity(0)
    with private_pair() as pair:
        os.sched_setaffinity(0, {max(allowed)})
        try:
            yield from _per_drop(pair)
        finally:
            os.sched_setaffinity(0, allowed)


def _start() -> Iterator[Figure]:
    """Names, and each program: CPU time from nothing to attached. The first round is not kept: it warms up."""
    took_ms: dict[str, list[float]] = {}
    for turn in range(ROUNDS + 1):
        for name, make in MAKERS.items():
            start_ns = time.thread_time_ns()
            make()
            if turn:
                took_ms.setdefault(name, []).append((time.thread_time_ns() - start_ns) / 1e6)
    for name, each in took_ms.items():
        how = f"CPU time, median of {ROUNDS}; {min(each):.1f} to {max(each):.1f}"
        yield Figure("drops", name, median(each), "ms", LIMIT_LOAD_MS, how)
    how = f"resident memory of a new process after {ROUNDS + 1} rounds of the above, against before"
    yield Figure("drops", "kept after loading", _kept_in_new_process_mib(), "MiB", LIMIT_KEPT_MIB, how)


def _kept_in_new_process_mib() -> float:
    """Measure in a new process, as when bpftop starts: after larger blocks were freed, glibc keeps more memory."""
    code = "from tests.bench.drops import kept_mib; print(kept_mib())"
    where = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(python("-c", code), env=where, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BpftopError(f"loading in a new process failed: {(done.stderr.splitlines() or ['it said nothing'])[-1]}")
    return float(done.stdout)


def kept_mib() -> float:
    """Resident memory after loading all of it some times, above that before."""
    before_mib = _resident_mib()
    for _ in range(ROUNDS + 1):
        for make in MAKERS.values():
            make()
    return _resident_mib() - before_mib


def _per_drop(pair: PrivatePair) -> Iterator[Figure]:
    added_ns: list[float] = []
    plain_ns: list[float] = []
    with closing(DropCounts((pair.receiver,))) as counts:
        pair.send()
        reads_us = [_read_us(counts, pair) for _ in range(READS)]
    for _ in range(TURNS):
        without_ns, with_ns = _flood(pair, counting=False), _flood(pair, counting=True)
        plain_ns.append(without_ns)
        added_ns.append(with_ns - without_ns)
    low, _, high = quantiles(added_ns, n=4)
    how = f"median of {TURNS} pairs of {FRAMES} frames, quartiles {low:.0f} and {high:.0f}"
    how += f"; sending and dropping one takes {median(plain_ns):.0f} without"
    yield Figure("drops", "counting a drop, added to it", median(added_ns), "ns", LIMIT_DROP_NS, how)
    yield Figure("drops", "reading the counts, one row", median(reads_us), "µs", None, f"median of {READS}")


def _flood(pair: PrivatePair, *, counting: bool) -> float:
    """Nanoseconds per frame."""
    with closing(DropCounts((pair.receiver,))) if counting else nullcontext() as counts:
        for _ in range(FRAMES // 10):
            pair.send()
        start_ns = time.perf_counter_ns()
        for _ in range(FRAMES):
            pair.send()
        took_ns = time.perf_counter_ns() - start_ns
        if counts is not None:
            rows = counts.traced.read((pair.receiver,)).rows
            counted = sum(sum(cpus) for (ifindex, _), cpus in rows.items() if ifindex == pair.receiver)
            if counted < FRAMES + FRAMES // 10:
                raise BpftopError(f"of {FRAMES + FRAMES // 10} dropped frames {counted} were counted")
    return took_ns / FRAMES


def _read_us(counts: DropCounts, pair: PrivatePair) -> float:
    start_ns = time.perf_counter_ns()
    counts.traced.read((pair.receiver,))
    return (time.perf_counter_ns() - start_ns) / 1000


def _resident_mib() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * _PAGE_MIB
