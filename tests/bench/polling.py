"""Cost of reading the maps once per tick: the map of a counter, and the fold over many CPUs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from statistics import median

from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.bpf_map import PERCPU_ARRAY
from bpftop.kernel.bpf.bpf_map import create as create_map
from bpftop.kernel.bpf.percpu_array import CounterMap, possible_cpus
from tests.bench.drains import MadeUpCounters
from tests.bench.figures import Figure
from tests.bench.flows import count_on_every_cpu
from tests.bench.packets import FRAMES
from tests.bench.priority import undisturbed
from tests.bpf.frame import ether, ip4

ROUNDS, COLD_ROUNDS = 400, 60
PAUSE_S, EVICTING_BYTES = 0.02, 4 << 20
LIMIT_POLL_TO_ROWS = 0.6
FOLD_ROUNDS, FOLD_CPUS, LIMIT_FOLD_TO_COPY = 40, 512, 5
CELL_BYTES, ROW_BYTES = ffi.sizeof("struct cell"), ffi.sizeof("struct counter_row")
SMALL_ROWS, LIMIT_SMALL_ROWS_SHARE = lib.PROTOCOLS, 0.18  # 15 µs where 264 rows cost 83


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Microseconds of a whole poll, of the batch against single lookups, and of the fold. Raises KernelError."""
    say("poll")
    with undisturbed():
        figures = [*_poll(), *_lookups()]
    yield from figures
    say("fold")
    with undisturbed():
        figures = list(_fold())
    yield from figures


def _poll() -> Iterator[Figure]:
    usual = list(FRAMES.values())
    every = [*usual, *(bytes(ether() / ip4(proto=number) / bytes(64)) for number in range(256))]
    cpus = possible_cpus()
    small = SmallRows()
    with (
        closing(PacketCounter("count_xdp", "rx")) as counter,
        closing(PacketCounter("count_xdp", "rx")) as full,
        closing(small),
    ):
        count_on_every_cpu(counter.program, usual)
        count_on_every_cpu(full.program, every)

        def poll() -> object:
            return counter.read("eth0", 1)

        hot = _turns_us({"few": poll, "rows": small.read, "all": lambda: full.read("eth0", 1)}, ROUNDS)
        cold = [_after_a_pause_us(poll) for _ in range(COLD_ROUNDS)]
    title = "one poll of an interface and direction"
    ratio = median(hot["few"]) / median(hot["rows"])
    words = f"the map, fold, readings; reference: {small.words}, {median(hot['rows']):.0f} µs, in turn"
    yield Figure("polling", f"{title} / a batch of a row per protocol", ratio, "", LIMIT_POLL_TO_ROWS, words)
    for how, each in (("back to back", hot["few"]), (f"after {PAUSE_S * 1000:.0f} ms, with cold caches", cold)):
        spread = f"median of {len(each)}, p95 {_p95(each):.0f}"
        parts = f"the map, fold, readings; {cpus} CPUs"
        yield Figure("polling", f"{title}, {how}", median(each), "µs", None, f"{parts}; {spread}")
    yield Figure("polling", "the same, back to back, all 256 IP protocols seen", median(hot["all"]), "µs")


class SmallRows:
    """Reference: a map with a row per protocol, read by one batch call."""

    words = f"{SMALL_ROWS} rows of {CELL_BYTES} bytes by one batch call"

    def __init__(self) -> None:
        self._row_bytes = CELL_BYTES * possible_cpus()
        self._map = create_map(PERCPU_ARRAY, 4, CELL_BYTES, SMALL_ROWS)
        self._values = ffi.new("char[]", SMALL_ROWS * self._row_bytes)
        self._keys = ffi.new("uint32_t[]", SMALL_ROWS)

    def read(self) -> object:
        return lib.bpftop_drain(self._map.fd, SMALL_ROWS, self._row_bytes, self._keys, self._values, True)

    def close(self) -> None:
        self._map.close()


def _after_a_pause_us(call: Callable[[], object]) -> float:
    """Time a call as bpftop makes the call: once in a while, after other work has used the caches."""
    time.sleep(PAUSE_S)
    bytearray(EVICTING_BYTES).count(1)
    start_ns = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start_ns) / 1000


def _lookups() -> Iterator[Figure]:
    """Yield the read alone: by one batch call, by single look-ups, and by batch from a map of many small rows."""
    cpus = possible_cpus()
    small = SmallRows()
    with closing(PacketCounter("count_xdp", "rx")) as counter, closing(small):
        count_on_every_cpu(counter.program, list(FRAMES.values()))
        fd = counter.map_fd
        maps = {batch: CounterMap(fd, cpus, batch=batch) for batch in (True, False)}
        calls: dict[str, Callable[[], object]] = {
            "batch": maps[True]._read_rows, "single": maps[False]._read_rows, "small rows": small.read,
        }  # fmt: skip
        reads = {name: median(each) for name, each in _turns_us(calls, ROUNDS).items()}
    rows = f"{lib.COUNTER_ROWS} rows of {ROW_BYTES} bytes x {cpus} CPUs; median of {ROUNDS}, in turn with the others"
    yield Figure("polling", "all counters by one batch call", reads["batch"], "µs", None, rows)
    yield Figure("polling", "all counters by single lookups", reads["single"], "µs", None, f"{lib.COUNTER_ROWS} calls")
    how = f"{small.words}: {reads['small rows']:.1f} µs"
    share = reads["batch"] / reads["small rows"]
    yield Figure("polling", "the batch call / one of a row per protocol", share, "", LIMIT_SMALL_ROWS_SHARE, how)


def _fold() -> Iterator[Figure]:
    made_up = {active: MadeUpCounters(FOLD_CPUS, active) for active in (lib.PROTOCOLS, 20)}
    for active, counters in made_up.items():
        values = counters.read()
        if len(values.protocol_numbers) != 4 * active or len(values.protocol_values) != 2 * active * FOLD_CPUS:
            raise AssertionError(f"the fold found {len(values.protocol_numbers) // 4} active protocols of {active}")
    rows = next(iter(made_up.values()))._read_rows()
    row_bytes = lib.COUNTER_ROWS * ROW_BYTES * FOLD_CPUS
    calls: dict[str, Callable[[], object]] = {str(active): counters.read for active, counters in made_up.items()}
    reads = _turns_us({**calls, "copy": lambda: bytes(ffi.buffer(rows, row_bytes))}, FOLD_ROUNDS)
    ratio = median(reads[str(lib.PROTOCOLS)]) / median(reads["copy"])
    how = f"in turn with copying the {row_bytes >> 20} MiB of its rows, {median(reads['copy']) / 1000:.2f} ms"
    yield Figure("polling", f"fold of {FOLD_CPUS} CPUs, all protocols / a copy", ratio, "", LIMIT_FOLD_TO_COPY, how)
    for active in (lib.PROTOCOLS, 20):
        each = [took_us / 1000 for took_us in reads[str(active)]]
        how = f"made-up rows, the result copied out; median of {FOLD_ROUNDS}, {min(each):.2f} to {max(each):.2f}"
        yield Figure("polling", f"fold of {FOLD_CPUS} CPUs, {active} protocols not zero", median(each), "ms", None, how)


def _turns_us(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time each call in turn with the others, without the first round, which warms up."""
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
