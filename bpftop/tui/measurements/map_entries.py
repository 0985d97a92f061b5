"""The entries of a BPF map of the live machine, read again and again, with the change per second of each number."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.collect.inventory.map_contents import KEYLESS, content_bytes, read_content
from bpftop.errors import BpftopError
from bpftop.fields import frozen
from bpftop.model.bpf.inventory import KnownMap
from bpftop.model.bpf.map_contents import EntryRow, with_rates
from bpftop.render.bpf.loaded_maps import map_facts
from bpftop.tui.measurements.bpf_object_texts import current_inventory

ENTRIES_MAX = 500
BYTES_MAX = 512 << 10
"""Most bytes of values, of all CPUs, that are decoded in one reading; large values mean fewer entries."""
READ_LIMIT_S = 0.2


@frozen
class MapEntries:
    """Facts of a map as sentences, a head that says how many entries these are, and the entries."""

    facts: Sequence[str]
    head: str
    rows: Sequence[EntryRow] = ()


class MapReader:
    """Reads the entries of one map after another. The facts of a map are read once, its entries every time."""

    def __init__(self) -> None:
        self._map: KnownMap | None = None
        self._facts: tuple[str, ...] = ()
        self._before: tuple[int, list[EntryRow]] | None = None
        self._most = ENTRIES_MAX

    def __call__(self, map_id: int) -> MapEntries:
        """Return at most ENTRIES_MAX entries of a map. Raises BpftopError once it is gone, or if it is write-only."""
        which = self._map
        if which is None or which.map_id != map_id:
            which = self._look_up(map_id)
        if which.type in KEYLESS:
            return MapEntries(self._facts, f"a map of type {which.type} has no keys: its content cannot be listed")
        read = read_content(which, self._most, READ_LIMIT_S)
        rows = read.decoded()
        before, self._before = self._before, (read.read_ns, rows)
        if before is not None:
            rows = with_rates(before[1], rows, read.read_ns - before[0])
        head = "1 entry" if len(rows) == 1 else f"{len(rows)} entries"
        if not read.content.complete:
            head = f"the first {len(rows)} entries; `bpftop maps {map_id} --search TEXT` searches more"
        if read.content.unreadable:
            head += f", {read.content.unreadable} without a value that can be read"
        return MapEntries(self._facts, head, rows)

    def _look_up(self, map_id: int) -> KnownMap:
        inventory = current_inventory()
        which = inventory.maps.get(map_id)
        if which is None:
            raise BpftopError(f"the BPF map {map_id} is gone")
        self._map, self._facts, self._before = which, tuple(map_facts(which, inventory)), None
        self._most = max(1, min(ENTRIES_MAX, BYTES_MAX // max(1, content_bytes(which))))
        return which
