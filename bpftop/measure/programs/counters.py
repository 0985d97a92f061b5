"""The suite ``counters``: nine implementations of a protocol counter, on one CPU and on several CPUs at once."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.bpf.cell_map import CellMap
from bpftop.kernel.bpf.percpu_array import CounterMap, possible_cpus
from bpftop.kernel.check import KernelError
from bpftop.kernel.measure.contend import Stopped
from bpftop.kernel.measure.program_object import BenchObject
from bpftop.measure.conditions import bench_cpus, cpu_counts, permitted
from bpftop.measure.programs.costs import (
    XDP_BUDGET,
    CountedRuns,
    ProgramRow,
    Size,
    Skipped,
    SuiteProgress,
    SuiteTable,
    budget_share,
    cost,
    line_rate_share,
)
from bpftop.measure.programs.frames import BURST_PROTOCOLS, burst
from bpftop.measure.programs.program_race import ALONE_NS, CROWDED_NS, Entrant, verdict
from bpftop.measure.programs.rounds import run_rounds

REFERENCE = "naive"
ROUNDS = 15
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
class _Contender:
    """A loaded implementation with its times and counts."""

    implementation: Implementation
    entrant: Entrant
    cells: CellMap | CounterMap
    size: Size
    times: dict[int, list[float]] = field(default_factory=dict)
    counted_runs: dict[int, CountedRuns] = field(default_factory=dict)

    def measure(self, cpus: Sequence[int], stop: Stop) -> float:
        """Measure a round on these CPUs. The counts begin at 0 and are compared with the runs at the end."""
        before = self.entrant.run
        ns = median(self.entrant.times_ns(cpus, CROWDED_NS if len(cpus) > 1 else ALONE_NS, stop))
        counted_runs = CountedRuns(self.entrant.run - before, sum(self.cells.take_packets().values()))
        self.counted_runs[len(cpus)] = self.counted_runs.get(len(cpus), CountedRuns(0, 0)) + counted_runs
        return ns


def cells_of(implementation: Implementation, map_fd: int) -> CellMap | CounterMap:
    """Return the reader of an implementation's map; bpftop's own has rows of many cells."""
    if implementation.name == OWN:
        return CounterMap(map_fd, possible_cpus())
    return CellMap(map_fd, BURST_PROTOCOLS, implementation.per_cpu)


class Counters:
    """The suite ``counters``."""

    name = "counters"
    title = "One protocol counter, written in nine ways: XDP programs, ns per packet above an empty one"
    unit = "packet"

    @property
    def expected_s(self) -> float:
        windows_ns = sum(CROWDED_NS if cpu_count > 1 else ALONE_NS for cpu_count in cpu_counts(len(bench_cpus())))
        return (ROUNDS * windows_ns / 1e9 + 0.03) * (len(IMPLEMENTATIONS) + 1)

    def contestants(self) -> Iterator[tuple[str, str]]:
        for each in IMPLEMENTATIONS:
            yield each.name, each.what

    def run(self, stop: Stop) -> Generator[SuiteProgress, None, None]:
        return run_rounds(_CounterRace(), ROUNDS, stop)


class _CounterRace:
    """A run of the suite."""

    def __init__(self) -> None:
        self._skipped: list[Skipped] = []
        self._empty_times: dict[int, list[float]] = {}
        self._contenders: list[_Contender] = []

    def load(self, stack: ExitStack, stop: Stop) -> None:
        """Load the programs; the verifier takes up to 0.1 s for each. Raises Stopped, BpftopError."""
        frames = burst()
        empty = _load(stack, "bench_counters", "empty_loop")
        self._empty = Entrant(empty.programs["empty_loop"], burst=frames)
        for each in IMPLEMENTATIONS:
            if stop.is_set():
                raise Stopped
            try:
                loaded = _load(stack, each.loop_object, each.loop)
                size = _size(each)
            except KernelError as error:
                self._skipped.append(Skipped(each.name, str(error)))
                continue
            entrant = Entrant(loaded.programs[each.loop], burst=frames)
            cells = cells_of(each, loaded.map_fd(each.counts))
            self._contenders.append(_Contender(each, entrant, cells, size))

        cpus = bench_cpus()
        for entrant in (self._empty, *(each.entrant for each in self._contenders)):
            entrant.warm_up(cpus[:1], stop)
        for contender in self._contenders:
            contender.cells.take_packets()

    def round(self, stop: Stop) -> None:
        cpus = bench_cpus()
        for cpu_count in cpu_counts(len(cpus)):
            self._measure(cpus[:cpu_count], stop)

    def _measure(self, cpus: Sequence[int], stop: Stop) -> None:
        empty_ns = median(self._empty.times_ns(cpus, ALONE_NS, stop))
        times_ns = [each.measure(cpus, stop) for each in self._contenders]
        self._empty_times.setdefault(len(cpus), []).append(empty_ns)
        for each, ns in zip(self._contenders, times_ns, strict=True):
            each.times.setdefault(len(cpus), []).append(ns)

    def _row(self, contender: _Contender) -> ProgramRow:
        costs = tuple(
            cost(cpu_count, times, self._empty_times[cpu_count], contender.counted_runs[cpu_count])
            for cpu_count, times in contender.times.items()
        )
        return ProgramRow(contender.implementation.name, contender.implementation.what, costs, contender.size)

    def table(self, partial: bool) -> SuiteTable:
        rows = tuple(self._row(each) for each in self._contenders if each.times)
        return SuiteTable(
            Counters.name,
            Counters.title,
            Counters.unit,
            rows,
            REFERENCE,
            "" if partial else verdict(lambda _: _sentence(rows), {}, self._skipped),
            tuple(self._skipped),
            f"an empty program: {median(self._empty_times[1]):.2f} ns" if self._empty_times else "",
            XDP_BUDGET,
            partial,
        )


def _load(stack: ExitStack, name: str, program: str) -> BenchObject:
    loaded = permitted(BenchObject, name, (program,))
    stack.callback(loaded.close)
    return loaded


def _size(implementation: Implementation) -> Size:
    """Return the size of the program without the loop."""
    loaded = permitted(BenchObject, implementation.object, (implementation.program,))
    try:
        facts = loaded.program.info()
        return Size(facts.xlated_bytes // 8, facts.jited_bytes)
    finally:
        loaded.close()


QUOTED_FACTOR = 10
"""How many times as fast per-CPU arrays often are said to be."""


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
