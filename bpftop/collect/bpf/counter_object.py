"""The object file of the counting programs: to load it needs few imports, and the kernel verifies it for 18 ms."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING

from bpftop.kernel.bpf.object import BpfObject

if TYPE_CHECKING:
    from bpftop.hooks.attach_facts import LinkLayer
    from bpftop.hooks.steps import ProgramName
    from bpftop.model.sample import Direction


@cache
def counter_constants(direction: Direction, link_layer: LinkLayer) -> Mapping[str, int]:
    """Return the constants of a counting program: one object for 300 interfaces."""
    return {"count_tx": int(direction == "tx"), "link_is_ip": int(link_layer == "ip")}


def counter_object(program: ProgramName, direction: Direction, link_layer: LinkLayer) -> BpfObject:
    """Load a counting program with its own maps. Raises KernelError."""
    return shrunk(BpfObject("counter", program, counter_constants(direction, link_layer)), ("counters",))


def shrunk(loaded: BpfObject, maps: Collection[str]) -> BpfObject:
    """Return the object without libbpf's copy of its file. Raises KernelError."""
    try:
        loaded.shrink(maps)
    except BaseException:
        loaded.close()
        raise
    return loaded
