"""Readings of the BPF inventory: every program and map, with its attachments, pins and owners.

What never changes is read once per object; counters, links and owners are read every time. A program is open for the
length of one system call only, because an open file descriptor would keep it loaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import TypeVar

from bpftop.collect.inventory.attach_points import by_devices, by_links, cgroup_paths
from bpftop.collect.inventory.open_objects import OpenObjects
from bpftop.collect.inventory.pins import Pins
from bpftop.collect.inventory.process_names import ProcessNames
from bpftop.collect.inventory.statistics_clock import statistics_clock_ns
from bpftop.errors import BpftopError
from bpftop.fields import replace
from bpftop.kernel.bpf import inventory
from bpftop.kernel.bpf.inventory import LoadedMap, LoadedProgram
from bpftop.kernel.measure.run_stats import enable_run_stats
from bpftop.model.bpf_inventory import BpfInventory, BpfProgram, KnownMap, Owner, Runs

_BPF_INSN_BYTES = 8

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
        self._programs: dict[tuple[int, int], BpfProgram] = {}
        self._maps: dict[int, KnownMap] = {}
        self._pins, self._names = Pins(), ProcessNames()
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
        programs, maps = inventory.programs(), inventory.maps()
        points = self._optional("attachments", self._attach_points) or {}
        pins = self._optional("pins", self._pins.read) or {}
        owners = self._optional("owners", self._owners) or {}
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

    def _known_program(self, loaded: LoadedProgram, boot_ns: int) -> BpfProgram:
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
                inventory.memory_bytes_of("program", loaded.prog_id),
                loaded.btf_id,
                inventory.map_ids_of(loaded.prog_id) if loaded.map_count else (),
            )
        return self._programs[key]

    def _known_map(self, loaded: LoadedMap) -> KnownMap:
        if loaded.map_id not in self._maps:
            self._maps[loaded.map_id] = KnownMap(
                loaded.map_id,
                self._type_names[1].get(loaded.type, str(loaded.type)),
                loaded.name,
                loaded.key_bytes,
                loaded.value_bytes,
                loaded.max_entries,
                loaded.flags,
                inventory.memory_bytes_of("map", loaded.map_id),
                loaded.btf_id,
                loaded.key_type_id,
                loaded.value_type_id,
            )
        return self._maps[loaded.map_id]

    def _attach_points(self) -> dict[int, list[str]]:
        points, devices = by_devices()
        links = inventory.links()
        cgroups = cgroup_paths({link.cgroup_id for link in links if link.cgroup_id})
        for prog_id, phrases in by_links(links, devices, cgroups).items():
            named = points.get(prog_id, [])
            points[prog_id] = [*named, *(each for each in phrases if not (named and each.startswith("xdp ")))]
        return points

    def _owners(self) -> dict[tuple[str, int], list[Owner]]:
        links = {link.link_id: link.prog_id for link in inventory.links()}
        owners: dict[tuple[str, int], dict[Owner, None]] = {}
        held = self._open_objects.read()
        for each in held:
            owner = self._names.owner(each.pid, each.comm)
            where: tuple[str, int] = (each.kind, each.object_id)
            if each.kind == "link":
                where = ("program", links.get(each.object_id, 0))
            owners.setdefault(where, {})[owner] = None
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
