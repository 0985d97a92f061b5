"""Profiles of every map type: checked values, wrong values, missing operations, cancelling."""

from __future__ import annotations

import errno
import gc
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from bpftop.errors import UsageError
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.measure.program_loop import allowed_cpus
from bpftop.kernel.privileges import Privileges
from bpftop.kernel.return_code import KernelError
from bpftop.measure.maps import cell_turns, scratch_map
from bpftop.measure.maps.geometry import KINDS
from bpftop.measure.maps.kernel_costs import InKernel
from bpftop.measure.maps.plan import OPERATIONS, SINGLE_OF, WRITES, MeasurePlan, MeasureRequest, make_plan
from bpftop.measure.maps.profile import MapProfile
from bpftop.measure.maps.results import (
    INSIDE_NS,
    USER_NS,
    CellResult,
    WrongValue,
    batch_factors,
    best_batches,
    figures,
)
from bpftop.measure.maps.scratch_map import Scratch
from bpftop.measure.run_store import HIGH, LOW

pytestmark = pytest.mark.bpf

ARRAYS = {"array", "percpu_array"}
PER_CPU = ("percpu_array", "percpu_hash", "lru_percpu_hash")


FAULT_MS = 2000
"""A run is so long where a fault ends it: on a busy machine 1 ms may pass before a loop comes to the fault."""


def plan(**request: Any) -> MeasurePlan:
    planned = MeasureRequest(**{"entries": (400,), "run_ms": 1, "batches": (1, 16), **request})
    return make_plan(planned, allowed_cpus(), possible_cpus())


def results(**request: Any) -> dict[tuple[str, int | None], CellResult]:
    """Run a plan and return its results by operation and batch."""
    profiling = MapProfile(plan(**request))
    by_cell = {step.result.cell: step.result for step in profiling.steps() if step.result}
    assert profiling.report().results == tuple(by_cell.values())
    assert not profiling.report().partial
    return {(cell.operation, cell.batch): result for cell, result in by_cell.items()}


def lacking(kind: str) -> set[str]:
    """Return the operations that no Linux has for a type."""
    if kind in ARRAYS:
        return {"update_new", "delete", "delete_batch", "lookup_and_delete_batch"}
    return {"lookup_and_delete_batch"} if kind == "lpm_trie" else set()


def supported(*operations: str) -> list[tuple[str, str]]:
    """Return the pairs of a type and an operation that it has."""
    return [(kind, operation) for kind in KINDS for operation in operations if operation not in lacking(kind)]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_of_every_type(kind: str, threads: int) -> None:
    if threads > len(allowed_cpus()):
        with pytest.raises(UsageError, match=f"threads cannot be {threads}: each has a CPU of its own"):
            plan(kinds=(kind,), threads=(threads,))
        return
    by_operation = results(kinds=(kind,), threads=(threads,))
    assert {operation for operation, _ in by_operation} == set(OPERATIONS)
    for (operation, batch), result in by_operation.items():
        if operation in lacking(kind):
            assert result.user is result.inside is None
            assert "(ENOTSUPP)" in result.user_why or "always there" in result.user_why
            continue
        assert result.user is not None, (operation, result.user_why)
        assert result.checked > 0
        assert not result.missed or kind.startswith("lru")
        summary, spread = result.user.summary, result.user.spread
        assert 0 <= summary.p10_ns <= summary.p50_ns > 0
        assert summary.p50_ns <= summary.p90_ns <= summary.p99_ns <= summary.max_ns
        assert spread.runs == 5
        assert spread.low <= spread.median <= spread.high
        assert 1e3 < result.user.per_sec < 1e9
        if batch is not None:
            assert (result.inside, result.inside_why) == (None, "user space only")
        elif kind == "lpm_trie" and operation == "get_next_key":
            assert "bpf_for_each_map_elem" in result.inside_why
        else:
            assert result.inside is not None, result.inside_why
            assert result.inside.spread.runs == 5


@pytest.mark.parametrize("value_bytes", [1, 3, 7, 9, 12])
@pytest.mark.parametrize("kind", PER_CPU)
def test_odd_values_per_cpu(kind: str, value_bytes: int) -> None:
    for (operation, _), result in results(kinds=(kind,), value_bytes=(value_bytes,)).items():
        assert (result.user is None) == (operation in lacking(kind))
        assert result.checked > 0 or result.user is None


@pytest.mark.parametrize("access", ["sequential", "uniform", "zipf"])
def test_every_access(access: str) -> None:
    by_operation = results(kinds=("hash",), accesses=(access,))
    assert all(result.user is not None for result in by_operation.values())
    assert by_operation["lookup", None].cell.access == access
    assert by_operation["lookup_batch", 16].cell.access == "walk"


def test_the_same_seed_visits_the_same_keys() -> None:
    keys = []
    for seed in (5, 5, 6):
        planned = plan(kinds=("hash",), seed=seed)
        with Scratch(planned.cells[0].geometry, planned, Stop()) as made:
            (loop,) = made.loops(planned.cells[0])
            keys.append([made.subject.key(loop.c.order[step]) for step in range(100)])
    assert keys[0] == keys[1] != keys[2]


def test_a_full_lru_map_reports_evictions() -> None:
    by_operation = results(kinds=("lru_hash",), fills_pct=(100.0,), entries=(1000,))
    assert all(result.user is not None for result in by_operation.values())
    missed = sum(result.missed for result in by_operation.values())
    notes = [note for result in by_operation.values() for note in result.notes]
    assert bool(missed) == bool(notes)


def test_factors_and_best_batches() -> None:
    by_operation = results(kinds=("hash",), batches=(16, 64), run_ms=3)
    factors = batch_factors(by_operation.values())
    assert set(factors) == {r.cell.name for (op, _), r in by_operation.items() if op in SINGLE_OF}
    assert 1.2 < factors[by_operation["lookup_batch", 64].cell.name] < 30
    best = {result.cell.operation: result for result in best_batches(by_operation.values())}
    assert set(best) == set(SINGLE_OF)
    for operation, result in best.items():
        costs = [by_operation[operation, batch].user for batch in (16, 64)]
        assert result.user is not None
        assert result.user.summary.p50_ns == min(cost.summary.p50_ns for cost in costs if cost is not None)
    medians = figures(by_operation.values())[by_operation["lookup", None].cell.name]
    assert {name for name in medians if not name.endswith((LOW, HIGH))} == {USER_NS, INSIDE_NS}
    assert medians[USER_NS + LOW] <= medians[USER_NS] <= medians[USER_NS + HIGH]


def test_enospc_grows_the_batch_or_reads_singly(monkeypatch: pytest.MonkeyPatch) -> None:
    request: dict[str, Any] = {
        "kinds": ("hash",),
        "operations": ("lookup_batch", "lookup_and_delete_batch"),
        "entries": (500,),
        "fills_pct": (100.0,),
        "batches": (1,),
    }
    for result in results(**request).values():
        assert result.grown_to is not None
        assert result.grown_to > 1
    monkeypatch.setattr(scratch_map, "_GROWTH", 1)
    monkeypatch.setattr(scratch_map, "_GROWTH_MIN", 1)
    for result in results(**request).values():
        assert result.grown_to == 0
        assert result.user is not None
        assert result.checked > 0


def spoil(made: Scratch, number: int = 7) -> None:
    """Change one bit of the value of the last CPU that is measured, or of the only one."""
    cpu = allowed_cpus()[-1] if made.geometry.per_cpu else 0
    key = made.subject.key(number)
    value = bytearray(made.map.lookup(key, made.subject.value_bytes()) or b"")
    value[cpu * (len(value) // made.subject.c.slots)] ^= 0x80
    made.map.update(key, bytes(value))


def before(target: type, method: str, act: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``act`` happen to the object every time the method is called, before it runs."""
    original = getattr(target, method)

    def with_it(self: Any, *arguments: Any, **named: Any) -> Any:
        act(self)
        return original(self, *arguments, **named)

    monkeypatch.setattr(target, method, with_it)


def fails(**request: Any) -> str:
    """Run until a fault ends the run, and return the fault's sentence."""
    profiling = MapProfile(plan(batches=(16,), **request))
    with pytest.raises(WrongValue) as wrong:
        list(profiling.steps())
    assert wrong.value.exit_code == 1
    assert profiling.report().partial
    assert not profiling.report().results
    return str(wrong.value)


@pytest.mark.parametrize(("kind", "operation"), supported("lookup", "lookup_batch", "lookup_and_delete_batch"))
def test_a_wrong_value_fails_the_read(kind: str, operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before(Scratch, "loops", spoil, monkeypatch)
    said = fails(kinds=(kind,), operations=(operation,), run_ms=FAULT_MS)
    assert f"{operation} from user space: compare a value failed" in said
    assert "instead of" in said


@pytest.mark.parametrize(("kind", "operation"), supported(*sorted(WRITES)))
def test_a_wrong_value_fails_the_write(kind: str, operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that was written is read back."""

    def spoil_what_is_there(made: Scratch) -> None:
        population = made.geometry.population
        spoil(
            made, next(n for n in range(population) if made.map.lookup(made.subject.key(n), made.subject.value_bytes()))
        )

    before(Scratch, "verify", spoil_what_is_there, monkeypatch)
    assert "reading back" in fails(kinds=(kind,), operations=(operation,))


@pytest.mark.parametrize("operation", ["lookup", "get_next_key"])
@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"lpm_trie"}))
def test_a_wrong_value_fails_programs(kind: str, operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before(InKernel, "team", lambda in_kernel: spoil(in_kernel._scratch), monkeypatch)
    monkeypatch.setattr(cell_turns, "INSIDE_SHARE", FAULT_MS)  # the run before, from user space, has no fault
    said = fails(kinds=(kind,), operations=(operation,), run_ms=1)
    assert f"{operation} in a program: compare the values" in said


@pytest.mark.parametrize("kind", sorted(set(KINDS) - ARRAYS - {"lru_hash", "lru_percpu_hash"}))
def test_a_lost_key_fails_a_walk(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before(Scratch, "loops", lambda made: made.map.delete(made.subject.key(7)), monkeypatch)
    assert "0x12b instead of 0x12c" in fails(kinds=(kind,), operations=("get_next_key",), run_ms=FAULT_MS)


def open_descriptors() -> set[str]:
    gc.collect()
    by_operation = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            by_operation.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
        except FileNotFoundError:  # the listing's own
            continue
    return {line for line in by_operation if "bpf" in line}


@pytest.mark.parametrize(
    "axes",
    [
        {},
        {"kinds": ("hash", "lpm_trie"), "entries": (300_000,)},
        {"kinds": ("percpu_hash", "array"), "entries": (1000,), "value_bytes": (32768,), "batches": (1, 512)},
    ],
    ids=["default", "many entries", "large values"],
)
def test_a_cancelled_run_keeps_its_results(axes: dict[str, Any]) -> None:
    before_s = open_descriptors(), threading.active_count()
    for after_s in (0.0, 0.02, 0.1, 0.25, 0.4):
        profiling = MapProfile(plan(run_ms=20, **axes))
        timer = threading.Timer(after_s, profiling.stop.set)
        timer.start()
        seen = {step.result.cell: step.result for step in profiling.steps() if step.result}
        timer.join()
        assert profiling.report().partial
        assert profiling.report().results == tuple(seen.values())
    assert (open_descriptors(), threading.active_count()) == before_s


def test_an_interrupt_keeps_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    before_s = open_descriptors(), threading.active_count()
    profiling = MapProfile(plan(kinds=("hash",)))
    polls = iter(range(1 << 30))

    class Interrupted(threading.Semaphore):
        def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
            if timeout is not None and next(polls) == 30:
                raise KeyboardInterrupt
            return super().acquire(blocking, timeout)

    monkeypatch.setattr("bpftop.measure.pinned_threads.threading.Semaphore", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(profiling.steps())
    assert profiling.report().partial
    assert profiling.report().results
    assert (open_descriptors(), threading.active_count()) == before_s


def test_an_abandoned_profile_frees_everything() -> None:
    before_s = open_descriptors()
    steps = MapProfile(plan(kinds=("hash",))).steps()
    next(steps)
    assert open_descriptors() > before_s
    steps.close()
    assert open_descriptors() == before_s


def test_progress_goes_up_and_time_left_down() -> None:
    profiling = MapProfile(plan(kinds=("hash", "array"), run_ms=4))
    progress = list(profiling.steps())
    shares = [step.share for step in progress]
    assert shares == sorted(shares)
    assert len(progress) > 100
    assert shares[-1] == pytest.approx(1)
    assert progress[-1].left_s == pytest.approx(0)
    assert progress[len(progress) // 2].left_s > 0


def test_other_threads_keep_running() -> None:
    """The loops release the GIL: a thread beside them goes on."""
    profiling = MapProfile(plan(kinds=("hash", "percpu_array"), run_ms=4))
    worker = threading.Thread(target=lambda: list(profiling.steps()))
    worker.start()
    turns = 0
    while worker.is_alive():
        time.sleep(0.001)
        turns += 1
    worker.join()
    assert turns > 20
    assert not profiling.report().partial


def test_refused_programs_do_not_stop_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise KernelError("cannot load the BPF program", errno.EFAULT)

    monkeypatch.setattr(InKernel, "team", refused)
    by_operation = results(kinds=("hash",))["lookup", None]
    assert by_operation.user is not None
    assert (by_operation.inside, by_operation.inside_why) == (None, "no lookup in programs (EFAULT)")
    monkeypatch.setattr(Privileges, "read", lambda: Privileges(1 << 39 | 1 << 12))
    by_operation = results(kinds=("hash",))["lookup", None]
    assert (by_operation.inside, by_operation.inside_why) == (None, "programs need CAP_PERFMON, too (EFAULT)")
