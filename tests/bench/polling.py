"""What one tick's reading costs: both maps of a counter, and the fold of many rows over many CPUs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from statistics import median

from bpftop.collect.bpf.traffic import PacketCounter
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.percpu_array import RowsDrain, possible_cpus
from bpftop.kernel.bpf.program import Program
from tests.bench.drains import COLUMNS, ROWS, MadeUpRows
from tests.bench.figures import Figure
from tests.bench.packets import FRAMES
from tests.bpf.frame import ether, ip4

ROUNDS, COLD_ROUNDS = 400, 60
PAUSE_S, EVICTING_BYTES = 0.02, 4 << 20
LIMIT_POLL_US, LIMIT_POLL_CPUS = 150, 2
FOLD_ROUNDS, FOLD_ROWS, FOLD_CPUS, LIMIT_FOLD_MS = 40, 300, 512, 3


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Microseconds of a whole poll, of the batch against single lookups, and of the fold. Raises KernelError."""
    say("poll")
    yield from _poll()
    yield from _lookups()
    say("fold")
    yield from _fold()


def _count_on_every_cpu(program: Program, frames: list[bytes]) -> None:
    allowed = os.sched_getaffinity(0)
    try:
        for cpu in allowed:
            os.sched_setaffinity(0, {cpu})
            for frame in frames:
                program.test_run(frame)
    finally:
        os.sched_setaffinity(0, allowed)


def _poll() -> Iterator[Figure]:
    usual = list(FRAMES.values())
    every = [*usual, *(bytes(ether() / ip4(proto=number) / bytes(64)) for number in range(256))]
    cpus = possible_cpus()
    limit = LIMIT_POLL_US if cpus <= LIMIT_POLL_CPUS else None
    with closing(PacketCounter("count_xdp", "rx")) as counter, closing(PacketCounter("count_xdp", "rx")) as full:
        _count_on_every_cpu(counter.program, usual)
        _count_on_every_cpu(full.program, every)

        def poll() -> object:
            return counter.read("eth0", 1)

        hot = _turns_us({"few": poll, "all": lambda: full.read("eth0", 1)}, ROUNDS)
        cold = [_after_a_pause_us(poll) for _ in range(COLD_ROUNDS)]
    title = "one poll of an interface and direction"
    for how, each in (("back to back", hot["few"]), (f"after {PAUSE_S * 1000:.0f} ms, with cold caches", cold)):
        spread = f"median of {len(each)}, p95 {_p95(each):.0f}"
        parts = f"both maps, fold, readings; {cpus} CPUs"
        yield Figure("polling", f"{title}, {how}", median(each), "µs", limit, f"{parts}; {spread}")
    yield Figure("polling", "the same, back to back, all 256 IP protocols seen", median(hot["all"]), "µs")


def _after_a_pause_us(call: Callable[[], object]) -> float:
    """How long a call takes as bpftop makes it: once in a while, when others have used the caches."""
    time.sleep(PAUSE_S)
    bytearray(EVICTING_BYTES).count(1)
    start_ns = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start_ns) / 1000


def _lookups() -> Iterator[Figure]:
    with closing(BpfObject("counter", "count_xdp", {"count_tx": 0, "link_is_ip": 0})) as counter:
        _count_on_every_cpu(counter.program, list(FRAMES.values()))
        drains = {
            batch: RowsDrain(counter.map_fd("protocols"), ROWS, COLUMNS, possible_cpus(), batch=batch)
            for batch in (True, False)
        }
        reads = _turns_us({str(batch): drain.read for batch, drain in drains.items()}, ROUNDS)
        kept = drains[True].batch
    batch_us, single_us = median(reads["True"]), median(reads["False"])
    how = f"{ROWS} rows, one call; median of {ROUNDS}, in turn with the next line"
    if not kept:
        how = "this kernel has no batch for this map type: single lookups again"
    yield Figure("polling", "the protocols' map by batch", batch_us, "µs", None, how)
    how = f"{ROWS} calls from a loop in C: {single_us / batch_us:.1f} times the batch"
    yield Figure("polling", "the protocols' map by single lookups", single_us, "µs", None, how)


def _fold() -> Iterator[Figure]:
    drains = {active: MadeUpRows(FOLD_ROWS, active, FOLD_CPUS) for active in (FOLD_ROWS, 20)}
    for active, drain in drains.items():
        rows, values = drain.read()
        if len(rows) != 4 * active or len(values) != active * COLUMNS * FOLD_CPUS:
            raise AssertionError(f"the fold found {len(rows) // 4} active rows of {active}")
    reads = _turns_us({str(active): drain.read for active, drain in drains.items()}, FOLD_ROUNDS)
    for active, limit in ((FOLD_ROWS, LIMIT_FOLD_MS), (20, None)):
        each = [took_us / 1000 for took_us in reads[str(active)]]
        how = f"made-up buffers, the result copied out; median of {FOLD_ROUNDS}, {min(each):.2f} to {max(each):.2f}"
        title = f"fold of {FOLD_ROWS} rows x {FOLD_CPUS} CPUs, {active} not zero"
        yield Figure("polling", title, median(each), "ms", limit, how)


def _turns_us(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """How long each call took, in turn with the others; the first round, which warms up, is not kept."""
    took: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            start_ns = time.perf_counter_ns()
            call()
            if turn:
                took[name].append((time.perf_counter_ns() - start_ns) / 1000)
    return took


def _p95(values: list[float]) -> float:
    return sorted(values)[len(values) * 95 // 100]
