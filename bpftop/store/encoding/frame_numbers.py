"""The numbers of frames: differences to the frame before, column by column, split by bytes, packed by xz."""

from __future__ import annotations

import lzma
import sys
from array import array
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from bpftop.model.families import FAMILIES
from bpftop.model.readings import Key
from bpftop.store.encoding.json_values import Mismatch

_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 1 << 18, "lc": 0, "lp": 0, "pb": 0}]
_MEMORY_MAX_BYTES = 64 << 20

MODULO = (1 << 64) - 1


class Entry(NamedTuple):
    """A reading without its numbers.

    ``second`` marks the ``previous`` of a reading. A row has ``width`` values, which are stored divided by ``step``.
    """

    name: str
    second: bool
    family: str
    epoch: int
    keys: tuple[Key, ...]
    width: int
    step: int
    missing: frozenset[int]

    @property
    def cells(self) -> int:
        return len(self.keys) * self.width

    @property
    def sums(self) -> int:
        """Number of values in the body: of the thinned family, the sums over CPUs."""
        return len(self.keys) * len(FAMILIES[self.family].columns) if self.thinned else self.cells

    @property
    def thinned(self) -> bool:
        return FAMILIES[self.family].thinned


class Numbers(NamedTuple):
    """Numbers with their entries: two times per entry (body only), then the values of all entries."""

    entries: tuple[Entry, ...]
    values: array[int]


NOTHING = Numbers((), array("Q"))


def pack(now: Numbers, before: Numbers, *, times: bool) -> bytes:
    """Return the packed differences of numbers to those before. ``times``: the numbers begin with times (body)."""
    differences = _subtract(now.values, _base(now.entries, before, times=times))
    differences = _transposed(now.entries, differences, times=times)
    if sys.byteorder == "big":
        differences.byteswap()
    raw = differences.tobytes()
    planes = b"".join(raw[i::8] for i in range(8))
    return lzma.compress(planes, check=lzma.CHECK_CRC32, filters=_FILTERS)


def unpack(content: bytes, entries: tuple[Entry, ...], before: Numbers, *, times: bool) -> Numbers:
    """Return the numbers of packed differences. Raises Mismatch, lzma.LZMAError, EOFError."""
    base = _base(entries, before, times=times)
    count = len(base)
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY_MAX_BYTES)
    planes = unpacker.decompress(content, 8 * count + 1)
    if len(planes) != 8 * count or not unpacker.eof:
        raise Mismatch(f"it has {len(planes)} bytes of numbers instead of {8 * count}")
    raw = bytearray(8 * count)
    for i in range(8):
        raw[i::8] = planes[i * count : (i + 1) * count]
    differences = array("Q", bytes(raw))
    if sys.byteorder == "big":
        differences.byteswap()
    return Numbers(entries, _add(base, _transposed(entries, differences, times=times, back=True)))


def _add(left: array[int], right: array[int]) -> array[int]:
    """Return the element-wise sum modulo 2^64.

    Each array is added as one long integer, five times as fast as a loop. The top bit of each element is handled apart
    so that no carry crosses into the next element.
    """
    (a, b), (high, low) = (_to_long(left), _to_long(right)), _bits(len(left))
    return _from_long(((a & low) + (b & low)) ^ ((a ^ b) & high), len(left))


def _subtract(left: array[int], right: array[int]) -> array[int]:
    """Return the element-wise difference modulo 2^64, with the top bits handled apart against borrows."""
    (a, b), (high, low) = (_to_long(left), _to_long(right)), _bits(len(left))
    return _from_long(((a | high) - (b & low)) ^ (~(a ^ b) & high), len(left))


def _to_long(numbers: array[int]) -> int:
    return int.from_bytes(memoryview(numbers).cast("B"), sys.byteorder)


def _from_long(long: int, count: int) -> array[int]:
    return array("Q", long.to_bytes(8 * count, sys.byteorder))


@lru_cache(maxsize=4)
def _bits(count: int) -> tuple[int, int]:
    """Return the mask of the top bits of ``count`` elements, and the mask of all other bits."""
    high = _to_long(array("Q", [1 << 63]) * count)
    return high, _to_long(array("Q", [(1 << 63) - 1]) * count)


def _transposed(entries: tuple[Entry, ...], numbers: array[int], *, times: bool, back: bool = False) -> array[int]:
    """Reorder from rows to columns, or with ``back`` from columns to rows. Cells per CPU stay in their order."""
    size, at = _size(times), 2 * len(entries) * times
    for entry in entries:
        count, columns = size(entry), len(FAMILIES[entry.family].columns)
        if columns > 1 and len(entry.keys) > 1 and count == len(entry.keys) * columns:
            part, rows = numbers[at : at + count], len(entry.keys)
            for column in range(columns):
                if back:
                    numbers[at + column : at + count : columns] = part[column * rows : (column + 1) * rows]
                else:
                    numbers[at + column * rows : at + (column + 1) * rows] = part[column::columns]
        at += count
    return numbers


def _size(times: bool) -> Callable[[Entry], int]:
    """Return the count of an entry's values in the body, or without ``times`` in the cells, as a function."""
    return (lambda entry: entry.sums) if times else (lambda entry: entry.cells)


def _base(entries: tuple[Entry, ...], before: Numbers, *, times: bool) -> array[int]:
    """Return for every number the number before, of the same reading and row key; 0 where there is none."""
    if entries == before.entries:
        return before.values
    size = _size(times)
    old: dict[tuple[str, bool, str, int, int], tuple[int, int, Entry]] = {}
    at = 2 * len(before.entries) * times
    for number, entry in enumerate(before.entries):
        old[(entry.name, entry.second, entry.family, entry.width, entry.step)] = number, at, entry
        at += size(entry)
    head, tail = array("Q"), array("Q")
    for entry in entries:
        number, at, earlier = old.get((entry.name, entry.second, entry.family, entry.width, entry.step), (-1, 0, None))
        if times:
            head.extend(before.values[2 * number : 2 * number + 2] if earlier else (0, 0))
        if earlier is None:
            tail.extend(bytes(size(entry)))
            continue
        tail.extend(_rows(entry, earlier, before.values[at : at + size(earlier)], size(entry)))
    return head + tail


def _rows(entry: Entry, earlier: Entry, values: array[int], count: int) -> array[int]:
    if entry.keys == earlier.keys:
        return values
    width = count // len(entry.keys) if entry.keys else 0
    at: Mapping[Key, int] = {key: width * row for row, key in enumerate(earlier.keys)}
    base = array("Q")
    for key in entry.keys:
        base.extend(values[at[key] : at[key] + width] if key in at else bytes(width))
    return base
