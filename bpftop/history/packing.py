"""Samples and diagnoses as small byte strings, for the ten minutes of the history."""

from __future__ import annotations

import pickle
import zlib
from array import array
from typing import Any, Generic, NamedTuple, TypeVar, cast

from bpftop.fields import frozen, replace
from bpftop.model.sample import Reading, Sample

_LEVEL = 3  # a tenth smaller than level 1 in the same time, because of the long runs of zeros
_WINDOW_BYTES = 32 << 10  # how far deflate looks back
_VALUES_PER_DICTIONARY = 100
_LEAST_PER_DICTIONARY = 10  # readings that come and go must not make a dictionary for each sample

T = TypeVar("T")


@frozen
class Packed(Generic[T]):
    """``dictionary`` is the earlier value that ``content`` refers to, one object for many packed values."""

    dictionary: bytes
    content: bytes


class Packer(Generic[T]):
    """Packs values of one kind: a sample to 2 kB with 2 CPUs, 3 kB with 16, 12 to 20 kB with 512, in 0.1 to 1 ms.

    Most bytes of a sample equal the bytes of the sample before: names, row keys, high bytes of counters. A dictionary,
    where a whole sample fits into deflate's window, saves more than half.
    """

    def __init__(self) -> None:
        self._dictionary = b""
        self._in_dictionary: T | None = None
        self._left = self._rests = 0  # values until the dictionary must, and until it may be made again
        self._last: tuple[T, Packed[T]] | None = None

    def pack_again(self, value: T) -> Packed[T]:
        """Return the packed value; of a value that equals the last one, the same object."""
        if self._last is None or self._last[0] != value:
            self._last = value, self.pack(value)
        return self._last[1]

    def pack(self, value: T) -> Packed[T]:
        """Return the packed value."""
        known = self._in_dictionary
        has_outgrown = self._rests == 0 and known is not None and self.has_outgrown(value, known)
        self._rests = _LEAST_PER_DICTIONARY if has_outgrown else max(0, self._rests - 1)
        if self._left == 0 or has_outgrown:
            window = _Window()
            _Pickler(window, 5).dump(value)
            fits = window.size <= _WINDOW_BYTES
            self._dictionary, self._in_dictionary = (b"".join(window.pieces), value) if fits else (b"", None)
            self._left = _VALUES_PER_DICTIONARY
        self._left -= 1
        packed = _Deflated(self._dictionary)
        _Pickler(packed, 5).dump(value if self._in_dictionary is None else self.reduced(value, self._in_dictionary))
        return Packed(self._dictionary, packed.content())

    def has_outgrown(self, value: T, known: T) -> bool:
        """Return True if a value has parts that the one in the dictionary lacks: it becomes the dictionary."""
        return False

    def reduced(self, value: T, known: T) -> object:
        """Return an object to pickle: the value, or a smaller one from which ``unpack`` makes it with ``known``."""
        return value


class SamplePacker(Packer[Sample]):
    """Packs samples. Of a reading with the rows that it has in the dictionary, only times and new values are packed."""

    def has_outgrown(self, value: Sample, known: Sample) -> bool:
        return not value.readings.keys() <= known.readings.keys()

    def reduced(self, value: Sample, known: Sample) -> _Reduced:
        readings = {name: _changes(reading, known.readings.get(name)) for name, reading in value.readings.items()}
        return _Reduced(replace(value, readings={}), readings)


_Changes = tuple[int, int, "array[int] | None"]
"""``read_ns``, ``cost_ns`` and ``values`` of a reading that equals a known one in all else; None: also in these."""


class _Reduced(NamedTuple):
    """A sample without its readings, and how its readings differ from the known ones."""

    sample: Sample
    readings: dict[str, Reading | _Changes]

    def restored(self, known: Sample) -> Sample:
        readings = {name: _restored(each, known.readings.get(name)) for name, each in self.readings.items()}
        return replace(self.sample, readings=readings)


def _changes(reading: Reading, known: Reading | None) -> Reading | _Changes:
    """Return what differs from the known reading: readers keep the object of a part that stays equal."""
    if (
        known is None
        or reading.keys is not known.keys
        or reading.missing is not known.missing
        or reading.epoch != known.epoch
        or reading.previous is not known.previous
        or reading.cells is not known.cells
    ):
        return reading
    return reading.read_ns, reading.cost_ns, None if reading.values is known.values else reading.values


def _restored(reading: Reading | _Changes, known: Reading | None) -> Reading:
    if isinstance(reading, Reading) or known is None:
        return cast("Reading", reading)
    read_ns, cost_ns, values = reading
    return replace(known, read_ns=read_ns, cost_ns=cost_ns, values=known.values if values is None else values)


class _Window:
    """A sink for a pickle that keeps as much as fits into deflate's window."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0

    def write(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size <= _WINDOW_BYTES:
            self.pieces.append(piece)


class _Deflated:
    """A sink that deflates a pickle in pieces: a whole one is 0.4 MB on 512 CPUs, which the allocator would keep."""

    def __init__(self, dictionary: bytes) -> None:
        self._deflate = zlib.compressobj(level=_LEVEL, zdict=dictionary)
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> None:
        self._pieces.append(self._deflate.compress(piece))

    def content(self) -> bytes:
        return b"".join((*self._pieces, self._deflate.flush()))


def _planes(values: array[int]) -> tuple[Any, tuple[str, bytes]]:
    """Reduce an array to its lowest bytes, then the next ones: the high bytes are long runs of zeros."""
    raw = values.tobytes()
    return _from_planes, (values.typecode, b"".join([raw[i :: values.itemsize] for i in range(values.itemsize)]))


def _from_planes(typecode: str, planes: bytes) -> array[int]:
    values: array[int] = array(typecode)
    size, raw = values.itemsize, bytearray(len(planes))
    cells = len(planes) // size
    for i in range(size):
        raw[i::size] = planes[i * cells : (i + 1) * cells]
    values.frombytes(raw)
    return values


class _Pickler(pickle.Pickler):
    dispatch_table = {array: _planes}  # noqa: RUF012 - the base class declares it so


def unpack(packed: Packed[T]) -> T:
    """Return the value that ``Packer.pack`` packed."""
    value: Any = pickle.loads(zlib.decompressobj(zdict=packed.dictionary).decompress(packed.content))
    return cast("T", value.restored(pickle.loads(packed.dictionary)) if isinstance(value, _Reduced) else value)
