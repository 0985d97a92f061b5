"""Readings of the BPF inventory: every program and map, with its attachments, pins and owners.

What never changes is read once per object; counters, links and owners are read every time. A program is open for the
length of one system call only, because an open file descriptor would keep it loaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from typing import TypeVar

from bpftop.collect.inventory.attach_points import AttachPoints
from bpftop.collect.inventory.open_objects import OpenObjects, ProcessNames
from bpftop.collect.inventory.pins import Pins
from bpftop.errors import BpftopError
from bpftop.fields import replace
from bpftop.kernel.bpf import inventory
from bpftop.kernel.bpf.attached import PerfAttachment, perf_attachment
from bpftop.kernel.bpf.bpf_iterator import OpenObject
from bpftop.kernel.bpf.bpf_map import MapInfo
from bpftop.kernel.bpf.link_info import LinkInfo
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.program import ProgramInfo
from bpftop.kernel.measure.run_stats import enable_run_stats, program_runs
from bpftop.model.bpf.inventory import BpfInventory, BpfProgram, KnownMap, Owner, Runs

_BPF_INSN_BYTES = 8

CHANGING_EVERY = 10
"""Memory and frozen state of a map, which its fdinfo tells, are read again with every so many readings."""

PERF_TYPES = frozenset({"kprobe", "tracepoint"})
"""Types of programs that a perf event runs, and that the kernel names for it; ``kprobe`` includes uprobes."""
PERF_EVENTS_MAX = 4_096

PartT = TypeVar("PartT")


class InventoryReader:
    """Reads inventories, and keeps the kernel's run statistics on from its first reading until it is closed.

    Run statistics cost every BPF program of the machine two clock readings per run, so they are on only while somebody
    looks. The kernel switches them off with the last file descriptor, also after SIGKILL.
    """

    def __init__(self, *, statistics: bool = True) -> None:
        """Raises KernelError: EPERM without CAP_SYS_ADMIN."""
        self._stack = ExitStack()
        self._stats_since_ns: int | None = None
        self._unavailable: dict[str, str] = {}
        self._clock_ns = 0.0
        self._type_names = inventory.program_type_names(), inventory.map_type_names()
        self._rounds = 0
        self._programs: dict[tuple[int, int], BpfProgram] = {}
        self._maps: dict[int, KnownMap] = {}
        self._pins, self._names, self._points = Pins(), ProcessNames(), AttachPoints()
        self._open_objects = self._stack.enter_context(closing(OpenObjects()))
        if statistics:
            self._optional("statistics", self._enable_statistics)

    def _enable_statistics(self) -> None:
        self._stack.enter_context(closing(enable_run_stats()))
        self._stats_since_ns = time.monotonic_ns()
        self._clock_ns = self._optional("the cost of statistics", statistics_clock_ns) or 0.0

    def close(self) -> None:
        """Switch the statistics off, unless somebody else keeps them on."""
        self._stack.close()

    def read(self) -> BpfInventory:
        """Read everything. Raises KernelError: EPERM without CAP_SYS_ADMIN."""
        read_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        self._rounds += 1
        programs, maps = inventory.programs(), inventory.maps()
        links = self._optional("links", inventory.links) or []
        held = self._optional("owners", self._open_objects.read) or []
        types = {each.prog_id: self._type_names[0].get(each.type, str(each.type)) for each in programs}
        perf_events = self._optional("perf events", lambda: _perf_events(held, types)) or {}
        points = self._optional("attachments", lambda: self._points.read(types, links, perf_events.values())) or {}
        pins = self._optional("pins", self._pins.read) or {}
        owners = self._owners(held, links, perf_events)
        boot_ns = wall_ns - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        current = {}
        for loaded in programs:
            known = self._known_program(loaded, boot_ns)
            where = ("program", loaded.prog_id)
            current[loaded.prog_id] = replace(
                known,
                attached=tuple(points.get(loaded.prog_id, ())),
                pinned=tuple(pins.get(where, ())),
                owners=tuple(owners.get(where, ())),
            )
        used_by: dict[int, list[int]] = {}
        for program in current.values():
            for map_id in program.map_ids:
                used_by.setdefault(map_id, []).append(program.prog_id)
        self._programs = {key: known for key, known in self._programs.items() if key[0] in current}
        map_ids = {each.map_id for each in maps}
        self._maps = {map_id: known for map_id, known in self._maps.items() if map_id in map_ids}
        return BpfInventory(
            read_ns,
            wall_ns,
            current,
            {each.prog_id: Runs(each.run_cnt, each.run_time_ns, each.recursion_misses) for each in programs},
            {
                each.map_id: replace(
                    self._known_map(each),
                    prog_ids=tuple(used_by.get(each.map_id, ())),
                    pinned=tuple(pins.get(("map", each.map_id), ())),
                    owners=tuple(owners.get(("map", each.map_id), ())),
                )
                for each in maps
            },
            stats_since_ns=self._stats_since_ns,
            clock_ns=self._clock_ns,
            unavailable=dict(self._unavailable),
        )

    def _known_program(self, loaded: ProgramInfo, boot_ns: int) -> BpfProgram:
        key = (loaded.prog_id, loaded.load_time_ns)
        if key not in self._programs:
            full_name = inventory.full_name_of(loaded.prog_id) if loaded.btf_id else ""
            self._programs[key] = BpfProgram(
                loaded.prog_id,
                self._type_names[0].get(loaded.type, str(loaded.type)),
                full_name if full_name.startswith(loaded.name) and full_name else loaded.name,
                loaded.tag,
                boot_ns + loaded.load_time_ns,
                loaded.created_by_uid,
                loaded.xlated_bytes // _BPF_INSN_BYTES,
                loaded.jited_bytes,
                loaded.verified_insns,
                inventory.fdinfo_of("program", loaded.prog_id).memory_bytes,
                loaded.btf_id,
                inventory.map_ids_of(loaded.prog_id) if loaded.map_count else (),
            )
        return self._programs[key]

    def _known_map(self, loaded: MapInfo) -> KnownMap:
        known = self._maps.get(loaded.map_id)
        if known is None:
            known = KnownMap(
                loaded.map_id,
                self._type_names[1].get(loaded.type, str(loaded.type)),
                loaded.name,
                loaded.key_bytes,
                loaded.value_bytes,
                loaded.max_entries,
                loaded.flags,
                btf_id=loaded.btf_id,
                key_type_id=loaded.key_type_id,
                value_type_id=loaded.value_type_id,
            )
        elif (loaded.map_id + self._rounds) % CHANGING_EVERY:
            return known
        changing = inventory.fdinfo_of("map", loaded.map_id)
        known = replace(known, memory_bytes=changing.memory_bytes, frozen=bool(changing.frozen))
        self._maps[loaded.map_id] = known
        return known

    def _owners(
        self, held: Iterable[OpenObject], links: Iterable[LinkInfo], perf_events: Mapping[OpenObject, PerfAttachment]
    ) -> dict[tuple[str, int], list[Owner]]:
        programs = {link.link_id: link.prog_id for link in links}
        owners: dict[tuple[str, int], dict[Owner, None]] = {}
        for each in held:
            where: tuple[str, int] = (each.kind, each.object_id)
            if each.kind == "link":
                where = ("program", programs.get(each.object_id, 0))
            elif each.kind == "perf_event":
                if each not in perf_events:
                    continue
                where = ("program", perf_events[each].prog_id)
            owners.setdefault(where, {})[self._names.owner(each.pid, each.comm)] = None
        self._names.forget_others({each.pid for each in held})
        return {where: sorted(found, key=lambda owner: owner.pid) for where, found in owners.items()}

    def _optional(self, part: str, read: Callable[[], PartT]) -> PartT | None:
        """Read a part that may be missing: without it the rest is still worth showing."""
        try:
            value = read()
        except (BpftopError, OSError) as error:
            self._unavailable[part] = str(error)
            return None
        self._unavailable.pop(part, None)
        return value


def _perf_events(held: Iterable[OpenObject], types: Mapping[int, str]) -> dict[OpenObject, PerfAttachment]:
    """Return the perf events that run a program. Asks none where no program can be run by one."""
    if not PERF_TYPES & set(types.values()):
        return {}
    events = [each for each in held if each.kind == "perf_event"][:PERF_EVENTS_MAX]
    found = ((each, perf_attachment(each.pid, each.object_id)) for each in events)
    return {each: attachment for each, attachment in found if attachment is not None}


_RUNS = 2_000


def statistics_clock_ns() -> float:
    """Measure the mean time that the statistics report for a program that only returns, in about 1 ms.

    It is the distance of two clock readings, and so a part of every measured run. Raises KernelError.
    """
    with closing(BpfObject("noop", "noop_xdp")) as loaded:
        loaded.program.test_run(bytes(64), _RUNS)
        count, time_ns = program_runs(loaded.program.fd)
    return time_ns / count if count else 0.0
