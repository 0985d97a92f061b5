"""The profile document, ``bpftop.profile/1``, as types: every member with its meaning."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from bpftop.export.json_types import Amount, Count, Limits, OneOf
from bpftop.export.measure.measurement_types import MeasurementObject
from bpftop.measure.maps.geometry import KINDS
from bpftop.measure.maps.plan import ACCESSES, OPERATIONS, WALK


class ClockObject(TypedDict):
    cost_ns: Amount
    step_ns: Count


class LiveMapObject(TypedDict):
    map_id: Count
    name: str
    flags: Count
    max_entries: Count
    keys: Annotated[Count, "The number of keys counted."]
    keys_complete: Annotated[bool, "false: there are more keys, or the map changed meanwhile."]
    real_keys: Annotated[Count, "Keys of the map that the copy uses."]
    reads: Annotated[Count, "Calls that read the map. No call wrote it."]


class OperationCostObject(TypedDict):
    times: Annotated[Count, "The number of measured times: calls, or runs of a program."]
    p50_ns: Amount
    p90_ns: Amount
    p99_ns: Amount
    max_ns: Amount
    mean_ns: Amount
    per_sec: Annotated[Count, "Mean of the entries per second, all threads together."]
    runs: Annotated[Count, "Runs of the cell. Between two of them all other cells ran."]
    spread_pct: Annotated[Amount, "From the least to the largest p50 of the runs, in percent of their median."]
    resolution_ns: Annotated[Amount, "The least time per entry that can be told from 0."]
    below_resolution: Annotated[bool, "Whether p50_ns is below resolution_ns, and so says no more than that."]


class ChangeObject(TypedDict):
    taken_at: str
    kernel: str
    p50_ns: Amount
    change_pct: float
    beyond_ranges: Annotated[bool, "false: the p50 of the rounds of the two runs overlap, so the change may be noise."]


SideCost = Annotated[OperationCostObject | None, "Nanoseconds per entry, without the cost of reading the clock."]
EarlierChange = Annotated[ChangeObject | None, "The latest stored run of this machine with the same measurement."]


class EarlierObject(TypedDict):
    user: EarlierChange
    inside: EarlierChange


class CellObject(TypedDict):
    type: Annotated[str, OneOf(tuple(KINDS))]
    flags: Annotated[Count, "map_flags"]
    entries: Count
    population: Annotated[Count, "Keys in use."]
    key_bytes: Count
    value_bytes: Count
    operation: Annotated[str, OneOf(tuple(OPERATIONS))]
    access: Annotated[str, OneOf((*ACCESSES, WALK))]
    batch: Annotated[int | None, Limits(minimum=1)]
    threads: Count
    user: SideCost
    user_why: Annotated[str | None, "Why there is no cost from user space."]
    inside: SideCost
    inside_why: Annotated[str | None, "Why there is no cost inside the kernel."]
    factor_to_single: Annotated[float | None, "How many times cheaper an entry is than by single operations, by p50."]
    best_batch: Annotated[bool, "Whether the p50 is the least of the sweep of batch sizes."]
    checked: Annotated[Count, "Values and keys compared with the written ones."]
    missed: Annotated[Count, "Keys that an LRU map had evicted."]
    grown_to: Annotated[
        int | None, "The size to which a batch grew after ENOSPC; 0: the remaining entries were read one by one."
    ]
    notes: list[str]
    earlier: EarlierObject


class ProfileDocument(MeasurementObject):
    """The cost of map operations. null: unknown, or not measured."""

    schema: Literal["bpftop.profile/1"]
    clock: ClockObject
    seed: Count
    runs: Count
    run_ms: Count
    live_map: Annotated[LiveMapObject | None, "The map of the system that was copied."]
    cells: list[CellObject]
    verdict: Annotated[list[str], "Sentences: array or hash, batch or single operations, memory of preallocation."]
