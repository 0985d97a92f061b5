"""Samples and diagnoses as small byte strings, for the ten minutes that can be scrolled back."""

from __future__ import annotations

import pickle
import zlib
from typing import Any, NamedTuple

from bpftop.model.findings import Diagnosis
from bpftop.model.sample import Sample

_WINDOW_BYTES = 32 << 10  # how far deflate looks back
_DICTIONARY_FOR = 100
"""Samples that are packed against the same earlier one."""


class Packed(NamedTuple):
    """``dictionary`` is the earlier sample that ``content`` refers to; many share the same object."""

    dictionary: bytes
    content: bytes


class Packer:
    """2 kB per sample with 2 CPUs, 3 kB with 16, 19 kB with 512 that are mostly idle; 0.3 to 0.7 ms each.

    Most of a sample is as it was in the one before: names, row keys, high bytes of counters. Where a sample is small
    enough to be looked back on as a whole, that saves a third.
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
        plain = pickle.dumps(thing, 5)
        if self._left == 0 or len(plain) > _WINDOW_BYTES:
            self._dictionary = plain if len(plain) <= _WINDOW_BYTES else b""
            self._left = _DICTIONARY_FOR
        self._left -= 1
        deflate = zlib.compressobj(level=1, zdict=self._dictionary)
        return Packed(self._dictionary, deflate.compress(plain) + deflate.flush())


def unpack(packed: Packed) -> Sample:
    sample: Sample = _unpacked(packed)
    return sample


def unpack_diagnosis(packed: Packed) -> Diagnosis:
    diagnosis: Diagnosis = _unpacked(packed)
    return diagnosis


def _unpacked(packed: Packed) -> Any:
    return pickle.loads(zlib.decompressobj(zdict=packed.dictionary).decompress(packed.content))
