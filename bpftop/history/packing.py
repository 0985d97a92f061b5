"""Samples and diagnoses as small byte strings, for the ten minutes of the history."""

from __future__ import annotations

import pickle
import zlib
from array import array
from typing import Any, NamedTuple

from bpftop.model.findings import Diagnosis
from bpftop.model.readings import CACHED, Reading
from bpftop.model.sample import Sample

_LEVEL = 3  # a tenth smaller than level 1 in the same time, because of the long runs of zeros
_WINDOW_BYTES = 32 << 10  # how far deflate looks back
_SAMPLES_PER_DICTIONARY = 100


class Packed(NamedTuple):
    """``dictionary`` is the earlier sample that ``content`` refers to, one object for many packed samples."""

    dictionary: bytes
    content: bytes


class Packer:
    """Packs samples: 2 kB each with 2 CPUs, 3 kB with 16, 12 to 20 kB with 512 busy CPUs; 0.2 to 1 ms each.

    Most bytes of a sample are those of the sample before: names, row keys, high bytes of counters. A dictionary, where
    a whole sample fits into deflate's window, saves more than half.
    """

    def __init__(self) -> None:
        self._dictionary = b""
        self._left = 0

    def pack(self, sample: Sample) -> Packed:
        """Drop cached attributes of the readings and pack the sample; they are recomputed on access."""
        for reading in sample.readings.values():
            _drop_cached(reading)
        return self._pack(sample)

    def pack_diagnosis(self, diagnosis: Diagnosis) -> Packed:
        """Pack a diagnosis. Needs a packer of its own: a dictionary of samples would not help."""
        return self._pack(diagnosis)

    def _pack(self, thing: Sample | Diagnosis) -> Packed:
        if self._left == 0:
            window = _Window()
            _Pickler(window, 5).dump(thing)
            self._dictionary = b"".join(window.pieces) if window.size <= _WINDOW_BYTES else b""
            self._left = _SAMPLES_PER_DICTIONARY
        self._left -= 1
        packed = _Deflated(self._dictionary)
        _Pickler(packed, 5).dump(thing)
        return Packed(self._dictionary, packed.content())


def _drop_cached(reading: Reading) -> None:
    for name in CACHED:
        reading.__dict__.pop(name, None)
    for other in (reading.previous, reading.cells):
        if other is not None:
            _drop_cached(other)


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


def unpack(packed: Packed) -> Sample:
    """Return the sample that ``Packer.pack`` packed."""
    sample: Sample = _unpacked(packed)
    return sample


def unpack_diagnosis(packed: Packed) -> Diagnosis:
    """Return the diagnosis that ``Packer.pack_diagnosis`` packed."""
    diagnosis: Diagnosis = _unpacked(packed)
    return diagnosis


def _unpacked(packed: Packed) -> Any:
    return pickle.loads(zlib.decompressobj(zdict=packed.dictionary).decompress(packed.content))
