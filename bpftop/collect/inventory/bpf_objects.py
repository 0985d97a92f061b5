"""The BPF programs and maps of the machine as readings of a sample, for recordings, checks and metrics."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.collect.inventory.entry_counter import EntryCounter
from bpftop.collect.inventory.reader import InventoryReader
from bpftop.errors import BpftopError
from bpftop.fields import replace
from bpftop.model.bpf.family_rows import inventory_rows
from bpftop.model.sample import Interface, Reading

_FAMILIES = ("bpf_programs", "bpf_program_sizes", "bpf_maps", "bpf_maps_in_part", "bpf_statistics")


class BpfObjects:
    """A collector of the families of BPF objects. ``statistics``: keep the kernel's run statistics on meanwhile."""

    name = "bpf_objects"

    def __init__(self, *, statistics: bool) -> None:
        self._statistics = statistics
        self._reader: InventoryReader | None = None
        self._counter: EntryCounter | None = None
        self._builders = {family: ReadingBuilder(family) for family in _FAMILIES}

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        begin_ns = time.monotonic_ns()
        try:
            if self._reader is None:
                self._reader = InventoryReader(statistics=self._statistics)
            if self._counter is None:
                self._counter = EntryCounter()
            inventory = self._reader.read()
            entries = self._counter.count(inventory.maps.values())
        except BpftopError as error:
            raise Unavailable(f"BPF programs and maps: {error}") from error
        cost_ns = time.monotonic_ns() - begin_ns
        rows = inventory_rows(replace(inventory, entries=entries))
        return {
            family: builder.reading(rows[family], inventory.read_ns, cost_ns if family == "bpf_programs" else 0)
            for family, builder in self._builders.items()
        }

    def close(self) -> None:
        for opened in (self._reader, self._counter):
            if opened is not None:
                opened.close()
