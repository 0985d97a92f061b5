"""The BPF programs and maps as rows of the families in ``families.py``: for samples and for metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bpftop.model.bpf.inventory import BpfInventory, Owner
from bpftop.model.readings import Cells, Key


def inventory_rows(inventory: BpfInventory) -> dict[str, dict[Key, Cells]]:
    """Return family -> row key -> a value per column. Maps whose entries were not all counted have None there."""
    keys = {prog_id: _program_key(inventory, prog_id) for prog_id in inventory.programs}
    programs, runs, entries = inventory.programs, inventory.runs, inventory.entries
    return {
        "bpf_programs": {
            keys[prog_id]: (each.run_cnt, each.run_time_ns, each.recursion_misses) for prog_id, each in runs.items()
        },
        "bpf_program_sizes": {
            keys[prog_id]: (each.insns, each.jited_bytes, each.memory_bytes) for prog_id, each in programs.items()
        },
        "bpf_maps": {
            (str(map_id), each.type, each.name, _names(each.owners)): (
                entries[map_id].used if map_id in entries and entries[map_id].complete else None,
                each.max_entries,
                each.memory_bytes,
            )
            for map_id, each in inventory.maps.items()
        },
        "bpf_maps_in_part": {
            (str(map_id),): (each.used,)
            for map_id, each in entries.items()
            if map_id in inventory.maps and not each.complete
        },
        "bpf_statistics": {(): (int(inventory.stats_since_ns is not None), int(inventory.clock_ns * 1000))},
    }


def rows_of_ids(rows: Mapping[str, Mapping[Key, Cells]], ids: Iterable[int]) -> dict[str, dict[Key, Cells]]:
    """Return the rows of the programs, or maps, with these ids alone."""
    wanted = {str(each) for each in ids}
    return {
        family: {key: cells for key, cells in of_family.items() if key[:1] and key[0] in wanted}
        for family, of_family in rows.items()
    }


def _program_key(inventory: BpfInventory, prog_id: int) -> Key:
    program = inventory.programs[prog_id]
    return str(prog_id), program.type, program.name, ", ".join(program.attached), _names(program.owners)


def _names(owners: Iterable[Owner]) -> str:
    return ", ".join(map(str, owners))
