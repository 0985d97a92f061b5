"""Verdict of a profile, from known costs."""

from __future__ import annotations

from array import array

import pytest

from bpftop.kernel.bpf.bpf_map import MapInfo
from bpftop.measure.maps.geometry import KINDS, Geometry
from bpftop.measure.maps.live_map import LiveMap
from bpftop.measure.maps.plan import Cell, MeasurePlan, MeasureRequest
from bpftop.measure.maps.results import CellResult, OperationCost
from bpftop.measure.maps.verdict import verdict
from bpftop.measure.statistics import Spread, Summary

PLAN = MeasurePlan(MeasureRequest(), (), (0, 1), 2)


def geometry(kind: str, key_bytes: int = 8) -> Geometry:
    return Geometry(KINDS[kind].type, KINDS[kind].flags, 10_000, key_bytes, 16, 7_500, kind)


def cost(ns: float, resolution_ns: float = 0.0) -> OperationCost:
    return OperationCost(Summary(100, ns, ns, ns, ns, ns, ns), 1e9, Spread(5, ns, ns, ns), resolution_ns)


def result(
    kind: str, operation: str, user_ns: float | None, inside: OperationCost | None = None, batch: int | None = None
) -> CellResult:
    cell = Cell(geometry(kind), operation, "uniform", batch, 1)
    return CellResult(cell, None if user_ns is None else cost(user_ns), "", inside, "", 1, 0)


def sweep(kind: str, operation: str, single: str, single_ns: float, **batches: float) -> list[CellResult]:
    cells = [result(kind, operation, ns, None, int(size[1:])) for size, ns in batches.items()]
    return [result(kind, single, single_ns), *cells]


def test_array_or_hash_by_the_cost_in_a_program() -> None:
    results = [result("array", "lookup", 196, cost(0.01, 0.08)), result("hash", "lookup", 369, cost(10.1))]
    assert verdict(PLAN, results)[0] == (
        "For keys 0 to 9999 choose array: a look-up in a program costs less than 0.1 ns, 10.1 ns by hash."
    )


def test_array_or_hash_from_user_space_without_programs() -> None:
    results = [result("percpu_array", "lookup", 400), result("percpu_hash", "lookup", 410)]
    assert verdict(PLAN, results) == (
        "For keys 0 to 9999 percpu_array saves nothing: a look-up from user space costs 400 ns, 410 ns by percpu_hash.",
    )


def test_the_smallest_batch_that_is_near_the_best() -> None:
    hashed = sweep("hash", "lookup_batch", "lookup", 200, b1=210, b16=60, b64=52, b256=50, b1024=49)
    trie = sweep("lpm_trie", "lookup_batch", "lookup", 300, b16=100, b256=150)
    sentence = "Read by lookup_batch, {} entries a call: {} times as fast as lookup."
    assert verdict(PLAN, hashed)[0] == sentence.format("64", "3.8")
    assert verdict(PLAN, [*hashed, *trie])[0] == sentence.format("16 to 64", "3.0 to 3.8")


def test_batches_that_do_not_pay() -> None:
    results = sweep("array", "update_batch", "update_existing", 100, b1=180, b64=98)
    assert verdict(PLAN, results) == ("Write single entries: update_batch is not faster than update in any size.",)


def test_memory_and_cost_of_preallocation() -> None:
    results = [
        result("hash", "update_new", 243, cost(36.1)),
        result("hash_no_prealloc", "update_new", 300, cost(101.2)),
    ]
    assert verdict(PLAN, results) == (
        "Preallocating 10000 entries takes 0.937 MiB; BPF_F_NO_PREALLOC takes 0.765 MiB for the 7500 in use.",
        "A new key in a program costs 36.1 ns preallocated and 101 ns with BPF_F_NO_PREALLOC.",
    )
    assert verdict(PLAN, results[:1]) == ("Preallocation takes 0.937 MiB for 10000 entries, however few are in use.",)


@pytest.mark.parametrize(
    ("keys", "complete", "sentence"),
    [
        ((0, 7, 3), True, "Its 3 keys are all below 8: an array of 8 entries would hold them."),
        ((0, 7, 300), True, "Its 3 keys reach up to 300: too sparse for an array, so a hash is right."),
        ((0, 7, 3), False, None),
    ],
)
def test_keys_of_a_live_hash(keys: tuple[int, ...], complete: bool, sentence: str | None) -> None:
    info = MapInfo(42, "flows", 1, 4, 16, 10_000, 0)
    live = LiveMap(info, geometry("hash", 4), len(keys), array("I", keys).tobytes(), 4, complete)
    plan = MeasurePlan(MeasureRequest(), (), (0, 1), 2, live)
    assert verdict(plan, []) == (() if sentence is None else (sentence,))


def test_no_sentence_is_longer_than_25_words() -> None:
    results = [
        *(result(kind, "lookup", 99.94, cost(99.94)) for kind in ("array", "hash", "percpu_array", "percpu_hash")),
        *(result(kind, "update_new", 400, cost(400)) for kind in ("hash", "hash_no_prealloc")),
        *(result(kind, "update_existing", 400) for kind in ("array", "hash")),
        *(result(kind, "lookup_batch", 20 + number, None, 64 << number) for number, kind in enumerate(KINDS)),
        *(
            result(kind, "update_batch", 20 + number, None, 64 << number)
            for number, kind in enumerate(("array", "hash"))
        ),
    ]
    results.sort(key=lambda r: r.cell.geometry.kind)
    sentences = verdict(PLAN, results)
    assert len(sentences) == 6
    assert [sentence for sentence in sentences if len(sentence.split()) > 25] == []
