"""Repeated map operations, in C with the GIL released, so that the time is spent in the map and not in Python.

A ``Subject`` is a map under test whose content is known. A ``Loop`` is one thread's work on the map by system calls;
``bpftop.kernel.measure.program_loop`` does the same operations in BPF programs.
"""

from __future__ import annotations

import errno
from array import array
from collections.abc import Sequence
from typing import Any

from bpftop.fields import frozen
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.bpf.bpf_map import BpfMap, Stop
from bpftop.kernel.bpf.cdata import fill_zero, text, u64s
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.return_code import check, errno_words

# enum bpftop_key_order
SEQUENTIAL: int = lib.ORDER_SEQUENTIAL
UNIFORM: int = lib.ORDER_UNIFORM
ZIPF: int = lib.ORDER_ZIPF
SHUFFLED: int = lib.ORDER_SHUFFLED

# enum bpftop_operation
LOOKUP: int = lib.OPERATION_LOOKUP
UPDATE: int = lib.OPERATION_UPDATE
INSERT: int = lib.OPERATION_INSERT
DELETE: int = lib.OPERATION_DELETE
WALK: int = lib.OPERATION_WALK
LOOKUP_BATCH: int = lib.OPERATION_LOOKUP_BATCH
UPDATE_BATCH: int = lib.OPERATION_UPDATE_BATCH
DELETE_BATCH: int = lib.OPERATION_DELETE_BATCH
TAKE_BATCH: int = lib.OPERATION_TAKE_BATCH

WRONG_VALUE = errno.EBADMSG
"""The errno of a LoopFault if the value read is not the value written. The kernel does not return this errno here."""

TICKS_PER_NS: int = lib.TICKS_PER_NS


@frozen
class Shape:
    """Geometry of a map under test. ``type`` is a number of enum bpf_map_type; ``population`` keys are in use."""

    type: int
    flags: int
    entries: int
    key_bytes: int
    value_bytes: int
    population: int


@frozen
class LoopFault:
    """The first failure of a loop. ``errno`` is positive; ``slot`` is the CPU of a per-CPU value.

    With WRONG_VALUE, ``expected`` and ``actual`` are the eight bytes from ``offset`` on, or two counts of keys.
    """

    errno: int
    action: str
    key: bytes
    slot: int
    offset: int
    expected: int
    actual: int

    def sentence(self) -> str:
        """Return the failure as one sentence."""
        if self.errno != WRONG_VALUE:
            return f"cannot {self.action}: {errno_words(self.errno)}"
        place = f"key {self.key.hex()}, CPU slot {self.slot}, byte {self.offset}"
        return f"{self.action} failed at {place}: {self.actual:#x} instead of {self.expected:#x}"


@frozen
class Times:
    """Log-linear histogram of call times in ticks of 1/16 ns; ``ticks`` is their sum, for ``entries`` map entries."""

    counts: array[int]
    ticks: int
    entries: int
    max_ticks: int


@frozen
class Outcome:
    """Result of one run of a loop.

    ``checked`` counts the compared values and keys, ``missed`` the keys that an LRU map had evicted. ``batch`` is the
    batch size after it grew; 0 if it could not grow enough, and then ``singles`` entries were read one by one.
    """

    times: Times
    checked: int
    missed: int
    singles: int
    batch: int
    fault: LoopFault | None


class Start:
    """The starting line where the threads of one run wait for each other."""

    def __init__(self, threads: int) -> None:
        self.waiting = ffi.new("int *", threads)

    def give_up(self) -> None:
        """Let the waiting threads start, because one thread will not come."""
        self.waiting[0] = 0


class Subject:
    """A map under test, and the model of its content: every value that is read is compared with the model."""

    def __init__(self, scratch_map: BpfMap, shape: Shape, seed: int, stop: Stop, real_keys: bytes = b"") -> None:
        """Make keys for ``scratch_map``; the first of them are ``real_keys``. ``fill`` writes the values."""
        self.map, self.shape = scratch_map, shape
        self._orders: dict[tuple[int, ...], Any] = {}
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
        is_trie = shape.type == bpf_map.LPM_TRIE
        self.c.key_kind = lib.KEYS_ARRAY if is_array else lib.KEYS_LPM if is_trie else lib.KEYS_HASH
        self.c.key_bytes, self.c.value_bytes = shape.key_bytes, shape.value_bytes
        self.c.slots = possible_cpus() if per_cpu else 1
        self.c.slot_bytes = -(-shape.value_bytes // 8) * 8 if per_cpu else shape.value_bytes
        self.c.population, self.c.universe = shape.population, universe
        self.c.may_miss = shape.type in bpf_map.LRU
        self.c.table_mask = table_size - 1
        self.c.keys, self.c.written, self.c.table, self.c.stop = self._buffers
        given = len(real_keys) // shape.key_bytes
        ffi.memmove(self.c.keys, real_keys, min(given, universe) * shape.key_bytes)
        self.keys_made = int(lib.bpftop_make_keys(self.c, min(given, universe)))

    def fill(self, generation: int, first: int = 0, count: int | None = None, again: bool = False) -> int:
        """Write the missing keys, or all keys with ``again``. Return their number. Raises KernelError."""
        count = self.shape.population - first if count is None else count
        written = lib.bpftop_fill(self.c, first, count, generation, again, self._fault)
        self._raise_fault()
        return int(written)

    def verify(self, own: Any = None, cpus: Sequence[int] = ()) -> tuple[int, int, LoopFault | None]:
        """Read every key back and compare.

        ``own`` and ``cpus``: as for ``ProgramLoop``. Returns the number of compared values, the number of keys
        that an LRU map had evicted, and the fault.
        """
        missed = ffi.new("uint64_t *")
        self._fault.errno_ = 0
        checked = lib.bpftop_verify(
            self.c, own or ffi.NULL, ffi.new("uint32_t[]", list(cpus)), len(cpus), missed, self._fault
        )
        return int(checked), int(missed[0]), self.fault(self._fault)

    def order(self, order: int, seed: int, first: int, count: int, steps: int) -> Any:
        """Return an order of keys, which all loops share. Raises KernelError."""
        wanted = (order, seed, first, count, steps)
        if wanted not in self._orders:
            made = ffi.new("uint32_t[]", steps)
            check(lib.bpftop_make_order(*wanted, made), "make an order of keys")
            self._orders[wanted] = made
        return self._orders[wanted]

    def key(self, number: int) -> bytes:
        """Return the bytes of a key by its number."""
        return bytes(ffi.buffer(self.c.keys + number * self.shape.key_bytes, self.shape.key_bytes))

    def value_bytes(self) -> int:
        """Return the size of a value in user space: of all slots in per-CPU maps, each rounded up to 8 bytes."""
        return int(self.c.slot_bytes * self.c.slots)

    def fault(self, c: Any) -> LoopFault | None:
        """Convert a ``struct bpftop_fault``; None if it has no errno."""
        if not c.errno_:
            return None
        return LoopFault(c.errno_, text(c.action), self.key(c.key), c.slot, c.offset, c.expected, c.actual)

    def _raise_fault(self) -> None:
        fault = self.fault(self._fault)
        if fault is not None:
            self._fault.errno_ = 0
            check(-fault.errno, fault.action)


class Loop:
    """One thread's work: an operation, and the order of the keys. A run continues where the last run ended."""

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
        """Set the keys to visit: ``steps`` keys of the ``count`` from ``first`` on, in this order, again and again.

        The first run begins at step ``start``. INSERT and DELETE keep ``window`` keys, fewer than ``steps``, deleted at
        any time. Raises KernelError.
        """
        self._order = self._subject.order(order, seed, first, count, steps)
        self.c.order, self.c.steps, self.c.position = self._order, steps, start % steps
        self.c.window, self.c.absent = window, 0

    def resume(self) -> None:
        """Prepare for a run after other operations on the map: every key is in the map again."""
        self.c.absent = 0
        self.c.walk_resumed = self.c.walk_begun

    def place(self) -> tuple[int, int, int, bytes]:
        """Return the place where the next run begins."""
        return self.c.position, self.c.walk_begun, self.c.walk_keys, bytes(ffi.buffer(self._cursor))

    def go_to(self, place: tuple[int, int, int, bytes]) -> None:
        """Begin the next run at this place."""
        self.c.position, self.c.walk_begun, self.c.walk_keys, cursor = place
        ffi.memmove(self._cursor, cursor, len(cursor))

    def run(self, start: Start, run_ns: int, clock_ticks: int, generation: int) -> Outcome:
        """Run for ``run_ns``, or until the subject's ``stop`` is set. The GIL is released."""
        self.begin(start, run_ns, clock_ticks, generation)
        lib.bpftop_run_loop(self._subject.c, self.c)
        return self.outcome()

    def begin(self, start: Start, run_ns: int, clock_ticks: int, generation: int) -> None:
        """Clear the measurements of the last run, and set the parameters of the next run."""
        c = self.c
        fill_zero(ffi.addressof(c, "times"))
        c.checked = c.missed = c.singles = c.fault.errno_ = 0
        c.waiting, c.run_ns, c.clock_ticks, c.generation = start.waiting, run_ns, clock_ticks, generation

    def outcome(self) -> Outcome:
        """Return the result of the run that has ended."""
        times = self.c.times
        return Outcome(
            Times(u64s(times.counts), times.ticks, times.entries, times.max_ticks),
            self.c.checked,
            self.c.missed,
            self.c.singles,
            self.c.batch,
            self._subject.fault(self.c.fault),
        )


def clock_ticks() -> int:
    """Measure the ticks that reading the clock adds to every time."""
    return int(lib.bpftop_clock_ticks())


def clock_step_ns() -> int:
    """Measure the resolution of the clock in nanoseconds: 1, or 10 on a virtual AMD Zen."""
    return int(lib.bpftop_clock_step_ns())


def bare_loop(subject: Subject, loop: Loop, entries: int) -> int:
    """Measure the loop's LOOKUP, UPDATE, WALK or LOOKUP_BATCH without checks, from the loop's next step on.

    Returns the nanoseconds for ``entries`` entries; 0 if a call failed. The loop's position stays.
    """
    return int(lib.bpftop_bare_loop(subject.c, loop.c, entries))
