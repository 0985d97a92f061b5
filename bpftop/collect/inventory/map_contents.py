"""Contents of a map, on demand: its entries with the BTF that describes them."""

from __future__ import annotations

import time
from contextlib import suppress

from bpftop.fields import frozen
from bpftop.kernel.bpf import bpf_map, inventory
from bpftop.kernel.bpf.map_entries import MapContent, read_entries
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.return_code import KernelError
from bpftop.model.bpf.btf import BadBtf, Btf
from bpftop.model.bpf.inventory import KnownMap
from bpftop.model.bpf.map_contents import REFERENCES, EntryRow, decode_entry

KEYLESS = frozenset({"ringbuf", "user_ringbuf", "queue", "stack", "bloom_filter", "perf_event_array", "arena"})
"""Types of maps that have no keys to count."""


@frozen
class ReadContent:
    """The entries of one map; ``btf`` is None where the map has no usable BTF."""

    bpf_map: KnownMap
    content: MapContent
    btf: Btf | None
    read_ns: int

    def decoded(self) -> list[EntryRow]:
        """Return the entries in words."""
        of, reference = self.bpf_map, REFERENCES.get(self.bpf_map.type, "")
        return [
            decode_entry(each.key, each.values, self.btf, of.key_type_id, of.value_type_id, reference)
            for each in self.content.entries
        ]


def read_content(which: KnownMap, most: int, limit_s: float = 1.0) -> ReadContent:
    """Read at most ``most`` entries of a map. Raises KernelError: ENOENT once it is gone, EPERM if it is write-only."""
    with bpf_map.by_id(which.map_id) as opened:
        read_ns = time.monotonic_ns()
        content = read_entries(opened, opened.info(), most, limit_s)
    btf = None
    if which.btf_id:
        with suppress(BadBtf, KernelError):
            btf = Btf(inventory.btf_bytes(which.btf_id))
    return ReadContent(which, content, btf, read_ns)


def content_bytes(which: KnownMap) -> int:
    """Return the bytes of a key with its values of all CPUs."""
    copies = possible_cpus() if "percpu" in which.type else 1
    return which.key_bytes + copies * which.value_bytes
