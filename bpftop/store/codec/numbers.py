"""The numbers of frames: differences to those of the frame before, column by column, split by bytes, packed by xz."""

from __future__ import annotations

import lzma
import sys
from array import array
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from bpftop.model.families import FAMILIES
from bpftop.model.sample import Key, Reading
from bpftop.store.codec.json_codec import Mismatch

THINNED = "protocols"
"""The family whose cells per CPU need not be in every frame."""

_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 1 << 18, "lc": 0, "lp": 0, "pb": 0}]
_MEMORY_MAX_BYTES = 64 << 20

MODULO = (1 << 64) - 1


class Entry(NamedTuple):
    """One reading without its numbers. ``second`` is its ``previous``, ``width`` how many values a row has; they were
    divided by ``step``."""

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
        """Values in the body: in the family that is thinned those of all CPUs together."""
        return self.cells if self.family != THINNED else len(self.keys) * len(FAMILIES[self.family].columns)


class Numbers(NamedTuple):
    """Numbers and what they are of: per entry two times (body only) and then its values."""

    entries: tuple[Entry, ...]
    values: array[int]


NOTHING = Numbers((), array("Q"))


def sums(reading: Reading) -> array[int]:
    """Row by row a value per column, all CPUs together. Not ``Reading.totals``: that would be kept with the reading,
    which other threads hold too."""
    cells = len(reading.keys) * len(FAMILIES[reading.family].columns)
    cpus = len(reading.values) // cells if cells else 1
    if cpus == 1:
        return reading.values
    view = memoryview(reading.values)
    return array("Q", [sum(view[at : at + cpus]) & MODULO for at in range(0, len(view), cpus)])


def missing_sums(missing: frozenset[int], cpus: int) -> frozenset[int]:
    """Which of the ``sums`` are not known, as in ``Reading.totals``: those of which no CPU could be read."""
    wholly = {cell // cpus for cell in missing}
    return frozenset(one for one in wholly if missing.issuperset(range(one * cpus, (one + 1) * cpus)))


def packed(now: Numbers, before: Numbers, *, times: bool) -> bytes:
    moved = _minus(now.values, _base(now.entries, before, times=times))
    moved = _turned(now.entries, moved, times=times)
    if sys.byteorder == "big":
        moved.byteswap()
    raw = moved.tobytes()
    planes = b"".join(raw[i::8] for i in range(8))
    return lzma.compress(planes, check=lzma.CHECK_CRC32, filters=_FILTERS)


def unpacked(content: bytes, entries: tuple[Entry, ...], before: Numbers, *, times: bool) -> Numbers:
    base = _base(entries, before, times=times)
    count = len(base)
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY_MAX_BYTES)
    planes = unpacker.decompress(content, 8 * count + 1)
    if len(planes) != 8 * count or not unpacker.eof:
        raise Mismatch(f"it has {len(planes)} bytes of numbers instead of {8 * count}")
    raw = bytearray(8 * count)
    for i in range(8):
        raw[i::8] = planes[i * count : (i + 1) * count]
    moved = array("Q", bytes(raw))
    if sys.byteorder == "big":
        moved.byteswap()
    return Numbers(entries, _plus(base, _turned(entries, moved, times=times, back=True)))


def _plus(one: array[int], other: array[int]) -> array[int]:
    """Number by number, modulo 2^64. As one long integer each, which is five times as fast as one by one: the highest
    bit of a number is added apart from the others, so that nothing is carried into its neighbour."""
    (a, b), (high, low) = (_long(one), _long(other)), _bits(len(one))
    return _short(((a & low) + (b & low)) ^ ((a ^ b) & high), len(one))


def _minus(one: array[int], other: array[int]) -> array[int]:
    """The same the other way round: the highest bit lends to the lower ones."""
    (a, b), (high, low) = (_long(one), _long(other)), _bits(len(one))
    return _short(((a | high) - (b & low)) ^ (~(a ^ b) & high), len(one))


def _long(numbers: array[int]) -> int:
    return int.from_bytes(memoryview(numbers).cast("B"), sys.byteorder)


def _short(long: int, count: int) -> array[int]:
    return array("Q", long.to_bytes(8 * count, sys.byteorder))


@lru_cache(maxsize=4)
def _bits(count: int) -> tuple[int, int]:
    """The highest bit of so many numbers, and all others."""
    high = _long(array("Q", [1 << 63]) * count)
    return high, _long(array("Q", [(1 << 63) - 1]) * count)


def _turned(entries: tuple[Entry, ...], numbers: array[int], *, times: bool, back: bool = False) -> array[int]:
    """Column by column instead of row by row, but for what has a column per CPU already; ``back``: the reverse."""
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
    """How many values an entry has, in the body (which has times too) or in the cells."""
    return (lambda entry: entry.sums) if times else (lambda entry: entry.cells)


def _base(entries: tuple[Entry, ...], before: Numbers, *, times: bool) -> array[int]:
    """For every number the one before: of the same reading, and of the row with the same key; 0 where there is none."""
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
