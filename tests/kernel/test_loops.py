"""Loops in C: keys, values and orders are right, and faults are found."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from bpftop.errors import ENOTSUPP
from bpftop.kernel.bpf import bpf_map, inventory
from bpftop.kernel.bpf.bpf_map import BpfMap, Stop
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.measure import loops
from bpftop.kernel.measure.loops import Loop, Outcome, Shape, Start, Subject
from bpftop.kernel.measure.program_loop import ProgramLoops, allowed_cpus
from bpftop.kernel.return_code import KernelError
from bpftop.measure.statistics import BUCKETS, TICKS_PER_NS

pytestmark = pytest.mark.bpf

RUN_NS = 10_000_000
"""Longer than a busy scheduler keeps a thread waiting."""
FAULT_NS = 60_000_000_000
"""The limit of runs that a fault ends."""
NEVER_NS = 3_600_000_000_000
PER_CPU = (bpf_map.PERCPU_ARRAY, bpf_map.PERCPU_HASH, bpf_map.LRU_PERCPU_HASH)
NO_PREALLOC = {bpf_map.LPM_TRIE: bpf_map.NO_PREALLOC}

MakeSubject = Callable[..., Subject]


@pytest.fixture
def make() -> Iterator[MakeSubject]:
    """Create filled subjects, each with its own map; ``stop`` and ``real_keys`` as in Subject."""
    with ExitStack() as stack:

        def make_subject(
            type_number: int,
            *,
            key_bytes: int = 8,
            value_bytes: int = 16,
            entries: int = 300,
            population: int = 200,
            seed: int = 7,
            stop: Stop | None = None,
            real_keys: bytes = b"",
        ) -> Subject:
            key_bytes = 4 if type_number in bpf_map.ARRAYS else key_bytes
            flags = NO_PREALLOC.get(type_number, 0)
            made = stack.enter_context(bpf_map.create(type_number, key_bytes, value_bytes, entries, flags))
            shape = Shape(type_number, flags, entries, key_bytes, value_bytes, population)
            subject = Subject(made, shape, seed, stop or Stop(), real_keys)
            subject.fill(1)
            return subject

        yield make_subject


def run(
    subject: Subject,
    operation: int,
    *,
    batch: int = 1,
    limit: int = 256,
    order: int = loops.UNIFORM,
    run_ns: int = RUN_NS,
) -> Outcome:
    loop = Loop(subject, operation, batch, limit)
    population = subject.shape.population
    replaces = operation in (loops.INSERT, loops.DELETE, loops.DELETE_BATCH)
    steps, window = (population, population // 8) if replaces else (1024, 0)
    loop.visit(loops.SHUFFLED if replaces else order, 1, 0, population, steps, 0, window if batch == 1 else 0)
    return loop.run(Start(1), run_ns, 0, 2)


def spoil(subject: Subject, number: int, byte: int = -1) -> None:
    """Change one byte of a value without telling the subject."""
    key = subject.key(number)
    value = bytearray(subject.map.lookup(key, subject.value_bytes()) or b"")
    value[byte] ^= 1
    subject.map.update(key, bytes(value))


def test_c_and_python_have_the_same_buckets(make: MakeSubject) -> None:
    outcome = run(make(bpf_map.HASH), loops.LOOKUP)
    assert len(outcome.times.counts) == BUCKETS
    assert loops.TICKS_PER_NS == TICKS_PER_NS
    assert sum(outcome.times.counts) == outcome.times.entries == outcome.checked > 100
    mean_ns = outcome.times.ticks / outcome.times.entries / TICKS_PER_NS
    assert 20 < mean_ns < 100_000
    assert outcome.times.max_ticks >= outcome.times.ticks / outcome.times.entries


def test_clock_resolution() -> None:
    assert 0 < loops.clock_ticks() / TICKS_PER_NS < 2000
    assert 1 <= loops.clock_step_ns() <= 1000


def test_keys_depend_on_the_seed_alone(make: MakeSubject) -> None:
    first, same, other = (make(bpf_map.HASH, seed=seed) for seed in (3, 3, 4))
    keys = [[subject.key(number) for number in range(200)] for subject in (first, same, other)]
    assert keys[0] == keys[1] != keys[2]
    assert len(set(keys[0])) == 200
    assert first.map.lookup(keys[0][5], 16) == same.map.lookup(keys[0][5], 16) is not None


@pytest.mark.parametrize("key_bytes", [1, 2, 3, 5, 8, 13, 64, 512])
def test_keys_of_every_size_differ(make: MakeSubject, key_bytes: int) -> None:
    subject = make(bpf_map.HASH, key_bytes=key_bytes, population=200)
    assert subject.keys_made == len({subject.key(number) for number in range(200)}) == 200
    assert subject.verify() == (200, 0, None)


def test_keys_that_run_out_are_counted(make: MakeSubject) -> None:
    assert make(bpf_map.HASH, key_bytes=1, entries=300, population=300).keys_made == 256


@pytest.mark.parametrize("key_bytes", [5, 6, 8, 20, 260])
def test_prefixes_are_masked_and_none_covers_another(make: MakeSubject, key_bytes: int) -> None:
    subject = make(bpf_map.LPM_TRIE, key_bytes=key_bytes)
    prefixes = []
    for number in range(200):
        (bits,) = struct.unpack_from("=I", subject.key(number))
        text = "".join(f"{byte:08b}" for byte in subject.key(number)[4:])
        assert 1 <= bits <= 8 * (key_bytes - 4)
        assert "1" not in text[bits:]
        prefixes.append(text[:bits])
    assert not any(a != b and b.startswith(a) for a in prefixes for b in prefixes)
    assert len(set(prefixes)) == 200
    assert subject.verify() == (200, 0, None)


def test_real_keys_come_first_and_once(make: MakeSubject) -> None:
    given = [bytes([number] * 8) for number in (1, 2, 1, 3)]
    subject = make(bpf_map.HASH, real_keys=b"".join(given))
    assert [subject.key(number) for number in range(3)] == [given[0], given[1], given[3]]
    assert subject.keys_made == 200
    assert subject.verify() == (200, 0, None)


def test_prefixes_within_each_other(make: MakeSubject) -> None:
    """Real keys may be 10.0.0.0/8 and 10.1.0.0/16: the lookup of a deleted key finds the shorter prefix."""
    real = [struct.pack("=I4B", bits, 10, second, 0, 0) for bits, second in ((8, 0), (16, 1), (16, 2), (15, 2))]
    subject = make(bpf_map.LPM_TRIE, entries=10, population=4, real_keys=b"".join(real))
    for operation in (loops.LOOKUP, loops.UPDATE, loops.INSERT, loops.DELETE, loops.WALK):
        assert run(subject, operation).fault is None
        assert subject.verify()[2] is None
        subject.fill(3)


@pytest.mark.parametrize("type_number", PER_CPU)
@pytest.mark.parametrize("value_bytes", [1, 3, 7, 9, 12, 16])
def test_values_per_cpu_are_rounded_and_differ(make: MakeSubject, type_number: int, value_bytes: int) -> None:
    cpus, slot = possible_cpus(), -(-value_bytes // 8) * 8
    subject = make(type_number, value_bytes=value_bytes)
    assert subject.value_bytes() == cpus * slot
    value = subject.map.lookup(subject.key(5), subject.value_bytes())
    assert value is not None
    by_cpu = [value[cpu * slot : cpu * slot + value_bytes] for cpu in range(cpus)]
    if value_bytes >= 3:
        assert len(set(by_cpu)) == cpus
    for operation, batch in ((loops.LOOKUP, 1), (loops.LOOKUP_BATCH, 16), (loops.UPDATE, 1), (loops.UPDATE_BATCH, 16)):
        outcome = run(subject, operation, batch=batch)
        assert outcome.fault is None
        assert subject.verify() == (subject.universe, 0, None)


def test_key_orders(make: MakeSubject) -> None:
    loop = Loop(make(bpf_map.HASH), loops.LOOKUP)

    def order(kind: int, steps: int, count: int = 50) -> list[int]:
        loop.visit(kind, 9, 10, count, steps)
        return [loop.c.order[step] for step in range(steps)]

    assert order(loops.SEQUENTIAL, 120) == [10 + step % 50 for step in range(120)]
    assert sorted(order(loops.SHUFFLED, 50)) == list(range(10, 60)) != order(loops.SHUFFLED, 50)
    uniform = order(loops.UNIFORM, 50_000)
    assert set(uniform) == set(range(10, 60))
    assert max(uniform.count(key) for key in set(uniform)) < 1300
    assert uniform == order(loops.UNIFORM, 50_000)
    ranked = sorted((order(loops.ZIPF, 50_000).count(key) for key in range(10, 60)), reverse=True)
    whole = sum(1 / rank for rank in range(1, 51))
    for rank in (1, 2, 10):
        assert ranked[rank - 1] == pytest.approx(50_000 / rank / whole, rel=0.1)


@pytest.mark.parametrize(
    "type_number", [bpf_map.ARRAY, bpf_map.HASH, bpf_map.PERCPU_HASH, bpf_map.LRU_HASH, bpf_map.LPM_TRIE]
)
@pytest.mark.parametrize("operation", [loops.LOOKUP, loops.LOOKUP_BATCH])
def test_wrong_value_is_found(make: MakeSubject, type_number: int, operation: int) -> None:
    subject = make(type_number)
    spoil(subject, 77)
    fault = run(subject, operation, batch=16, run_ns=FAULT_NS).fault
    assert fault is not None
    assert fault.errno == loops.WRONG_VALUE
    assert fault.key == subject.key(77)
    assert fault.expected ^ fault.actual == 1 << 56
    assert subject.verify()[2] is not None


def test_wrong_value_of_one_cpu_is_found(make: MakeSubject) -> None:
    subject = make(bpf_map.PERCPU_HASH, value_bytes=9)
    spoil(subject, 3, byte=8)  # the last byte of CPU 0's value
    fault = run(subject, loops.LOOKUP, run_ns=FAULT_NS).fault
    assert fault is not None
    assert (fault.errno, fault.slot, fault.offset) == (loops.WRONG_VALUE, 0, 8)
    assert "byte 8" in fault.sentence()


def test_wrong_value_is_found_by_take_batch(make: MakeSubject) -> None:
    subject = make(bpf_map.HASH)
    spoil(subject, 150)
    fault = run(subject, loops.TAKE_BATCH, batch=16, run_ns=FAULT_NS).fault
    assert fault is not None
    assert fault.errno == loops.WRONG_VALUE


def test_lost_key_is_found(make: MakeSubject) -> None:
    subject = make(bpf_map.HASH)
    subject.map.delete(subject.key(9))
    for operation, words in ((loops.LOOKUP, "ENOENT"), (loops.WALK, "0xc7 instead of 0xc8"), (loops.UPDATE, "ENOENT")):
        fault = run(subject, operation, run_ns=FAULT_NS).fault
        assert fault is not None
        assert words in fault.sentence()


def test_unknown_key_is_found(make: MakeSubject) -> None:
    subject = make(bpf_map.HASH)
    subject.map.update(b"stranger", bytes(16))
    for operation in (loops.WALK, loops.LOOKUP_BATCH):
        fault = run(subject, operation, batch=16, run_ns=FAULT_NS).fault
        assert fault is not None
        assert "ENOKEY" in fault.sentence()


def test_bucket_larger_than_the_batch(make: MakeSubject) -> None:
    """With 500 keys in 512 buckets, some bucket has more than one key (ENOSPC), and none has 64."""
    subject = make(bpf_map.HASH, entries=500, population=500)
    grown = run(subject, loops.LOOKUP_BATCH, batch=1, limit=64)
    assert grown.fault is None
    assert 1 < grown.batch <= 64
    assert grown.singles == 0
    for operation in (loops.LOOKUP_BATCH, loops.TAKE_BATCH):
        singly = run(subject, operation, batch=1, limit=1)
        assert singly.fault is None
        assert singly.batch == 0
        assert singly.singles > 0
        assert singly.checked > 0
        assert subject.verify() == (500, 0, None)


def test_unsupported_operation_is_a_fault(make: MakeSubject) -> None:
    fault = run(make(bpf_map.ARRAY), loops.DELETE_BATCH, batch=4).fault
    assert fault is not None
    assert fault.errno == ENOTSUPP


@pytest.mark.parametrize("operation", [loops.LOOKUP, loops.INSERT, loops.WALK, loops.TAKE_BATCH, loops.UPDATE_BATCH])
def test_stop_ends_a_loop(make: MakeSubject, operation: int) -> None:
    """The loop would run for an hour. It releases the GIL, or the timer would never get its turn."""
    stop = Stop()
    subject = make(bpf_map.HASH, stop=stop)
    loop = Loop(subject, operation, 16 if operation > loops.WALK else 1, 256)
    loop.visit(loops.SHUFFLED, 1, 0, 200, 200)
    threading.Timer(0.05, stop.set).start()
    assert loop.run(Start(1), NEVER_NS, 0, 2).fault is None
    assert stop.is_set()


def test_threads_wait_for_each_other(make: MakeSubject) -> None:
    subject = make(bpf_map.HASH)
    loop = Loop(subject, loops.LOOKUP)
    loop.visit(loops.UNIFORM, 1, 0, 200, 1024)
    start = Start(2)
    order = []

    def let_go() -> None:
        order.append("let go")
        start.give_up()

    threading.Timer(0.1, let_go).start()
    assert loop.run(start, RUN_NS, 0, 2).checked
    order.append("ran")
    assert order == ["let go", "ran"]


@pytest.mark.parametrize("operation", [loops.LOOKUP, loops.UPDATE, loops.WALK, loops.LOOKUP_BATCH])
def test_the_bare_loop(make: MakeSubject, operation: int) -> None:
    subject = make(bpf_map.HASH)
    loop = Loop(subject, operation, 64 if operation == loops.LOOKUP_BATCH else 1)
    loop.visit(loops.UNIFORM, 1, 0, 200, 1024)
    assert 1e4 < loops.bare_loop(subject, loop, 1000) < 1e9
    subject.map.delete(subject.key(0))
    if operation in (loops.LOOKUP, loops.UPDATE):
        assert loops.bare_loop(subject, loop, 1000) == 0


PROGRAM_OPERATIONS = [loops.LOOKUP, loops.UPDATE, loops.INSERT, loops.DELETE, loops.WALK]


def run_in_program(
    subject: Subject, operation: int, then: Callable[[], None] = lambda: None, run_ns: int = RUN_NS
) -> tuple[Outcome, object]:
    programs = ProgramLoops(subject, 4096)
    try:
        loop = Loop(subject, operation)
        if operation != loops.WALK:
            replaces = operation in (loops.INSERT, loops.DELETE)
            loop.visit(
                loops.SHUFFLED if replaces else loops.UNIFORM,
                1,
                0,
                192,
                192 if replaces else 4096,
                0,
                16 if replaces else 0,
            )
        cpu = allowed_cpus()[-1]
        (member,) = programs.team([loop], [cpu], 16, 5)
        assert member.calibrate() >= 0
        then()
        results: list[Outcome] = []

        def pinned() -> None:
            import os

            os.sched_setaffinity(0, {cpu})
            results.append(member.run(Start(1), run_ns, 5))

        thread = threading.Thread(target=pinned)
        thread.start()
        thread.join()
        return results[0], subject.verify(member.own, [cpu])[2]
    finally:
        programs.close()


@pytest.mark.parametrize("operation", PROGRAM_OPERATIONS)
@pytest.mark.parametrize("value_bytes", [1, 3, 4, 9, 16, 4096])
@pytest.mark.parametrize("type_number", [bpf_map.HASH, bpf_map.PERCPU_HASH, bpf_map.LRU_HASH, bpf_map.LRU_PERCPU_HASH])
def test_programs_do_the_same_operations(make: MakeSubject, type_number: int, value_bytes: int, operation: int) -> None:
    subject = make(type_number, value_bytes=value_bytes)
    outcome, fault = run_in_program(subject, operation)
    assert outcome.fault is None
    assert fault is None
    assert outcome.times.entries > 0


@pytest.mark.parametrize("operation", [loops.LOOKUP, loops.UPDATE, loops.WALK])
@pytest.mark.parametrize("type_number", [bpf_map.ARRAY, bpf_map.PERCPU_ARRAY])
def test_programs_on_arrays(make: MakeSubject, type_number: int, operation: int) -> None:
    outcome, fault = run_in_program(make(type_number, value_bytes=12), operation)
    assert outcome.fault is None
    assert fault is None


@pytest.mark.parametrize("operation", [loops.LOOKUP, loops.WALK])
@pytest.mark.parametrize("type_number", [bpf_map.HASH, bpf_map.PERCPU_HASH, bpf_map.ARRAY])
def test_programs_find_a_wrong_value(make: MakeSubject, type_number: int, operation: int) -> None:
    subject = make(type_number, value_bytes=8)
    cpu = allowed_cpus()[-1]
    byte = 8 * cpu if type_number in bpf_map.PER_CPU else 0
    outcome, _ = run_in_program(subject, operation, lambda: spoil(subject, 50, byte), FAULT_NS)
    assert outcome.fault is not None
    assert outcome.fault.errno == loops.WRONG_VALUE


def test_map_opened_by_id_is_read_only(make: MakeSubject) -> None:
    subject = make(bpf_map.HASH)
    with bpf_map.by_id(subject.map.info().map_id) as same:
        assert same.info() == subject.map.info()
        keys = same.keys(1000, 50, Stop())
        assert (keys.count, keys.reads, keys.complete, len(keys.first)) == (200, 201, True, 50 * 8)
        assert same.lookup(keys.first[:8], 16) == subject.map.lookup(keys.first[:8], 16)
        with pytest.raises(KernelError, match="EPERM"):
            same.update(keys.first[:8], bytes(16))
        with pytest.raises(KernelError, match="EPERM"):
            same.delete(keys.first[:8])
        few = same.keys(10, 50, Stop())
        assert (few.count, few.reads, few.complete) == (10, 10, False)
    assert subject.verify() == (200, 0, None)


def test_maps_are_listed_and_freed() -> None:
    with bpf_map.create(bpf_map.HASH, 4, 4, 10, name="bpftop_listed") as made:
        number = made.info().map_id
        assert number in {each.map_id for each in inventory.maps()}
        assert made.info().name == "bpftop_listed"
        assert isinstance(made, BpfMap)
    with pytest.raises(KernelError) as gone:
        bpf_map.by_id(number)
    assert gone.value.errno_name == "ENOENT"
