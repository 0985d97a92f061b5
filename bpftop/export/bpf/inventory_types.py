"""The documents ``bpftop.programs/1``, ``bpftop.maps/1`` and ``bpftop.map/1`` as types: every member with its meaning.

Unknown is null, never 0. Later versions 1 may add members; members stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypedDict

from bpftop.export.json_types import TIMESTAMP, Amount, Count, ToolObject


class BpfOwnerObject(TypedDict):
    pid: Annotated[Count, "In the initial pid namespace."]
    name: Annotated[str, "At most 15 bytes."]
    service: Annotated[str | None, "Its container or unit by its cgroup: `docker 0123456789ab`, `nginx.service`."]
    pod: Annotated[str | None, "The uid of the Kubernetes pod."]


class LoadedProgramObject(TypedDict):
    id: Count
    type: Annotated[str, "As in bpftool: xdp, sched_cls..."]
    name: Annotated[str, "The entry function by BTF; without BTF the kernel's name, at most 15 bytes."]
    tag: str
    loaded_at: Annotated[str, TIMESTAMP]
    created_by_uid: Count
    insns: Annotated[Count, "Instructions after the verifier's changes."]
    verified_insns: Count
    jited_bytes: Count
    memory_bytes: Count | None
    attached: Annotated[list[str], "Kind, hook, and interface, function or cgroup."]
    pinned: list[str]
    owners: list[BpfOwnerObject]
    map_ids: list[int]
    run_cnt: Annotated[Count, "Grows only while run statistics are on."]
    run_time_ns: Annotated[Count, "As the kernel counts it, the time of the statistics included."]
    recursion_misses: Count
    runs_per_sec: Amount | None
    ns_per_run: Annotated[Amount | None, "Mean of the interval, without the time of the statistics."]
    total_ns_per_run: Annotated[Amount | None, "Mean of all counted runs, without the time of the statistics."]
    cpu_pct: Annotated[Amount | None, "In percent of one CPU, without the time of the statistics."]


class LoadedProgramsDocument(TypedDict):
    """Every BPF program of the machine, and what it cost in the interval."""

    schema: Literal["bpftop.programs/1"]
    tool: ToolObject
    taken_at: Annotated[str, TIMESTAMP]
    interval_s: Amount | None
    statistics_ns_per_run: Annotated[Amount, "Time that the run statistics themselves add to each run."]
    programs: list[LoadedProgramObject]
    unavailable: Annotated[Mapping[str, str], "Part -> the reason why it is missing."]


class LoadedMapObject(TypedDict):
    id: Count
    type: str
    name: str
    key_bytes: Count
    value_bytes: Count
    max_entries: Count
    flags: Count
    frozen: Annotated[bool, "true: user space may not write to it any more."]
    memory_bytes: Count | None
    entries: Annotated[Count | None, "null: not counted, or of a type without keys."]
    entries_complete: Annotated[bool | None, "false: there are at least so many."]
    growth_per_sec: float | None
    full_in_s: Amount | None
    prog_ids: list[int]
    pinned: list[str]
    owners: list[BpfOwnerObject]


class LoadedMapsDocument(TypedDict):
    """Every BPF map of the machine."""

    schema: Literal["bpftop.maps/1"]
    tool: ToolObject
    taken_at: Annotated[str, TIMESTAMP]
    interval_s: Amount | None
    maps: list[LoadedMapObject]
    unavailable: Annotated[Mapping[str, str], "Part -> the reason why it is missing."]


class MapEntryObject(TypedDict):
    key: Annotated[Any, "By BTF; hexadecimal bytes without."]
    value: Annotated[Any, "By BTF; of a per-CPU map, the sum over the CPUs."]
    per_cpu: Annotated[list[Any], "Of a per-CPU map, the value of each possible CPU."]
    per_sec: Annotated[Mapping[str, float], "The change per second of each number, by its path in the value."]


class MapContentDocument(TypedDict):
    """The entries of one map."""

    schema: Literal["bpftop.map/1"]
    tool: ToolObject
    taken_at: Annotated[str, TIMESTAMP]
    map: LoadedMapObject
    complete: Annotated[bool, "false: there are more such entries, or the map changed while it was read."]
    unreadable: Annotated[Count, "Keys whose value could not be read."]
    entries: list[MapEntryObject]


DEFINITIONS: Mapping[str, object] = {"owner": BpfOwnerObject, "program": LoadedProgramObject, "map": LoadedMapObject}
