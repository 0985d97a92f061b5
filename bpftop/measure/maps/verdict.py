"""Verdict of a profile: array or hash, batch or single operations, and the memory that preallocation takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from bpftop.kernel.bpf import bpf_map
from bpftop.measure.maps.geometry import Geometry, mib
from bpftop.measure.maps.live_map import LiveMap
from bpftop.measure.maps.plan import SINGLE_OF, MeasurePlan
from bpftop.measure.maps.results import CellResult, MeasuredSide, OperationCost, batch_factors

NEAR_BEST = 1.1
"""A batch size is good enough if an entry costs at most so many times the cost at the best size."""

_ARRAY_OF = {"hash": "array", "percpu_hash": "percpu_array"}
_PLACES: Mapping[MeasuredSide, str] = {"inside": "in a program", "user": "from user space"}
_PAYS = 1.1
_DENSE = 4
"""Keys are dense if an array would have at most so many entries per key."""

CellResults = Sequence[CellResult]


def verdict(plan: MeasurePlan, results: Sequence[CellResult]) -> tuple[str, ...]:
    """Return sentences of at most 25 words. A sentence is missing if its operations were not measured."""
    sections = [list(group) for _, group in groupby(results, lambda r: (r.cell.geometry, r.cell.threads))]
    sentences = [*_array_or_hash(sections), *_live_keys(plan.live)]
    for operation, what in (("lookup_batch", "Read"), ("update_batch", "Write")):
        sentences += _batch(sections, operation, what)
    sentences += _prealloc(sections, plan.possible_cpus)
    return tuple(sentences)


def _array_or_hash(sections: Sequence[CellResults]) -> Iterator[str]:
    by_kind = _first_by_kind(sections)
    for hash_kind, array_kind in _ARRAY_OF.items():
        if hash_kind not in by_kind or array_kind not in by_kind:
            continue
        for side, where in _PLACES.items():
            hashed, array = (_cost(by_kind[kind], "lookup", side) for kind in (hash_kind, array_kind))
            if hashed is None or array is None:
                continue
            last = by_kind[array_kind][0].cell.geometry.entries - 1
            costs = f"a look-up {where} costs {cost_words(array)}, {cost_words(hashed)} by {hash_kind}"
            cheaper = hashed.summary.p50_ns > _PAYS * array.summary.p50_ns
            choice = f"choose {array_kind}" if cheaper else f"{array_kind} saves nothing"
            yield f"For keys 0 to {last} {choice}: {costs}."
            break


def _live_keys(live: LiveMap | None) -> Iterator[str]:
    """Judge whether the keys of a hash would fit an array."""
    if live is None or live.geometry.is_array or live.geometry.key_bytes != 4 or not live.real_keys:
        return
    if live.geometry.type not in (bpf_map.HASH, bpf_map.PERCPU_HASH):
        return
    largest = max(memoryview(live.real_keys).cast("I"))
    if not live.complete or 4 * live.count > len(live.real_keys):
        return
    if largest < _DENSE * live.count:
        yield f"Its {live.count} keys are all below {largest + 1}: an array of {largest + 1} entries would hold them."
    else:
        yield f"Its {live.count} keys reach up to {largest}: too sparse for an array, so a hash is right."


def _batch(sections: Sequence[CellResults], operation: str, what: str) -> Iterator[str]:
    """Compare the smallest batch that is near the best with single operations, over all maps."""
    factors: dict[int, list[float]] = {}
    for section in sections:
        known = batch_factors(section)
        sweep = [
            (r.cell.batch, r.user.summary.p50_ns, known[r.cell.name])
            for r in section
            if r.cell.operation == operation and r.user is not None and r.cell.batch and r.cell.name in known
        ]
        if sweep:
            best_ns = min(ns for _, ns, _ in sweep)
            size, _, factor = min(each for each in sweep if each[1] <= NEAR_BEST * best_ns)
            factors.setdefault(size, []).append(factor)
    if not factors:
        return
    single = " and ".join(name.replace("_existing", "") for name in SINGLE_OF[operation])
    every = [factor for each in factors.values() for factor in each]
    if max(every) < _PAYS:
        yield f"{what} single entries: {operation} is not faster than {single} in any size."
        return
    sizes = _range(f"{size}" for size in sorted(factors))
    times = _range(f"{factor:.1f}" for factor in sorted(every))
    yield f"{what} by {operation}, {sizes} entries a call: {times} times as fast as {single}."


def _prealloc(sections: Sequence[CellResults], possible_cpus: int) -> Iterator[str]:
    by_kind = _first_by_kind(sections)
    if "hash" not in by_kind:
        return
    shape: Geometry = by_kind["hash"][0].cell.geometry
    whole, on_demand = mib(shape.memory_bytes(possible_cpus)), mib(shape.on_demand_bytes(possible_cpus))
    if "hash_no_prealloc" not in by_kind:
        yield f"Preallocation takes {whole} for {shape.entries} entries, however few are in use."
        return
    yield (
        f"Preallocating {shape.entries} entries takes {whole}; BPF_F_NO_PREALLOC takes {on_demand} for the "
        f"{shape.population} in use."
    )
    costs = [_cost(by_kind[kind], "update_new", "inside") for kind in ("hash", "hash_no_prealloc")]
    if costs[0] is not None and costs[1] is not None:
        yield (
            f"A new key in a program costs {cost_words(costs[0])} preallocated and {cost_words(costs[1])} with "
            "BPF_F_NO_PREALLOC."
        )


def cost_words(cost: OperationCost) -> str:
    """Return ``10.1 ns``, or ``less than 0.1 ns`` below the resolution."""
    ns = cost.summary.p50_ns
    if cost.below_resolution:
        return f"less than {max(0.1, cost.resolution_ns):.1f} ns"
    return f"{ns:.1f} ns" if ns < 100 else f"{ns:.0f} ns"


def _first_by_kind(sections: Sequence[CellResults]) -> Mapping[str, CellResults]:
    by_kind: dict[str, CellResults] = {}
    for section in sections:
        by_kind.setdefault(section[0].cell.geometry.kind, section)
    return by_kind


def _cost(section: CellResults, operation: str, side: MeasuredSide) -> OperationCost | None:
    return next((r.cost(side) for r in section if r.cell.operation == operation), None)


def _range(words: Iterable[str]) -> str:
    """Return ``64`` or ``16 to 256`` for values in order."""
    values = list(dict.fromkeys(words))
    return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"
