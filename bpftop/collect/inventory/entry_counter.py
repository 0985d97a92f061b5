"""The number of entries of BPF maps: by the kernel's own counters, or else by bounded walks over the keys."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress

from bpftop.collect.inventory.map_contents import KEYLESS
from bpftop.errors import BpftopError
from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.bpf.bpf_iterator import MapCountIterator
from bpftop.kernel.bpf.map_entries import count_entries
from bpftop.kernel.return_code import KernelError
from bpftop.model.bpf.inventory import ARRAY_TYPES, Entries, KnownMap

_ONE_LIMIT_S, _ALL_LIMIT_S = 0.05, 0.5


class EntryCounter:
    """Counts the entries of maps.

    Since Linux 6.6 the kernel has a counter for each hash map, LRU and per-CPU ones too: one walk over all maps reads
    these, exactly and at any size. It takes CAP_BPF and CAP_PERFMON. A map of another type, and each map where that
    fails, is counted by a walk over its keys, at most 50 ms for a map and half a second in all: some 45 000 keys.
    """

    def __init__(self) -> None:
        self._iterator: MapCountIterator | None = None
        with suppress(BpftopError):
            self._iterator = MapCountIterator()

    def count(self, maps: Iterable[KnownMap]) -> dict[int, Entries]:
        """Return map id -> entries of each map that has keys. A map that is gone, or may not be read, has no count."""
        counts: dict[int, Entries] = {}
        read_ns = time.monotonic_ns()
        counted = self._iterator.read() if self._iterator is not None else {}
        end_s = time.monotonic() + _ALL_LIMIT_S
        for each in maps:
            if each.map_id in counted:
                counts[each.map_id] = Entries(counted[each.map_id], True, read_ns)
            elif each.type in ARRAY_TYPES:
                counts[each.map_id] = Entries(each.max_entries, True, read_ns)
            elif each.type not in KEYLESS and time.monotonic() < end_s:
                with suppress(KernelError), bpf_map.by_id(each.map_id) as opened:
                    walk_ns = time.monotonic_ns()
                    used, complete = count_entries(opened, _ONE_LIMIT_S)
                    counts[each.map_id] = Entries(used, complete, walk_ns)
        return counts

    def close(self) -> None:
        """Unload the iterator."""
        if self._iterator is not None:
            self._iterator.close()
