"""Texts about a BPF program or map of the live machine: instructions with source lines, and entries."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.collect.inventory.contents import read_content
from bpftop.collect.inventory.disassembly import read_disassembly
from bpftop.collect.inventory.reader import InventoryReader
from bpftop.errors import BpftopError
from bpftop.model.bpf_inventory import BpfInventory
from bpftop.model.map_contents import decode_entry, text_of
from bpftop.render.bpf.disassembly import disassembly_lines

ENTRIES_MAX = 500


def program_text(prog_id: int) -> Sequence[str]:
    """Return the translated instructions of a program. Raises BpftopError once it is gone."""
    inventory = _inventory()
    program = inventory.programs.get(prog_id)
    if program is None:
        raise BpftopError(f"the BPF program {prog_id} has been unloaded")
    code = read_disassembly(program)
    names = {each.map_id: each.name or str(each.map_id) for each in inventory.maps.values()}
    return tuple(disassembly_lines(code.instructions, code.source, names))


def map_text(map_id: int) -> Sequence[str]:
    """Return the entries of a map, the first line says how many. Raises BpftopError once it is gone."""
    which = _inventory().maps.get(map_id)
    if which is None:
        raise BpftopError(f"the BPF map {map_id} is gone")
    content = read_content(which, ENTRIES_MAX)
    entries = content.content.entries
    more = "" if content.content.complete else f", the first {ENTRIES_MAX}; `bpftop maps {map_id}` has more"
    rows = (decode_entry(e.key, e.values, content.btf, which.key_type_id, which.value_type_id) for e in entries)
    return (f"{len(entries)} entries{more}", *(f"{text_of(row.key)}  ->  {text_of(row.value)}" for row in rows))


def _inventory() -> BpfInventory:
    reader = InventoryReader(statistics=False)
    try:
        return reader.read()
    finally:
        reader.close()
