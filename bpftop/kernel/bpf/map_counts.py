"""The number of entries of all hash maps of the machine, by a BPF iterator that reads the kernel's own counters."""

from __future__ import annotations

from bpftop.kernel._libbpf import ffi
from bpftop.kernel.bpf.bpf_iterator import BpfIterator


class MapCountIterator:
    """The loaded iterator. Raises KernelError as ``BpfIterator`` does: ENOENT, ESRCH, EINVAL before Linux 6.6."""

    def __init__(self) -> None:
        self._iterator = BpfIterator("map_counts", "write_count")

    def read(self) -> dict[int, int]:
        """Return map id -> entries of every map that the kernel has a counter for. Raises KernelError."""
        content = self._iterator.read()
        records = ffi.from_buffer("struct map_count[]", content) if content else ()
        return {each.id: each.entries for each in records}

    def close(self) -> None:
        """Unload the iterator."""
        self._iterator.close()
