"""Suites of user space: what reading a whole map costs by single calls, by one batch call, and as mapped memory."""

from __future__ import annotations

import time
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

READ_KEYS = 10_000  # bpf_objects/bench_reads.bpf.c
_FILL_BODIES = 32


@dataclass(frozen=True)
class MapRead:
    """A contestant: one way to read all keys of one of the maps."""

    name: str
    what: str
    map: str
    read: Callable[[WholeReads], None]


@dataclass(frozen=True)
class ReadSuite:
    """Ways to read 10 000 keys; every value that is read is compared with what was written."""

    name: str
    title: str
    readings: tuple[MapRead, ...]
    reference: str
    verdict: Callable[[Costs], str]
    unit: str = "key"

    @property
    def expected_s(self) -> float:
        return (ROUNDS * (ALONE_NS / 1e9 + 0.002) + 0.01) * len(self.readings)

    def contestants(self) -> Iterator[tuple[str, str]]:
        for each in self.readings:
            yield each.name, each.what

    def run(self, stop: Stop) -> Generator[SuiteProgress, None, None]:
        """The table after each round. Raises BpftopError, on a wrong value too; ends early where ``stop`` is set."""
        times: dict[str, list[float]] = {each.name: [] for each in self.readings}
        refused: dict[str, str] = {}
        with ExitStack() as stack:
            maps = _filled(stack, {each.map for each in self.readings})
            done = 0
            try:
                for done in range(1, ROUNDS + 1):
                    for each in self.readings:
                        if each.name not in refused:
                            self._round(each, maps[each.map], times, refused, stop)
                    yield self._step(times, refused, done < ROUNDS)
            except Stopped:
                yield self._step(times, refused, True)

    def _round(
        self, each: MapRead, whole: WholeReads, times: dict[str, list[float]], refused: dict[str, str], stop: Stop
    ) -> None:
        try:
            times[each.name].append(median(_times_ns(each.read, whole, stop)) / READ_KEYS)
        except KernelError as error:
            refused[each.name] = str(error)
        else:
            _check(whole, each.name)

    def _step(self, times: dict[str, list[float]], refused: dict[str, str], partial: bool) -> SuiteProgress:
        rows = tuple(
            ProgramRow(each.name, each.what, (cost(1, times[each.name], [0.0] * len(times[each.name])),))
            for each in self.readings
            if times[each.name] and each.name not in refused
        )
        skipped = tuple(Skipped(name, reason) for name, reason in refused.items())
        sentence = "" if partial else verdict(self.verdict, {row.name: row.ns for row in rows}, skipped)
        table = SuiteTable(self.name, self.title, self.unit, rows, self.reference, sentence, skipped, partial=partial)
        counts = [len(found) for name, found in times.items() if name not in refused]
        return SuiteProgress(table, min(counts, default=0) / ROUNDS)


def _filled(stack: ExitStack, names: set[str]) -> dict[str, WholeReads]:
    loaded = permitted(BenchObject, "bench_reads", ("fill",))
    stack.callback(loaded.close)
    loaded.programs["fill"].test_run(request_packet(-(-READ_KEYS // _FILL_BODIES)))
    maps = {name: WholeReads(loaded.map_fd(name), READ_KEYS) for name in names}
    for whole in maps.values():
        stack.callback(whole.close)
    return maps


def _times_ns(read: Callable[[WholeReads], None], whole: WholeReads, stop: Stop) -> list[int]:
    """How long each reading of the whole map took, for as long as a round lasts; on a CPU of its own."""

    def measure() -> list[int]:
        times: list[int] = []
        until_ns = time.monotonic_ns() + ALONE_NS
        while not times or time.monotonic_ns() < until_ns:
            if stop.is_set():
                raise Stopped
            whole.clear()
            begin_ns = time.monotonic_ns()
            read(whole)
            times.append(time.monotonic_ns() - begin_ns)
        return times

    return on_cpu(bench_cpus()[0], stop, measure)


def written(key: int) -> int:
    """The value of a key, as fill() of bench_reads.bpf.c writes it."""
    return (key * 0x9E3779B97F4A7C15 + 1) % (1 << 64)


def _check(whole: WholeReads, name: str) -> None:
    """Every key once, each with its value. Raises BpftopError."""
    keys, values = whole.content()
    wrong = sum(value != written(key) for key, value in zip(keys, values, strict=True))
    if wrong or len(set(keys)) != READ_KEYS:
        raise BpftopError(
            f"{name}: {wrong} of {READ_KEYS} values are not what was written, {READ_KEYS - len(set(keys))} keys are "
            "missing; trust no figure of this kernel, and report it"
        )


def _batch(ns: Costs) -> str:
    hashed = ns["hash, a call per key"] / ns["hash, one batch"]
    array = ns["array, a call per key"] / ns["array, one batch"]
    return (
        f"One batch call reads {READ_KEYS} keys {hashed:.1f} times as fast as a call for each from a hash, and "
        f"{array:.1f} times from an array; folklore says 50."
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

READ_SUITES = (BATCH, MMAP)
