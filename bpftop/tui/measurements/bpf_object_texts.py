"""The text about a BPF program of the live machine: its verifier, its profile, its instructions with source lines."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.collect.inventory.disassembly import read_disassembly
from bpftop.collect.inventory.reader import InventoryReader
from bpftop.errors import BpftopError
from bpftop.measure.programs.program_profile import profile_program
from bpftop.model.bpf.inventory import BpfInventory
from bpftop.render.bpf.disassembly import HOT, disassembly_lines, hot_maps, map_references
from bpftop.render.bpf.loaded_programs import loaded_text, verifier_text
from bpftop.render.bpf.program_profile import profile_text

PROFILE_S = 1.0
_TITLE = 13


def program_text(prog_id: int) -> Sequence[str]:
    """Return what the verifier did for a program, a profile of its runs, its maps, and its translated instructions.

    Raises BpftopError once the program is gone.
    """
    inventory = current_inventory()
    program = inventory.programs.get(prog_id)
    if program is None:
        raise BpftopError(f"the BPF program {prog_id} has been unloaded")
    code = read_disassembly(program)
    names = {each.map_id: each.name or each.type for each in inventory.maps.values()}
    references = map_references(code.instructions)
    hot = hot_maps(references)
    maps = [
        f"{HOT if map_id in hot else 'map':<{_TITLE}}{names.get(map_id, 'map')} (id {map_id}), named by {count} "
        f"instruction{'s' * (count != 1)}"
        for map_id, count in references.most_common()
    ]
    return (
        f"{'loaded':<{_TITLE}}{loaded_text(program)}, tag {program.tag}",
        f"{'pinned at':<{_TITLE}}{', '.join(program.pinned) or 'no path'}",
        f"{'uses maps':<{_TITLE}}{', '.join(names.get(each, str(each)) for each in program.map_ids) or 'none'}",
        f"{'verifier':<{_TITLE}}{verifier_text(program)}",
        f"{'functions':<{_TITLE}}{code.functions}, in {program.jited_bytes} bytes of machine code",
        f"{'PMU profile':<{_TITLE}}{_profile(prog_id)}",
        *maps,
        "",
        *disassembly_lines(code.instructions, code.source, names, hot),
    )


def _profile(prog_id: int) -> str:
    """Measure the runs of a program for a second where this machine can; else say in one sentence why not."""
    try:
        return profile_text(profile_program(prog_id, PROFILE_S))
    except BpftopError as error:
        return f"not possible: {error}"


def current_inventory() -> BpfInventory:
    """Read every program and map once, without run statistics. Raises BpftopError."""
    reader = InventoryReader(statistics=False)
    try:
        return reader.read()
    finally:
        reader.close()
