"""The suite ``counters``: nine implementations of a protocol counter, on one CPU and on several CPUs at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.bpf.cell_map import CellMap
from bpftop.kernel.bpf.percpu_array import CounterMap, possible_cpus
from bpftop.kernel.measure.frames import BURST_PROTOCOLS, burst
from bpftop.kernel.return_code import KernelError
from bpftop.measure.machine import bench_cpus
from bpftop.measure.programs.body_suite import ALONE_NS, CROWDED_NS, BodyProgram
from bpftop.measure.programs.costs import (
    XDP_BUDGET,
    CountedRuns,
    ProgramRow,
    Skipped,
    budget_share,
    line_rate_share,
)
from bpftop.measure.programs.loading import load_object, size_of
from bpftop.measure.programs.suite import Contestant, Suite

REFERENCE = "naive"
OWN = "bpftop"


@dataclass(frozen=True)
class Implementation:
    """A way to count. ``program`` is for an interface; ``loop`` does the same many times in one test run.

    ``counts`` is the map with the packets of each protocol in the first u64 of its value.
    """

    name: str
    what: str
    object: str
    program: str
    loop_object: str
    loop: str
    counts: str
    per_cpu: bool


def _implementation(name: str, counts: str, what: str, per_cpu: bool = False) -> Implementation:
    program = name.replace("-", "_")
    return Implementation(name, what, "bench_counters", program, "bench_counters", f"{program}_loop", counts, per_cpu)


IMPLEMENTATIONS = (
    _implementation("naive", "shared_hash", "a shared hash: look up, add in place; the usual first version"),
    _implementation(
        "hash-update",
        "shared_hash",
        "a shared hash: look up, add, update; the element may belong to another key by then",
    ),
    _implementation("hash-atomic", "shared_hash", "a shared hash, atomic additions"),
    _implementation("array-atomic", "shared_array", "a shared array, atomic additions"),
    _implementation("percpu-hash", "percpu_hash_map", "a hash with a value per CPU", True),
    _implementation(
        "lru-percpu-hash",
        "lru_percpu_hash_map",
        "a hash with a value per CPU that evicts unused keys",
        True,
    ),
    _implementation(
        "percpu-array-atomic", "percpu_array_map", "an array with a value per CPU, with needless atomic additions", True
    ),
    _implementation("percpu-array", "percpu_array_map", "an array with a value per CPU", True),
    Implementation(
        OWN,
        "bpftop's own: protocols, sizes, casts, flags, ports, ICMP types, fragments, VLANs",
        "counter",
        "count_xdp",
        "bench_own",
        "own_loop",
        "counters",
        True,
    ),
)


@dataclass
class _Counter:
    """A loaded implementation and its cells."""

    program: BodyProgram
    cells: CellMap | CounterMap
    counted_runs: dict[int, CountedRuns] = field(default_factory=dict)

    def measure(self, cpus: Sequence[int], stop: Stop) -> float:
        """Measure a round on these CPUs. The counts begin at 0 and are compared with the runs at the end."""
        before = self.program.run
        ns = self.program.measure(cpus, stop)
        counted_runs = CountedRuns(self.program.run - before, sum(self.cells.take_packets().values()))
        self.counted_runs[len(cpus)] = self.counted_runs.get(len(cpus), CountedRuns(0, 0)) + counted_runs
        return ns


def cells_of(implementation: Implementation, map_fd: int) -> CellMap | CounterMap:
    """Return the reader of an implementation's map; bpftop's own has rows of many cells."""
    if implementation.name == OWN:
        return CounterMap(map_fd, possible_cpus())
    return CellMap(map_fd, BURST_PROTOCOLS, implementation.per_cpu)


@dataclass(frozen=True)
class Counters(Suite):
    """The suite ``counters``."""

    crowded = True

    @property
    def expected_s(self) -> float:
        windows_ns = sum(CROWDED_NS if len(cpus) > 1 else ALONE_NS for cpus in self.cpu_sets())
        return (self.rounds * windows_ns / 1e9 + 0.03) * (len(IMPLEMENTATIONS) + 1)

    def contestants(self) -> Iterator[tuple[str, str]]:
        for each in IMPLEMENTATIONS:
            yield each.name, each.what

    def load(self, stack: ExitStack, stop: Stop) -> Iterator[Contestant | Skipped]:
        """Load the programs; the verifier takes up to 0.1 s for each."""
        frames, alone = burst(), bench_cpus()[:1]
        empty = BodyProgram(load_object(stack, "bench_counters", ("empty_loop",)).program, burst=frames)
        empty.warm_up(alone, stop)
        for each in IMPLEMENTATIONS:
            try:
                loaded = load_object(stack, each.loop_object, (each.loop,))
                with ExitStack() as without_loop:
                    size = size_of(load_object(without_loop, each.object, (each.program,)).program)
            except KernelError as error:
                yield Skipped(each.name, str(error))
                continue
            program = BodyProgram(loaded.program, burst=frames)
            program.warm_up(alone, stop)
            counter = _Counter(program, cells_of(each, loaded.map_fd(each.counts)))
            counter.cells.take_packets()
            counted_runs = counter.counted_runs
            yield Contestant(each.name, each.what, counter.measure, empty.measure, size, counted_runs=counted_runs)

    def verdict(self, rows: Sequence[ProgramRow]) -> str:
        return _sentence(rows)

    def taken_off(self, empty_ns: Sequence[float]) -> str:
        return f"an empty program: {empty_ns[0]:.2f} ns" if empty_ns else ""


COUNTERS = Counters(
    "counters",
    "One protocol counter, written in nine ways: XDP programs, ns per packet above an empty one",
    unit="packet",
    rounds=15,
    budget=XDP_BUDGET,
)

QUOTED_FACTOR = 10
"""Factor that is often quoted for per-CPU arrays against shared maps."""


def _sentence(rows: Sequence[ProgramRow]) -> str:
    """Return the verdict, in sentences of at most 25 words. Raises KeyError if a row is missing."""
    named = {row.name: row for row in rows}
    naive, own = named[REFERENCE], named[OWN]
    best = min(
        (row for row in rows if row.name != OWN and not _loses(row)), key=lambda row: row.crowded.ns, default=own
    )
    lost = naive.crowded.counted_runs.lost_pct if naive.crowded.counted_runs else 0.0
    sentences = [f"{best.name} loses nothing" + (f", {REFERENCE} loses {lost:.0f} % of its counts." if lost else ".")]
    sentences += _against_the_quoted_factor(naive, best)
    sentences += [
        f"{row.name} takes {budget_share(row.ns, XDP_BUDGET)} and {line_rate_share(row.ns)}." for row in (best, own)
    ]
    return " ".join(sentences)


def _against_the_quoted_factor(naive: ProgramRow, best: ProgramRow) -> Iterator[str]:
    """Compare the measured factors with the factor that is often quoted, and say why they differ."""
    if not (naive.alone.is_measurable and best.alone.is_measurable and best.crowded.is_measurable):
        yield f"Its cost is too small for a factor against {REFERENCE}."
        return
    alone, crowded, cpus = naive.ns / best.ns, naive.crowded.ns / best.crowded.ns, naive.crowded.cpus
    several = f" and {crowded:.1f} times on {cpus} CPUs at once" if cpus > 1 else ""
    yield f"It is {alone:.1f} times as fast as {REFERENCE} alone{several}; often {QUOTED_FACTOR}x is quoted."
    if alone >= QUOTED_FACTOR:
        yield "Even alone it reaches that: the calls into the hash cost most, and CPU mitigations slow each call."
    elif crowded >= QUOTED_FACTOR:
        yield "It reaches that only under contention: what costs is a cache line that moves between CPUs."
    else:
        yield f"It stays below because this hash fits the caches and {cpus} CPU{'s' * (cpus > 1)} contend little."


def _loses(row: ProgramRow) -> bool:
    return any(
        each.counted_runs is not None and each.counted_runs.counted != each.counted_runs.run for each in row.costs
    )
