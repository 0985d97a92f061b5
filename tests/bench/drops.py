"""Cost of counting drops: on each packet that the kernel drops, at start, and per tick.

Frames of an unknown ethertype go through a private veth pair and are dropped on its other end, all of it in the system
call that sends them: veth hands its frames to the backlog of the same CPU, which runs when the call lets softirqs in.
Short bursts are timed with and without the tracepoint, in turn. (A softirq is not in a thread's CPU time where the
kernel keeps interrupts apart, so this is elapsed time.)
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import median

from bpftop.collect.bpf.drops import DropCounts
from bpftop.collect.bpf.tracing import Traced
from bpftop.collect.bpf.xdp_errors import load
from bpftop.errors import BpftopError
from bpftop.kernel.bpf.kernel_btf import drop_reasons
from bpftop.kernel.bpf.probe import PrivatePair, private_pair
from tests.bench.figures import Figure
from tests.bench.programs import python

TURNS, BURSTS, FRAMES = 60, 10, 300
ROUNDS, READS = 9, 400
LIMIT_DROP_SHARE, LIMIT_TO_NAMES, LIMIT_KEPT_MIB = 0.04, 4, 2
_PAGE_MIB = os.sysconf("SC_PAGESIZE") / (1 << 20)


NAMES = "the names of the drop reasons from BTF"
MAKERS: dict[str, Callable[[], object]] = {
    NAMES: drop_reasons,
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
    names_ms = median(took_ms.pop(NAMES))
    yield Figure("drops", NAMES, names_ms, "ms", None, f"CPU time, median of {ROUNDS}")
    for name, each in took_ms.items():
        how = f"CPU time, medians of {ROUNDS} in turn: {median(each):.1f} against {names_ms:.1f} ms"
        yield Figure("drops", f"{name} / {NAMES}", median(each) / names_ms, "", LIMIT_TO_NAMES, how)
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
    counting_ns: list[float] = []
    plain_ns: list[float] = []
    leaving_ns: list[float] = []
    with closing(DropCounts((pair.receiver,))) as counts:
        pair.send()
        reads_us = [_read_us(counts, pair) for _ in range(READS)]
    for _ in range(TURNS):
        plain_ns += _bursts(pair)
        with closing(_leaving_at_once(pair)):
            leaving_ns += _bursts(pair)
        with closing(DropCounts((pair.receiver,))) as counts:
            counting_ns += _bursts(pair)
            rows = counts.read((pair.receiver,)).rows
            counted = sum(count for (ifindex, _), (count,) in rows.items() if ifindex == pair.receiver)
            if counted < (BURSTS + 1) * FRAMES:
                raise BpftopError(f"of {(BURSTS + 1) * FRAMES} dropped frames {counted} were counted")
    drop_ns, empty_ns, all_ns = _low(plain_ns), _low(leaving_ns), _low(counting_ns)
    how = f"tenth of {TURNS * BURSTS} bursts of {FRAMES} frames each, in turn; one drop takes {drop_ns:.0f} ns"
    title = "a tracing program that leaves at once / the drop itself"
    yield Figure("drops", title, (empty_ns - drop_ns) / drop_ns, "", None, f"{empty_ns - drop_ns:.0f} ns; {how}")
    title = "counting a drop, beyond that / the drop itself"
    share = (all_ns - empty_ns) / drop_ns
    yield Figure("drops", title, share, "", LIMIT_DROP_SHARE, f"{all_ns - empty_ns:.0f} ns; {how}")
    yield Figure("drops", "reading the counts, one row", median(reads_us), "µs", None, f"median of {READS}")


def _leaving_at_once(pair: PrivatePair) -> Traced:
    """Return the program with a constant that makes it leave at once: it costs as much as any tracing program."""
    number = next(number for number, name in drop_reasons().names.items() if name.endswith("UNHANDLED_PROTO"))
    constants = {"not_specified": number, "consumed": number, "has_rx_sk": 0}
    return Traced("drops", "count_drop", 2, (pair.receiver,), constants)


def _bursts(pair: PrivatePair) -> list[float]:
    """Nanoseconds per frame of each burst. The first burst, which warms up, is left out."""
    return [_burst_ns(pair) for _ in range(BURSTS + 1)][1:]


def _burst_ns(pair: PrivatePair) -> float:
    start_ns = time.perf_counter_ns()
    for _ in range(FRAMES):
        pair.send()
    return (time.perf_counter_ns() - start_ns) / FRAMES


def _low(each: list[float]) -> float:
    """Return the time of a burst that little else disturbed: a disturbance only makes a burst longer."""
    return sorted(each)[len(each) // 10]


def _read_us(counts: DropCounts, pair: PrivatePair) -> float:
    start_ns = time.perf_counter_ns()
    counts.read((pair.receiver,))
    return (time.perf_counter_ns() - start_ns) / 1000


def _resident_mib() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * _PAGE_MIB
