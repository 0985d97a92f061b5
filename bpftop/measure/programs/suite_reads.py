"""Suites of whole maps: read or written by single calls, by one batch call, and as mapped memory."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from bpftop.errors import BpftopError
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.check import KernelError
from bpftop.kernel.measure.contend import Stopped
from bpftop.kernel.measure.program_object import BenchObject
from bpftop.kernel.measure.whole_map_reads import WholeReads
from bpftop.measure.conditions import bench_cpus, permitted
from bpftop.measure.pinned_threads import on_cpu
from bpftop.measure.programs.costs import ProgramRow, Skipped, SuiteProgress, SuiteTable, cost
from bpftop.measure.programs.frames import request_packet
from bpftop.measure.programs.program_race import ALONE_NS, ROUNDS, Costs, verdict
from bpftop.measure.programs.rounds import run_rounds

READ_KEYS = 10_000  # bpf_objects/bench_reads.bpf.c
_FILL_BODIES = 32


@dataclass(frozen=True)
class MapRead:
    """A contestant: a way to read all keys of a map, or to write all keys of an empty map (``writes``)."""

    name: str
    what: str
    map: str
    act: Callable[[WholeReads], None]
    writes: bool = False


@dataclass(frozen=True)
class ReadSuite:
    """Ways to read or write 10 000 keys. Every value is compared with the written value."""

    name: str
    title: str
    ways: tuple[MapRead, ...]
    reference: str
    verdict: Callable[[Costs], str]
    unit: str = "key"

    @property
    def expected_s(self) -> float:
        return (ROUNDS * (ALONE_NS / 1e9 + 0.002) + 0.01) * len(self.ways)

    def contestants(self) -> Iterator[tuple[str, str]]:
        for way in self.ways:
            yield way.name, way.what

    def run(self, stop: Stop) -> Generator[SuiteProgress, None, None]:
        return run_rounds(_ReadRace(self), ROUNDS, stop)


class _ReadRace:
    """A run of a suite."""

    def __init__(self, suite: ReadSuite) -> None:
        self._suite = suite
        self._maps: dict[str, WholeReads] = {}
        self._times: dict[str, list[float]] = {way.name: [] for way in suite.ways}
        self._refused: dict[str, str] = {}

    def load(self, stack: ExitStack, stop: Stop) -> None:
        self._maps = filled_maps(stack, {way.map for way in self._suite.ways})

    def round(self, stop: Stop) -> None:
        for way in self._suite.ways:
            if way.name in self._refused:
                continue
            try:
                ns = median(_times_ns(way, self._maps[way.map], stop)) / READ_KEYS
            except KernelError as error:
                self._refused[way.name] = str(error)
            else:
                self._times[way.name].append(ns)
                _check(self._maps[way.map], way)

    def table(self, partial: bool) -> SuiteTable:
        suite = self._suite
        rows = tuple(
            ProgramRow(way.name, way.what, (cost(1, times, [0.0] * len(times)),))
            for way in suite.ways
            if (times := self._times[way.name]) and way.name not in self._refused
        )
        skipped = tuple(Skipped(name, reason) for name, reason in self._refused.items())
        sentence = "" if partial else verdict(suite.verdict, {row.name: row.ns for row in rows}, skipped)
        return SuiteTable(
            suite.name, suite.title, suite.unit, rows, suite.reference, sentence, skipped, partial=partial
        )


def filled_maps(stack: ExitStack, names: set[str]) -> dict[str, WholeReads]:
    """Return readers of these maps of bench_reads.bpf.c, filled with READ_KEYS keys. ``stack`` frees the maps."""
    loaded = permitted(BenchObject, "bench_reads", ("fill",))
    stack.callback(loaded.close)
    loaded.programs["fill"].test_run(request_packet(-(-READ_KEYS // _FILL_BODIES)))
    maps = {name: WholeReads(loaded.map_fd(name), READ_KEYS) for name in names}
    for whole in maps.values():
        stack.callback(whole.close)
    return maps


def _times_ns(way: MapRead, whole: WholeReads, stop: Stop) -> list[int]:
    """Read or write the whole map again and again for a round on one CPU; return the time of each turn."""
    values = array("Q", map(written, range(READ_KEYS)))

    def measure() -> list[int]:
        times: list[int] = []
        until_ns = time.monotonic_ns() + ALONE_NS
        while not times or time.monotonic_ns() < until_ns:
            if stop.is_set():
                raise Stopped
            if way.writes:
                whole.empty(values)
            else:
                whole.clear()
            begin_ns = time.monotonic_ns()
            way.act(whole)
            times.append(time.monotonic_ns() - begin_ns)
        return times

    return on_cpu(bench_cpus()[0], stop, measure)


def written(key: int) -> int:
    """Return the value that fill() of bench_reads.bpf.c writes for a key."""
    return (key * 0x9E3779B97F4A7C15 + 1) % (1 << 64)


def _check(whole: WholeReads, way: MapRead) -> None:
    """Check that every key was read or written once, with the right value. Raises BpftopError."""
    if way.writes:
        whole.clear()
        whole.batch()
    keys, values = whole.content()
    wrong = sum(value != written(key) for key, value in zip(keys, values, strict=True))
    if wrong or len(set(keys)) != READ_KEYS:
        missing = READ_KEYS - len(set(keys))
        raise BpftopError(
            f"{way.name}: {wrong} of {READ_KEYS} values are not what was written, {missing} keys are missing; trust no "
            "figure of this kernel, and report it"
        )


def _batch(ns: Costs) -> str:
    hashed = ns["hash, a call per key"] / ns["hash, one batch"]
    array = ns["array, a call per key"] / ns["array, one batch"]
    return (
        f"One batch call reads {READ_KEYS} keys {hashed:.1f} times as fast as a call for each from a hash, and "
        f"{array:.1f} times from an array; folklore says 50."
    )


def _populate(ns: Costs) -> str:
    hashed, array_ = (ns[f"{kind}, a call per key"] / ns[f"{kind}, one batch"] for kind in ("hash", "array"))
    return (
        f"One batch call fills an empty hash {hashed:.1f} times as fast as a call per key, and an array {array_:.1f} "
        "times."
    )


def _mmap(ns: Costs) -> str:
    batch, mapped = ns["one batch"], ns["mapped memory"]
    return (
        f"An array that is mapped is read {batch / mapped:.0f} times as fast as by one batch call "
        f"({READ_KEYS * mapped / 1000:.1f} against {READ_KEYS * batch / 1000:.0f} µs for {READ_KEYS} values)."
    )


BATCH = ReadSuite(
    "batch",
    "Single against batch: user space reads 10 000 keys, ns per key",
    (
        MapRead("hash, a call per key", "BPF_MAP_LOOKUP_ELEM for each, in a C loop", "hash", WholeReads.each),
        MapRead("hash, one batch", "BPF_MAP_LOOKUP_BATCH once", "hash", WholeReads.batch),
        MapRead("array, a call per key", "BPF_MAP_LOOKUP_ELEM for each, in a C loop", "array", WholeReads.each),
        MapRead("array, one batch", "BPF_MAP_LOOKUP_BATCH once", "array", WholeReads.batch),
    ),
    "hash, a call per key",
    _batch,
)

MMAP = ReadSuite(
    "mmap",
    "Mapped array against batch lookup: user space reads 10 000 keys, ns per key",
    (
        MapRead("a call per key", "BPF_MAP_LOOKUP_ELEM for each, in a C loop", "array", WholeReads.each),
        MapRead("one batch", "BPF_MAP_LOOKUP_BATCH once", "array", WholeReads.batch),
        MapRead(
            "mapped memory", "the values copied from memory shared with the kernel, no call", "array", WholeReads.mapped
        ),
    ),
    "one batch",
    _mmap,
)

POPULATE = ReadSuite(
    "populate",
    "Pre-populating a map: user space writes 10 000 keys, ns per key",
    (
        MapRead(
            "hash, a call per key", "BPF_MAP_UPDATE_ELEM for each, in a C loop", "hash", WholeReads.write_each, True
        ),
        MapRead("hash, one batch", "BPF_MAP_UPDATE_BATCH once", "hash", WholeReads.write_batch, True),
        MapRead("array, a call per key", "BPF_MAP_UPDATE_ELEM for each", "array", WholeReads.write_each, True),
        MapRead("array, one batch", "BPF_MAP_UPDATE_BATCH once", "array", WholeReads.write_batch, True),
    ),
    "hash, a call per key",
    _populate,
)

READ_SUITES = (BATCH, POPULATE, MMAP)
