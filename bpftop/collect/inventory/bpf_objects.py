"""The BPF programs and maps of the machine as readings of a sample, for recordings, checks and metrics."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from bpftop.collect.collector import ReadingBuilder, Rows, Unavailable
from bpftop.collect.inventory.contents import count_all
from bpftop.collect.inventory.reader import InventoryReader
from bpftop.errors import BpftopError
from bpftop.model.bpf_inventory import BpfInventory, Owner
from bpftop.model.sample import Interface, Key, Reading

_FAMILIES = ("bpf_programs", "bpf_program_sizes", "bpf_maps", "bpf_statistics")


class BpfObjects:
    """A collector of the families of BPF objects. ``statistics``: keep the kernel's run statistics on meanwhile."""

    name = "bpf_objects"

    def __init__(self, *, statistics: bool) -> None:
        self._statistics = statistics
        self._reader: InventoryReader | None = None
        self._builders = {family: ReadingBuilder(family) for family in _FAMILIES}

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        begin_ns = time.monotonic_ns()
        try:
            if self._reader is None:
                self._reader = InventoryReader(statistics=self._statistics)
            inventory = self._reader.read()
            entries = count_all(inventory.maps.values())
        except BpftopError as error:
            raise Unavailable(f"BPF programs and maps: {error}") from error
        cost_ns = time.monotonic_ns() - begin_ns
        rows: Mapping[str, Rows] = {
            "bpf_programs": dict(_runs(inventory)),
            "bpf_program_sizes": dict(_sizes(inventory)),
            "bpf_maps": {
                (str(each.map_id), each.type, each.name, _names(each.owners)): (
                    entries[each.map_id].used if each.map_id in entries else None,
                    each.max_entries,
                    each.memory_bytes,
                )
                for each in inventory.maps.values()
            },
            "bpf_statistics": {(): (int(inventory.stats_since_ns is not None), int(inventory.clock_ns * 1000))},
        }
        return {
            family: builder.reading(rows[family], inventory.read_ns, cost_ns if family == "bpf_programs" else 0)
            for family, builder in self._builders.items()
        }

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()


def _key(inventory: BpfInventory, prog_id: int) -> Key:
    program = inventory.programs[prog_id]
    return str(prog_id), program.type, program.name, ", ".join(program.attached), _names(program.owners)


def _runs(inventory: BpfInventory) -> Iterable[tuple[Key, tuple[int, ...]]]:
    for prog_id, runs in inventory.runs.items():
        yield _key(inventory, prog_id), (runs.run_cnt, runs.run_time_ns, runs.recursion_misses)


def _sizes(inventory: BpfInventory) -> Iterable[tuple[Key, tuple[int | None, ...]]]:
    for prog_id, program in inventory.programs.items():
        yield _key(inventory, prog_id), (program.insns, program.jited_bytes, program.memory_bytes)


def _names(owners: Iterable[Owner]) -> str:
    return ", ".join(map(str, owners))
