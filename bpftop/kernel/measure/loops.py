"""Map operations over and over in C, with the GIL released: what is timed is the map and not Python.

A ``Subject`` is a map with keys and values that we know; a ``Loop`` is one thread's work on it; the same work in BPF
programs is in ``bpftop.kernel.measure.loops_inside``.
"""

from __future__ import annotations

import errno
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.bpf.bpf_map import BpfMap, Stop
from bpftop.kernel.check import check, errno_words

# enums of loop_model.c and loops.c
SEQUENTIAL, UNIFORM, ZIPF, SHUFFLED = range(4)
LOOKUP, UPDATE, INSERT, DELETE, WALK, LOOKUP_BATCH, UPDATE_BATCH, DELETE_BATCH, TAKE_BATCH = range(9)
_KEYS_ARRAY, _KEYS_HASH, _KEYS_LPM = range(3)

WRONG_VALUE = errno.EBADMSG
"""The errno of a Fault that is no errno of the kernel: what was read is not what was written."""

TICKS_PER_NS = 16


@dataclass(frozen=True)
class Shape:
    """What a map under test is: ``type`` by enum bpf_map_type, ``population`` is how many keys are in use."""

    type: int
    flags: int
    entries: int
    key_bytes: int
    value_bytes: int
    population: int


@dataclass(frozen=True)
class Fault:
    """The first thing that went wrong. ``errno`` is positive; ``key`` its bytes, ``slot`` the CPU of a per-CPU value.

    Of a WRONG_VALUE, ``expected`` and ``found`` are the eight bytes from ``offset`` on (or two counts of keys).
    """

    errno: int
    doing: str
    key: bytes
    slot: int
    offset: int
    expected: int
    found: int

    def sentence(self) -> str:
        if self.errno != WRONG_VALUE:
            return f"cannot {self.doing}: {errno_words(self.errno)}"
        place = f"key {self.key.hex()}, CPU slot {self.slot}, byte {self.offset}"
        return f"{self.doing} failed at {place}: {self.found:#x} instead of {self.expected:#x}"


@dataclass(frozen=True)
class Times:
    """A log-linear histogram of calls; ``ticks`` are 1/16 ns, for ``entries`` map entries together."""

    counts: array[int]
    ticks: int
    entries: int
    max_ticks: int


@dataclass(frozen=True)
class Outcome:
    """What one run of a loop came to.

    ``checked`` values and keys were compared; ``missed`` keys an LRU map had dropped; ``batch`` is the size of a batch
    after it grew, 0 where it could not grow enough, and then ``singles`` entries were read one by one.
    """

    times: Times
    checked: int
    missed: int
    singles: int
    batch: int
    fault: Fault | None


class Start:
    """Where the threads of one run wait for each other."""

    def __init__(self, threads: int) -> None:
        self.waiting = ffi.new("int *", threads)

    def give_up(self) -> None:
        """One will not come: let the others go."""
        self.waiting[0] = 0


class Subject:
    """A map that holds what we wrote, and the memory of what that was. Raises KernelError."""

    def __init__(self, scratch_map: BpfMap, shape: Shape, seed: int, stop: Stop, real_keys: bytes = b"") -> None:
        self.map, self.shape = scratch_map, shape
        is_array = shape.type in bpf_map.ARRAYS
        universe = self.universe = shape.entries if is_array else shape.population
        per_cpu = shape.type in bpf_map.PER_CPU
        table_size = 1 << (2 * universe).bit_length()
        self._buffers = (
            ffi.new("unsigned char[]", universe * shape.key_bytes),
            ffi.new("uint64_t[]", universe),
            ffi.new("uint32_t[]", 1 if is_array else table_size),
            stop.flag,
        )
        self._fault = ffi.new("struct bpftop_fault *")
        self.c = ffi.new("struct bpftop_subject *")
        self.c.fd, self.c.seed = scratch_map.fd, seed
        self.c.keys_kind = _KEYS_ARRAY if is_array else _KEYS_LPM if shape.type == bpf_map.LPM_TRIE else _KEYS_HASH
        self.c.key_bytes, self.c.value_bytes = shape.key_bytes, shape.value_bytes
        self.c.slots = bpf_map.possible_cpus() if per_cpu else 1
        self.c.slot_bytes = -(-shape.value_bytes // 8) * 8 if per_cpu else shape.value_bytes
        self.c.population, self.c.universe = shape.population, universe
        self.c.may_miss = shape.type in bpf_map.LRU
        self.c.table_mask = table_size - 1
        self.c.keys, self.c.written, self.c.table, self.c.stop = self._buffers
        given = len(real_keys) // shape.key_bytes
        ffi.memmove(self.c.keys, real_keys, min(given, universe) * shape.key_bytes)
        self.keys_made = int(lib.bpftop_make_keys(self.c, min(given, universe)))

    def fill(self, generation: int, first: int = 0, count: int | None = None, again: bool = False) -> int:
        """Write the keys that are not there, or all of them ``again``. Returns how many. Raises KernelError."""
        count = self.shape.population - first if count is None else count
        written = lib.bpftop_fill(self.c, first, count, generation, again, self._fault)
        self._raise_fault()
        return int(written)

    def verify(self, own: Any = None, cpus: Sequence[int] = ()) -> tuple[int, int, Fault | None]:
        """Read every key back: how many values were compared, how many keys an LRU map had dropped, and the fault."""
        missed = ffi.new("uint64_t *")
        self._fault.errno_ = 0
        checked = lib.bpftop_verify(
            self.c, own or ffi.NULL, ffi.new("uint32_t[]", list(cpus)), len(cpus), missed, self._fault
        )
        return int(checked), int(missed[0]), self.fault(self._fault)

    def key(self, number: int) -> bytes:
        return bytes(ffi.buffer(self.c.keys + number * self.shape.key_bytes, self.shape.key_bytes))

    def value_bytes(self) -> int:
        """Of a value as user space sees it: a per-CPU map has a slot for every possible CPU, rounded up to 8 bytes."""
        return int(self.c.slot_bytes * self.c.slots)

    def fault(self, found: Any) -> Fault | None:
        if not found.errno_:
            return None
        doing = ffi.string(found.doing).decode()
        return Fault(found.errno_, doing, self.key(found.key), found.slot, found.offset, found.expected, found.found)

    def _raise_fault(self) -> None:
        fault = self.fault(self._fault)
        if fault is not None:
            self._fault.errno_ = 0
            check(-fault.errno, fault.doing)


class Loop:
    """One thread's work: an operation, the keys it visits and in which order. It goes on where its last run ended."""

    def __init__(
        self, subject: Subject, operation: int, batch: int = 1, batch_limit: int = 1, steady: bool = True
    ) -> None:
        self._subject = subject
        self.c = ffi.new("struct bpftop_loop *")
        self._cursor = ffi.new("unsigned char[]", max(8, subject.shape.key_bytes))
        self.c.cursor = self._cursor
        self.c.operation, self.c.batch, self.c.batch_limit, self.c.steady = operation, batch, batch_limit, steady
        self._order: Any = None

    def visit(self, order: int, seed: int, first: int, count: int, steps: int, start: int = 0, window: int = 0) -> None:
        """Keys ``first`` to ``first + count``, ``steps`` of them in this order from step ``start`` on, and again.

        INSERT and DELETE keep ``window`` of them, less than ``steps``, deleted at any time. Raises KernelError.
        """
        self._order = ffi.new("uint32_t[]", steps)
        check(lib.bpftop_order(order, seed, first, count, steps, self._order), "make an order of keys")
        self.c.order, self.c.steps, self.c.position = self._order, steps, start % steps
        self.c.window, self.c.absent = window, 0

    @property
    def steps(self) -> int:
        return int(self.c.steps)

    def run(self, start: Start, run_ns: int, clock_ticks: int, generation: int) -> Outcome:
        """So long, or until the subject is stopped. The GIL is released."""
        self.begin(start, run_ns, clock_ticks, generation)
        lib.bpftop_run_loop(self._subject.c, self.c)
        return self.outcome()

    def begin(self, start: Start, run_ns: int, clock_ticks: int, generation: int) -> None:
        """Forget the last run's measurements."""
        c = self.c
        ffi.memmove(
            ffi.addressof(c, "times"), bytes(ffi.sizeof("struct bpftop_times")), ffi.sizeof("struct bpftop_times")
        )
        c.checked = c.missed = c.singles = c.fault.errno_ = 0
        c.waiting, c.run_ns, c.clock_ticks, c.generation = start.waiting, run_ns, clock_ticks, generation

    def outcome(self) -> Outcome:
        """What the run that has ended came to."""
        times = self.c.times
        counts = array("Q")
        counts.frombytes(ffi.buffer(times.counts))
        return Outcome(
            Times(counts, times.ticks, times.entries, times.max_ticks),
            self.c.checked,
            self.c.missed,
            self.c.singles,
            self.c.batch,
            self._subject.fault(self.c.fault),
        )


def clock_ticks() -> int:
    """What reading the clock adds to every measured time, in ticks."""
    return int(lib.bpftop_clock_ticks())


def clock_step_ns() -> int:
    """The step in which the clock advances: 1, or 10 on AMD Zen."""
    return int(lib.bpftop_clock_step_ns())


def bare_loop(subject: Subject, operation: int, loop: Loop, entries: int, batch: int = 1) -> int:
    """The bare calls of LOOKUP, UPDATE, WALK or LOOKUP_BATCH, in the loop's order: nanoseconds for so many entries.

    0 where a call failed.
    """
    return int(lib.bpftop_bare_loop(subject.c, operation, batch, loop.c, entries))
