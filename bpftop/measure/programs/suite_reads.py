"""Suites of whole maps: read or written by single calls, by one batch call, and as mapped memory."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from statistics import median

from bpftop.errors import BpftopError
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.measure.frames import request_packet
from bpftop.kernel.measure.timed_runs import Stopped
from bpftop.kernel.measure.whole_map_reads import WholeReads
from bpftop.kernel.return_code import KernelError
from bpftop.measure.pinned_threads import on_cpu
from bpftop.measure.programs.body_suite import ALONE_NS
from bpftop.measure.programs.costs import ProgramRow, Skipped
from bpftop.measure.programs.loading import load_object
from bpftop.measure.programs.suite import Contestant, Costs, Suite

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
class ReadSuite(Suite):
    """Ways to read or write 10 000 keys. Every value is compared with the written value.

    ``conclude`` may raise KeyError for a skipped way.
    """

    ways: tuple[MapRead, ...]
    conclude: Callable[[Costs], str]

    @property
    def expected_s(self) -> float:
        return (self.rounds * (ALONE_NS / 1e9 + 0.002) + 0.01) * len(self.ways)

    def contestants(self) -> Iterator[tuple[str, str]]:
        for way in self.ways:
            yield way.name, way.what

    def load(self, stack: ExitStack, stop: Stop) -> Iterator[Contestant | Skipped]:
        maps = filled_maps(stack, {way.map for way in self.ways})
        for way in self.ways:
            try:
                _turn_ns(way, maps[way.map])
            except KernelError as error:
                yield Skipped(way.name, str(error))
            else:
                yield Contestant(way.name, way.what, partial(_measure, way, maps[way.map]))

    def verdict(self, rows: Sequence[ProgramRow]) -> str:
        return self.conclude({row.name: row.ns for row in rows})


def filled_maps(stack: ExitStack, names: set[str]) -> dict[str, WholeReads]:
    """Return readers of these maps of bench_reads.bpf.c, filled with READ_KEYS keys. ``stack`` frees the maps."""
    loaded = load_object(stack, "bench_reads", ("fill",))
    loaded.program.test_run(request_packet(-(-READ_KEYS // _FILL_BODIES)))
    maps = {name: WholeReads(loaded.map_fd(name), READ_KEYS) for name in names}
    for whole in maps.values():
        stack.callback(whole.close)
    return maps


def _measure(way: MapRead, whole: WholeReads, cpus: Sequence[int], stop: Stop) -> float:
    """Read or write the whole map again and again for a round on one CPU. Raises KernelError, Stopped, BpftopError."""

    def turns_ns() -> list[int]:
        times: list[int] = []
        until_ns = time.monotonic_ns() + ALONE_NS
        while not times or time.monotonic_ns() < until_ns:
            if stop.is_set():
                raise Stopped
            times.append(_turn_ns(way, whole))
        return times

    times = on_cpu(cpus[0], stop, turns_ns)
    _check(whole, way)
    return median(times) / READ_KEYS


def _turn_ns(way: MapRead, whole: WholeReads) -> int:
    """Read the map, or write the emptied map, once. Raises KernelError."""
    if way.writes:
        whole.empty(_written_values())
    else:
        whole.clear()
    begin_ns = time.monotonic_ns()
    way.act(whole)
    return time.monotonic_ns() - begin_ns


def written(key: int) -> int:
    """Return the value that fill() of bench_reads.bpf.c writes for a key."""
    return (key * 0x9E3779B97F4A7C15 + 1) % (1 << 64)


@cache
def _written_values() -> array[int]:
    return array("Q", map(written, range(READ_KEYS)))


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
    _batch,
    unit="key",
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
    _mmap,
    unit="key",
    reference="one batch",
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
    _populate,
    unit="key",
)

READ_SUITES = (BATCH, POPULATE, MMAP)
