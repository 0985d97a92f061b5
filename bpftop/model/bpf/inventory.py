"""The BPF programs and maps of the machine at one moment, and their rates between two moments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bpftop.fields import field, frozen

if TYPE_CHECKING:
    from bpftop.model.cgroup_names import Service

ARRAY_TYPES = frozenset((
    "array", "percpu_array", "prog_array", "array_of_maps", "cgroup_array", "devmap", "cpumap", "xskmap", "sockmap",
    "reuseport_sockarray", "struct_ops",
))  # fmt: skip
"""Types of maps whose keys all exist from the beginning: the number of keys says nothing about how full they are."""

EVICTING_TYPES = frozenset({"lru_hash", "lru_percpu_hash"})
"""Types of maps that drop the oldest entry for a new one: they are never full."""


@frozen
class Owner:
    """A process that holds an object. ``service`` is its container or unit; None where its cgroup names neither."""

    pid: int
    name: str
    service: Service | None = None

    def __str__(self) -> str:
        where = f" in {self.service}" if self.service else ""
        return f"{self.name}[{self.pid}]{where}"


@frozen
class BpfProgram:
    """A loaded program. ``type`` is a name as in bpftool: ``xdp``, ``sched_cls``.

    ``loaded_at_ns`` is the wall clock. ``insns`` are the instructions after the verifier's changes, ``verified_insns``
    those that the verifier walked. ``attached`` are phrases: ``xdp native eth0``. None and empty are unknown.
    """

    prog_id: int
    type: str
    name: str
    tag: str
    loaded_at_ns: int
    created_by_uid: int
    insns: int
    jited_bytes: int
    verified_insns: int
    memory_bytes: int | None = None
    btf_id: int = 0
    map_ids: tuple[int, ...] = ()
    attached: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    owners: tuple[Owner, ...] = ()


@frozen
class Runs:
    """Counters of a program, which grow only while run statistics are on."""

    run_cnt: int
    run_time_ns: int
    recursion_misses: int


@frozen
class KnownMap:
    """A map. ``type`` is a name as in bpftool: ``percpu_hash``. Type ids are of the BTF ``btf_id``; 0: none."""

    map_id: int
    type: str
    name: str
    key_bytes: int
    value_bytes: int
    max_entries: int
    flags: int
    memory_bytes: int | None = None
    btf_id: int = 0
    key_type_id: int = 0
    value_type_id: int = 0
    frozen: bool = False
    prog_ids: tuple[int, ...] = ()
    pinned: tuple[str, ...] = ()
    owners: tuple[Owner, ...] = ()


@frozen
class Entries:
    """The number of entries of a map. Not ``complete``: at least so many; ``read_ns`` is CLOCK_MONOTONIC."""

    used: int
    complete: bool
    read_ns: int


@frozen
class BpfInventory:
    """Everything loaded at ``read_ns`` (CLOCK_MONOTONIC).

    ``stats_since_ns``: run statistics have been on since then; None: they are off. ``clock_ns`` is the time that the
    statistics themselves add to the measured time of a run, which ``program_rates`` takes off. ``unavailable`` maps a
    part (owners, attachments...) to the reason why it is missing, as a sentence.
    """

    read_ns: int
    wall_ns: int
    programs: Mapping[int, BpfProgram]
    runs: Mapping[int, Runs]
    maps: Mapping[int, KnownMap]
    entries: Mapping[int, Entries] = field(default_factory=dict)
    stats_since_ns: int | None = None
    clock_ns: float = 0.0
    unavailable: Mapping[str, str] = field(default_factory=dict)


@frozen
class ProgramRates:
    """Rates of a program over an interval. ``ns_per_run`` is the mean of the interval, None without runs.

    ``total_ns_per_run`` is the mean of all runs that were ever counted. ``cpu_pct`` is in percent of one CPU. The time
    that the statistics add is taken off.
    """

    runs_per_sec: float | None = None
    ns_per_run: float | None = None
    total_ns_per_run: float | None = None
    cpu_pct: float | None = None


def program_rates(before: BpfInventory | None, now: BpfInventory, prog_id: int) -> ProgramRates:
    """Return the rates of a program; None where the statistics were off at one of the two moments."""
    runs, clock_ns = now.runs[prog_id], now.clock_ns
    total = max(0.0, runs.run_time_ns / runs.run_cnt - clock_ns) if runs.run_cnt else None
    earlier = None if before is None else before.runs.get(prog_id)
    same = before is not None and before.programs.get(prog_id, now.programs[prog_id]).tag == now.programs[prog_id].tag
    if before is None or earlier is None or not same or before.stats_since_ns is None or now.stats_since_ns is None:
        return ProgramRates(total_ns_per_run=total)
    elapsed_ns = now.read_ns - before.read_ns
    gained = runs.run_cnt - earlier.run_cnt
    if elapsed_ns <= 0 or gained < 0:
        return ProgramRates(total_ns_per_run=total)
    per_run = max(0.0, (runs.run_time_ns - earlier.run_time_ns) / gained - clock_ns) if gained else None
    return ProgramRates(
        runs_per_sec=gained / elapsed_ns * 1e9,
        ns_per_run=per_run,
        total_ns_per_run=total,
        cpu_pct=100 * gained * (per_run or 0.0) / elapsed_ns,
    )


def growth(before: BpfInventory | None, now: BpfInventory, map_id: int) -> tuple[float | None, float | None]:
    """Return a map's gain of entries per second, and the seconds until it is full at that rate.

    None is unknown; LRU maps are never full.
    """
    entries = now.entries.get(map_id)
    earlier = None if before is None else before.entries.get(map_id)
    if entries is None or earlier is None or not (entries.complete and earlier.complete):
        return None, None
    elapsed_ns = entries.read_ns - earlier.read_ns
    if elapsed_ns <= 0:
        return None, None
    per_sec = (entries.used - earlier.used) / elapsed_ns * 1e9
    each = now.maps[map_id]
    return per_sec, full_in_s(each.type, each.max_entries - entries.used, per_sec)


def full_in_s(map_type: str, room: int, per_sec: float | None) -> float | None:
    """Return the seconds until a map with ``room`` for more entries is full; None if it does not fill."""
    return room / per_sec if per_sec is not None and per_sec > 0 and map_type not in EVICTING_TYPES else None
