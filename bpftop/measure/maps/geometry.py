"""Geometry of a map under test: type, sizes and fill, with the memory it takes and the limits of the kernel."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from bpftop.errors import UsageError
from bpftop.fields import frozen
from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.measure.loops import Shape
from bpftop.kernel.return_code import KernelError

MEMORY_LIMIT_BYTES = 256 << 20


@frozen
class MapKind:
    """A map type by name. ``type`` is a number of enum bpf_map_type, ``flags`` are map_flags."""

    name: str
    type: int
    flags: int = 0


_ALL_KINDS = (
    MapKind("array", bpf_map.ARRAY),
    MapKind("percpu_array", bpf_map.PERCPU_ARRAY),
    MapKind("hash", bpf_map.HASH),
    MapKind("hash_no_prealloc", bpf_map.HASH, bpf_map.NO_PREALLOC),
    MapKind("percpu_hash", bpf_map.PERCPU_HASH),
    MapKind("lru_hash", bpf_map.LRU_HASH),
    MapKind("lru_percpu_hash", bpf_map.LRU_PERCPU_HASH),
    MapKind("lpm_trie", bpf_map.LPM_TRIE, bpf_map.NO_PREALLOC),  # without the flag the kernel refuses it
)
KINDS: Mapping[str, MapKind] = {kind.name: kind for kind in _ALL_KINDS}

TYPE_NAMES: Mapping[int, str] = {kind.type: kind.name for kind in reversed(_ALL_KINDS)}

_ENTRIES_MAX = (1 << 32) - 1
_LPM_KEY_BYTES = range(5, 4 + 256 + 1)  # struct bpf_lpm_trie_key: the prefix length, and 1 to 256 bytes
_PER_CPU_VALUE_BYTES_MAX = 32 << 10  # PCPU_MIN_UNIT_SIZE
_ARRAY_KEY_BYTES = 4
_KEY_BYTES_DEFAULT = 8

# Bytes that the kernel adds per entry (hashtab.c, lpm_trie.c): struct htab_elem, a bucket, struct lpm_trie_node.
_HASH_ENTRY_BYTES, _BUCKET_BYTES, _TRIE_NODE_BYTES = 48, 16, 40


@frozen
class Geometry(Shape):
    """A map with ``population`` of its ``entries`` in use. The other entries of an array exist, as zeros."""

    kind: str

    @property
    def per_cpu(self) -> bool:
        return self.type in bpf_map.PER_CPU

    @property
    def is_array(self) -> bool:
        return self.type in bpf_map.ARRAYS

    def value_buffer_bytes(self, possible_cpus: int) -> int:
        """Return the bytes of a value in a system call: a per-CPU map has an aligned slot for each possible CPU."""
        return _up_to_8(self.value_bytes) * possible_cpus if self.per_cpu else self.value_bytes

    def memory_bytes(self, possible_cpus: int) -> int:
        """Estimate the bytes that the kernel allocates for the map."""
        value = _up_to_8(self.value_bytes) * (possible_cpus if self.per_cpu else 1)
        if self.is_array:
            return self.entries * (value + 8 * self.per_cpu)
        if self.type == bpf_map.LPM_TRIE:
            # Nodes are made one by one, of the next larger size of kmalloc; a leaf needs one inner node at most.
            leaf = _kmalloc_bytes(_TRIE_NODE_BYTES + self.key_bytes - 4 + self.value_bytes)
            return self.population * (leaf + _kmalloc_bytes(_TRIE_NODE_BYTES + self.key_bytes - 4))
        return self._hash_bytes(self.entries, possible_cpus)

    def on_demand_bytes(self, possible_cpus: int) -> int:
        """Estimate the bytes of a hash that allocates an element for each key in use (BPF_F_NO_PREALLOC)."""
        return self._hash_bytes(self.population, possible_cpus)

    def _hash_bytes(self, elements: int, possible_cpus: int) -> int:
        value = _up_to_8(self.value_bytes) * (possible_cpus if self.per_cpu else 1)
        element = _HASH_ENTRY_BYTES + _up_to_8(self.key_bytes) + (8 + value if self.per_cpu else value)
        buckets = 1 << (self.entries - 1).bit_length()
        return buckets * _BUCKET_BYTES + elements * element


def default_key_bytes(kind: MapKind) -> int:
    """Return 4 for arrays and 8 for other types (LPM: prefix length and IPv4 address)."""
    return _ARRAY_KEY_BYTES if kind.type in bpf_map.ARRAYS else _KEY_BYTES_DEFAULT


def check(geometry: Geometry, possible_cpus: int, memory_limit_bytes: int) -> None:
    """Raise UsageError if the kernel refuses such a map or the map would be too large."""
    _check_counts(geometry)
    _check_key(geometry)
    _check_value(geometry)
    map_bytes = geometry.memory_bytes(possible_cpus)
    if map_bytes > memory_limit_bytes:
        raise UsageError(
            f"{words(geometry)} would take {mib(map_bytes)}; the limit is {mib(memory_limit_bytes)}: choose fewer "
            "entries or smaller values, or raise it with --memory-limit"
        )


def try_out(geometry: Geometry) -> None:
    """Make and free a map with one entry. Raises UsageError if the kernel refuses, KernelError without privilege."""
    try:
        bpf_map.create(geometry.type, geometry.key_bytes, geometry.value_bytes, 1, geometry.flags, "bpftop_try").close()
    except KernelError as error:
        if error.errno == errno.EPERM:
            raise
        raise UsageError(
            f"the kernel refuses a {geometry.kind} with keys of {geometry.key_bytes} and values of "
            f"{geometry.value_bytes} bytes ({error.errno_name}): choose other sizes"
        ) from error


def mib(count: int) -> str:
    """Return ``12.5 MiB``; more digits below 1 MiB."""
    return f"{count / (1 << 20):.{1 if count >= 1 << 20 else 3}f} MiB"


def words(geometry: Geometry) -> str:
    """Return ``a hash of 10000 entries, keys of 8 and values of 16 bytes``."""
    article = "an" if geometry.kind == "array" else "a"
    return (
        f"{article} {geometry.kind} of {geometry.entries} entries, keys of {geometry.key_bytes} and values of "
        f"{geometry.value_bytes} bytes"
    )


def _check_counts(geometry: Geometry) -> None:
    if not 1 <= geometry.entries <= _ENTRIES_MAX:
        raise UsageError(f"{geometry.entries} entries: a map has 1 to {_ENTRIES_MAX}")
    if not 1 <= geometry.population <= geometry.entries:
        raise UsageError(f"{geometry.population} of {geometry.entries} entries in use: choose a fill from 1 to 100 %")


def _check_key(geometry: Geometry) -> None:
    key = geometry.key_bytes
    if key < 1:
        raise UsageError(f"keys of {key} bytes: a key has at least 1")
    if geometry.is_array and key != _ARRAY_KEY_BYTES:
        raise UsageError(f"keys of {key} bytes: the key of {geometry.kind} is a number of {_ARRAY_KEY_BYTES} bytes")
    if geometry.type == bpf_map.LPM_TRIE and key not in _LPM_KEY_BYTES:
        raise UsageError(
            f"keys of {key} bytes: a key of lpm_trie has {_LPM_KEY_BYTES[0]} to {_LPM_KEY_BYTES[-1]}, 4 of them the "
            "prefix length"
        )
    different = 8 * (key - 4 if geometry.type == bpf_map.LPM_TRIE else key)
    if different < 32 and geometry.population > 1 << different:
        raise UsageError(
            f"{geometry.population} keys of {key} bytes: only {1 << different} of them differ; choose fewer entries or "
            "longer keys"
        )


def _check_value(geometry: Geometry) -> None:
    if geometry.value_bytes < 1:
        raise UsageError(f"values of {geometry.value_bytes} bytes: a value has at least 1")
    if geometry.per_cpu and _up_to_8(geometry.value_bytes) > _PER_CPU_VALUE_BYTES_MAX:
        raise UsageError(
            f"values of {geometry.value_bytes} bytes: a value of {geometry.kind} has at most {_PER_CPU_VALUE_BYTES_MAX}"
        )


def _up_to_8(count: int) -> int:
    return -(-count // 8) * 8


def _kmalloc_bytes(count: int) -> int:
    """Return the kmalloc size class of an allocation: a power of two, 96 or 192."""
    for size in (96, 192):
        if size * 2 // 3 < count <= size:
            return size
    return max(8, 1 << (count - 1).bit_length())
