"""Wishes become cells, and everything that cannot be is refused before anything runs."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from bpftop.errors import UsageError
from bpftop.kernel.bpf import bpf_map, inventory
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.measure.maps import geometry as geometries
from bpftop.measure.maps import plan as plans
from bpftop.measure.maps.geometry import KINDS, MEMORY_LIMIT_BYTES, Geometry
from bpftop.measure.maps.plan import OPERATIONS, SWEEP, MeasurePlan, MeasureRequest, make_plan

CPUS = (0, 1)


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask no kernel: for decisions without it."""
    monkeypatch.setattr(geometries, "try_out", lambda geometry: None)


def plan(possible_cpus: int = 2, cpus: tuple[int, ...] = CPUS, **request: Any) -> MeasurePlan:
    return make_plan(MeasureRequest(**request), cpus, possible_cpus)


def geometry(kind: str, entries: int = 1000, key: int = 8, value: int = 16, population: int | None = None) -> Geometry:
    chosen = KINDS[kind]
    key = 4 if kind.endswith("array") else key
    return Geometry(chosen.type, chosen.flags, entries, key, value, population or entries, kind)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown type": ({"kinds": ("hash", "hsah")}, "hsah is no map type; choose from array, percpu_array"),
    "unknown operation": ({"operations": ("lookups",)}, "lookups is no operation; choose from lookup, update_existing"),
    "unknown access": ({"accesses": ("random",)}, "random is no access; choose from sequential, uniform, zipf"),
    "nothing": ({"kinds": ()}, "nothing is no map type"),
    "no entries": ({"entries": (0,)}, "0 entries: a map has 1 to"),
    "negative entries": ({"entries": (-3,)}, "-3 entries"),
    "more than fit in 32 bits": ({"entries": (1 << 32,)}, "4294967296 entries"),
    "too much memory": ({"entries": (50_000_000,)}, "would take 762.9 MiB; the limit is 256.0 MiB"),
    "no key": ({"kinds": ("hash",), "key_bytes": (0,)}, "keys of 0 bytes"),
    "key of an array": ({"kinds": ("array",), "key_bytes": (8,)}, "is a number of 4 bytes"),
    "short key of a trie": ({"kinds": ("lpm_trie",), "key_bytes": (4,)}, "has 5 to 260, 4 of them the prefix length"),
    "long key of a trie": ({"kinds": ("lpm_trie",), "key_bytes": (261,)}, "has 5 to 260"),
    "keys that do not differ": ({"kinds": ("hash",), "key_bytes": (1,)}, "7500 keys of 1 bytes: only 256 of them"),
    "no value": ({"value_bytes": (0,)}, "values of 0 bytes"),
    "per-CPU value": (
        {"kinds": ("percpu_hash",), "value_bytes": (32769,), "entries": (10,), "batches": (1,)},
        "a value of percpu_hash has at most 32768",
    ),
    "empty fill": ({"fills_pct": (0.0,)}, "a fill of 0 %"),
    "overfull": ({"fills_pct": (100.5,)}, "a fill of 100.5 %"),
    "batch above the keys": ({"batches": (7501,)}, "a batch of 7501: an array of 10000 entries"),
    "batch for two threads": ({"batches": (4000,), "threads": (2,)}, "2 threads with a batch of 4000 each"),
    "no batch": ({"batches": (0,)}, "a batch of 0"),
    "batch buffers": (
        {
            "kinds": ("array",),
            "entries": (1_000_000,),
            "value_bytes": (8,),
            "fills_pct": (100.0,),
            "batches": (1_000_000,),
            "memory_limit_bytes": 10 << 20,
        },
        "a batch of 1000000 needs buffers of 11.4 MiB; the limit is 10.0 MiB",
    ),
    "no thread": ({"threads": (0,)}, "threads cannot be 0"),
    "more threads than CPUs": ({"threads": (3,)}, "this process may run on 2; choose 1 to 2"),
    "more threads than keys": ({"entries": (1,), "threads": (2,), "batches": (1,)}, "2 threads on 1 keys"),
    "too few runs": ({"runs": 4}, "the number of runs cannot be 4; choose 5 to 1000"),
    "no time": ({"run_ms": 0}, "length of a run"),
    "negative seed": ({"seed": -1}, "the seed cannot be -1"),
    "no memory": ({"memory_limit_bytes": 0}, "the memory limit in MiB cannot be 0"),
    "too many combinations": (
        {"entries": tuple(range(1000, 1100)), "value_bytes": (8, 16), "fills_pct": (50.0, 75.0)},
        "combinations are more than 10000",
    ),
}


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_reason(case: str) -> None:
    request, message = REFUSED[case]
    with pytest.raises(UsageError, match=message.replace("(", r"\(")) as error:
        plan(**request)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("trusting")
def test_the_default_is_everything() -> None:
    made = plan()
    assert {cell.geometry.kind for cell in made.cells} == set(KINDS)
    assert {cell.operation for cell in made.cells} == set(OPERATIONS)
    assert {cell.batch for cell in made.cells} == {None, *SWEEP}
    assert len(made.cells) == 8 * (5 + 4 * len(SWEEP))
    # 5 runs of 8 ms from user space; as many of 40 % of that inside the kernel, of the 5 single operations of 8 types
    assert made.expected_s == pytest.approx(len(made.cells) * 0.040 + 8 * 5 * 0.016)
    assert {cell.geometry.key_bytes for cell in made.cells if cell.geometry.is_array} == {4}
    assert {cell.geometry.population / cell.geometry.entries for cell in made.cells} == {0.75}
    assert len({cell.name for cell in made.cells}) == len(made.cells)


@pytest.mark.usefixtures("trusting")
def test_axes_are_combined_and_walks_have_no_access() -> None:
    made = plan(
        kinds=("hash",),
        operations=("lookup", "get_next_key", "lookup_batch", "update_batch"),
        entries=(100, 200),
        accesses=("uniform", "zipf"),
        batches=(1, 8),
        threads=(1, 2),
    )
    counted = {name: sum(cell.operation == name for cell in made.cells) for name in made.request.operations}
    assert counted == {"lookup": 8, "get_next_key": 4, "lookup_batch": 8, "update_batch": 16}
    assert {cell.access for cell in made.cells if cell.operation == "lookup_batch"} == {"walk"}


@pytest.mark.usefixtures("trusting")
def test_the_default_sweep_ends_at_the_number_of_keys() -> None:
    made = plan(kinds=("hash",), operations=("lookup_batch",), entries=(400,), threads=(2,))
    assert [cell.batch for cell in made.cells] == [1, 4, 16, 64]  # 150 keys for each of two threads


@pytest.mark.usefixtures("trusting")
def test_key_size_for_all_types_skips_arrays() -> None:
    made = plan(key_bytes=(16,), operations=("lookup",))
    assert {(cell.geometry.kind, cell.geometry.key_bytes) for cell in made.cells} >= {("array", 4), ("hash", 16)}


@pytest.mark.usefixtures("trusting")
def test_threads_are_pinned_to_the_last_cpus() -> None:
    made = plan(cpus=(0, 2, 5, 7), threads=(2,), kinds=("array",))
    assert made.pinned(1) == (7,)
    assert made.pinned(2) == (5, 7)


def test_memory_by_hand() -> None:
    assert geometry("array", 1000, value=16).memory_bytes(8) == 16_000
    assert geometry("percpu_array", 1000, value=9).memory_bytes(8) == 1000 * (16 * 8 + 8)
    assert geometry("hash", 1000, value=16).memory_bytes(8) == 1024 * 16 + 1000 * (48 + 8 + 16)
    assert geometry("percpu_hash", 1000, value=12).memory_bytes(8) == 1024 * 16 + 1000 * (48 + 8 + 8 + 16 * 8)


@pytest.mark.bpf
@pytest.mark.parametrize("kind", KINDS)
def test_memory_as_the_kernel_counts_it(kind: str) -> None:
    """memlock in fdinfo, exact since 6.4; before, it was 0 for maps that grow."""
    shape = geometry(kind, 20_000, value=24)
    with bpf_map.create(shape.type, shape.key_bytes, shape.value_bytes, shape.entries, shape.flags) as made:
        if shape.flags & bpf_map.NO_PREALLOC:
            for number in range(shape.entries):
                key = number.to_bytes(shape.key_bytes, "little")
                made.update(b"\x20\0\0\0" + key[:4] if kind == "lpm_trie" else key, bytes(24))
        counted = inventory.fdinfo_of("map", made.info().map_id).memory_bytes
    assert counted is not None
    # The kernel counts the contents of a trie's nodes, without inner nodes and what kmalloc rounds up to.
    most = 4 if kind == "lpm_trie" else 1.5
    assert 0.75 * counted <= shape.memory_bytes(possible_cpus()) <= most * counted


@pytest.mark.bpf
def test_the_kernel_is_asked_before_measuring() -> None:
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    request = MeasureRequest(kinds=("hash",), entries=(10,), value_bytes=(8 << 20,), batches=(1,))
    with pytest.raises(
        UsageError, match=r"the kernel refuses a hash with keys of 8 and values of 8388608 bytes \(E2BIG\)"
    ):
        make_plan(request, cpus, possible_cpus())
    assert make_plan(replace(request, value_bytes=(1 << 20,)), cpus, possible_cpus()).cells


def test_the_documented_limit() -> None:
    assert MEMORY_LIMIT_BYTES == MeasureRequest().memory_limit_bytes == 256 << 20
    assert plans.RUNS_MIN == MeasureRequest().runs == 5
