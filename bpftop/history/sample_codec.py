"""Samples and diagnoses as small byte strings, for the ten minutes that can be scrolled back."""

from __future__ import annotations

import pickle
import zlib
from array import array
from typing import Any, NamedTuple

from bpftop.model.findings import Diagnosis
from bpftop.model.sample import Sample

_LEVEL = 3  # a tenth smaller than level 1 in the same time: there are long runs to find
_WINDOW_BYTES = 32 << 10  # how far deflate looks back
_DICTIONARY_FOR = 100
"""Samples that are packed against the same earlier one."""


class Packed(NamedTuple):
    """``dictionary`` is the earlier sample that ``content`` refers to; many share the same object."""

    dictionary: bytes
    content: bytes


class Packer:
    """2 kB per sample with 2 CPUs, 3 kB with 16, 12 to 20 kB with 512 of which every one counts; 0.2 to 1 ms each.

    Most of a sample is as it was in the one before: names, row keys, high bytes of counters. Where a sample is small
    enough to be looked back on as a whole, that saves more than half.
    """

    def __init__(self) -> None:
        self._dictionary = b""
        self._left = 0

    def pack(self, sample: Sample) -> Packed:
        """What readings derive of themselves is left out; it is worked out again when it is asked for."""
        for reading in sample.readings.values():
            for derived in ("totals", "cpu_totals"):
                reading.__dict__.pop(derived, None)
        return self._pack(sample)

    def pack_diagnosis(self, diagnosis: Diagnosis) -> Packed:
        """Takes a packer of its own, as it refers to the one before."""
        return self._pack(diagnosis)

    def _pack(self, thing: Sample | Diagnosis) -> Packed:
        if self._left == 0:
            plain = _Plain()
            _Pickler(plain, 5).dump(thing)
            self._dictionary = b"".join(plain.pieces) if plain.size <= _WINDOW_BYTES else b""
            self._left = _DICTIONARY_FOR
        self._left -= 1
        packed = _Deflated(self._dictionary)
        _Pickler(packed, 5).dump(thing)
        return Packed(self._dictionary, packed.content())


class _Plain:
    """What a pickle is written to, as far as it fits into the window."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0

    def write(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size <= _WINDOW_BYTES:
            self.pieces.append(piece)


class _Deflated:
    """What a pickle is written to and packed piece by piece: never the whole of it in one place, which on many CPUs is
    0.4 MB that the allocator keeps."""

    def __init__(self, dictionary: bytes) -> None:
        self._deflate = zlib.compressobj(level=_LEVEL, zdict=dictionary)
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> None:
        self._pieces.append(self._deflate.compress(piece))

    def content(self) -> bytes:
        return b"".join((*self._pieces, self._deflate.flush()))


def _planes(values: array[int]) -> tuple[Any, tuple[str, bytes]]:
    """The lowest bytes of all cells, then the next ones: in the high ones hardly anything but zeros, in long runs."""
    plain = values.tobytes()
    return _from_planes, (values.typecode, b"".join([plain[i :: values.itemsize] for i in range(values.itemsize)]))


def _from_planes(typecode: str, planes: bytes) -> array[int]:
    values: array[int] = array(typecode)
    size, plain = values.itemsize, bytearray(len(planes))
    cells = len(planes) // size
    for i in range(size):
        plain[i::size] = planes[i * cells : (i + 1) * cells]
    values.frombytes(plain)
    return values


class _Pickler(pickle.Pickler):
    dispatch_table = {array: _planes}  # noqa: RUF012 - as the base class has it


def unpack(packed: Packed) -> Sample:
    sample: Sample = _unpacked(packed)
    return sample


def unpack_diagnosis(packed: Packed) -> Diagnosis:
    diagnosis: Diagnosis = _unpacked(packed)
    return diagnosis


def _unpacked(packed: Packed) -> Any:
    return pickle.loads(zlib.decompressobj(zdict=packed.dictionary).decompress(packed.content))
