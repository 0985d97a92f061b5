"""Frames: a sample as three byte strings that refer to the frame before. docs/recording.md describes the format.

* ``structure``: JSON of everything in a sample that is no count and no time.
* ``body``: all counts and times. Of protocols it has the sums over CPUs.
* ``cells``: the cells per CPU of protocols.

A frame without cells has no flows either; the flows of the frame before stand for them.

Numbers are differences modulo 2^64 to the frame before, column by column, split by bytes (all lowest bytes, then all
second bytes...) and packed by xz. On a busy machine with 128 CPUs zlib needs 20 % more, and rows and bytes in their own
order need half as much again. A key frame refers to no frame before it.
"""

from __future__ import annotations

import json
import lzma
import struct
import zlib
from array import array
from collections.abc import Iterator
from math import gcd
from typing import Any, NamedTuple

from bpftop.config.untrusted_file import parse_json
from bpftop.errors import BpftopError
from bpftop.fields import replace
from bpftop.model.cpu_lists import CPUS_MAX
from bpftop.model.families import FAMILIES
from bpftop.model.readings import sum_cpus, unknown_sums
from bpftop.model.sample import Interface, Reading, Sample
from bpftop.store.encoding.frame_numbers import MODULO, NOTHING, Entry, Numbers, pack, unpack
from bpftop.store.encoding.json_values import Mismatch, from_json
from bpftop.store.encoding.sample_lines import check_reading, header_fields, header_object, row_keys

_WINDOW_BYTES = 32 << 10
_EQUAL = struct.Struct(">II")
"""Bytes at the beginning and at the end of a text that are as in the text before."""

_ZLIB = b"\x78"
"""First byte of a zlib stream; the length of a text never has it."""

_STRUCTURE_MAX_BYTES = 16 << 20
_CELLS_MAX = 1 << 21
"""Cells of a sample: 16 MiB. 4096 CPUs with 30 protocols in both directions have a quarter of that."""


_FLOWS = frozenset(name for name in FAMILIES if name.startswith("flow"))
"""Families that are left out together with the cells."""


class BadFrame(BpftopError):
    """A frame that cannot be decoded. The text completes "cannot read tick N: "."""


class Structure(NamedTuple):
    """Everything in a sample that is no count and no time: the sample without both, and its readings as entries.

    ``flows_left_out``: the sample had readings of flows, which are not among the entries.
    """

    bare: Sample
    entries: tuple[Entry, ...]
    flows_left_out: bool


class Stamp(NamedTuple):
    """Number and times of a sample, which stand beside its frame."""

    seq: int
    wall_ns: int
    mono_ns: int


_NO_TIMES = Stamp(0, 0, 0)._asdict()


class SampleFrame(NamedTuple):
    """A frame. ``structure`` is None if it equals the structure before, ``cells`` is None if the cells are left out."""

    key: bool
    structure: bytes | None
    body: bytes
    cells: bytes | None

    @property
    def size(self) -> int:
        return len(self.structure or b"") + len(self.body) + len(self.cells or b"")


class _Past:
    """State that the next frame refers to; the same in encoder and decoder."""

    def __init__(self) -> None:
        self.text = b""
        self.structure: Structure | None = None
        self.body, self.cells = NOTHING, NOTHING


class Encoder:
    """Encodes samples in order."""

    def __init__(self) -> None:
        self._past = _Past()

    def reset(self) -> None:
        """Make the next frame a key frame, as the frame before was not stored."""
        self._past = _Past()

    @property
    def key_is_due(self) -> bool:
        return self._past.structure is None

    def encode(self, sample: Sample, *, cells: bool = True) -> SampleFrame:
        """Return the frame of a sample, with cells per CPU and flows if ``cells`` is set or if it is a key frame."""
        past, key = self._past, self.key_is_due
        left_out = False
        if not (cells or key):
            kept = {name: reading for name, reading in sample.readings.items() if reading.family not in _FLOWS}
            left_out, sample = len(kept) < len(sample.readings), replace(sample, readings=kept)
        readings = list(_flattened(sample))
        structure = _structure(sample, readings, left_out)
        text = None
        if structure != past.structure:
            written = _structure_text(structure)
            text, past.text = _deflated(written, past.text), written
        past.structure = structure
        body = Numbers(structure.entries, _body_of(sample, readings))
        packed_body, past.body = pack(body, past.body, times=True), body
        packed_cells = None
        thinned = tuple(entry for entry in structure.entries if entry.thinned)
        if thinned and (cells or key):
            numbers = Numbers(thinned, _cells_of(readings))
            packed_cells, past.cells = pack(numbers, past.cells, times=False), numbers
        return SampleFrame(key, text, packed_body, packed_cells)


class Decoder:
    """Decodes frames in the order in which they were encoded, from a key frame on."""

    def __init__(self) -> None:
        self._past = _Past()
        self._with_cells: dict[str, Reading] = {}
        self._flows: dict[str, Reading] = {}

    def decode(self, stamp: Stamp, frame: SampleFrame) -> Sample:
        """Return the sample of a frame. Raises BadFrame."""
        if frame.key:
            self._past = _Past()
        past = self._past
        try:
            if frame.structure is not None:
                past.text = _inflated(frame.structure, past.text, _STRUCTURE_MAX_BYTES)
                past.structure = _structure_of(past.text, past.structure)
            if past.structure is None:
                raise BadFrame("it refers to a frame that is not there")
            past.body = unpack(frame.body, past.structure.entries, past.body, times=True)
            has_cells = frame.cells is not None
            if frame.cells is not None:
                thinned = tuple(entry for entry in past.structure.entries if entry.thinned)
                past.cells = unpack(frame.cells, thinned, past.cells, times=False)
            return self._sample(stamp, past, past.structure, has_cells)
        except (zlib.error, lzma.LZMAError, EOFError, Mismatch) as error:
            raise BadFrame(f"it is damaged: {error}") from None
        except (ValueError, TypeError, LookupError, OverflowError, ArithmeticError) as error:
            raise BadFrame(f"it is damaged: {type(error).__name__}: {str(error)[:80]}") from None

    def _sample(self, stamp: Stamp, past: _Past, structure: Structure, has_cells: bool) -> Sample:
        readings: dict[str, Reading] = {}
        position, at_cell = 2 * len(structure.entries), 0
        for number, entry in enumerate(structure.entries):
            back_ns, cost_ns = past.body.values[2 * number : 2 * number + 2]
            values = past.body.values[position : position + entry.sums]
            position += entry.sums
            thin = entry.thinned
            missing = entry.missing
            if thin and has_cells:
                values = past.cells.values[at_cell : at_cell + entry.cells]
                at_cell += entry.cells
            elif thin and entry.sums:
                missing = unknown_sums(missing, entry.cells // entry.sums)
            if entry.step != 1:
                values = array("Q", [value * entry.step & MODULO for value in values])
            read_ns = (stamp.mono_ns - back_ns) & MODULO
            read = Reading(entry.family, read_ns, cost_ns, entry.epoch, entry.keys, values, missing)
            if entry.second:
                readings[entry.name] = replace(readings[entry.name], previous=read)
            else:
                readings[entry.name] = self._with_last_cells(entry.name, read, has_cells) if thin else read
        if structure.flows_left_out:
            readings.update(self._flows)
        else:
            self._flows = {name: reading for name, reading in readings.items() if reading.family in _FLOWS}
        return replace(structure.bare, **stamp._asdict(), readings=readings)

    def _with_last_cells(self, name: str, reading: Reading, has_cells: bool) -> Reading:
        """Return a reading of sums with the last reading that had cells per CPU; a reading with cells as it is."""
        before = self._with_cells.get(name)
        if not has_cells:
            return replace(reading, cells=before)
        bare = None if before is None else replace(before, previous=None)
        self._with_cells[name] = replace(reading, previous=bare)
        return reading


def _flattened(sample: Sample) -> Iterator[tuple[str, bool, Reading]]:
    for name, reading in sample.readings.items():
        yield name, False, reading
        if reading.previous is not None:
            yield name, True, reading.previous


def _structure(sample: Sample, readings: list[tuple[str, bool, Reading]], flows_left_out: bool) -> Structure:
    return Structure(
        replace(sample, **_NO_TIMES, readings={}),
        tuple(
            Entry(name, second, r.family, r.epoch, r.keys, r.stride, _step(r), r.missing)
            for name, second, r in readings
        ),
        flows_left_out,
    )


def _step(reading: Reading) -> int:
    step = FAMILIES[reading.family].step
    return step if step == 1 or gcd(*reading.values) % step == 0 else 1


def _structure_text(structure: Structure) -> bytes:
    entries = [[*entry[:-1], sorted(entry.missing)] for entry in structure.entries]
    whole = {**header_object(structure.bare), "flows_left_out": structure.flows_left_out, "entries": entries}
    return json.dumps(whole, separators=(",", ":"), allow_nan=False).encode("ascii")


def _structure_of(text: bytes, before: Structure | None) -> Structure:
    """Return the structure of its JSON. Parts equal to ``before`` are the same objects, as in a live session."""
    try:
        whole = from_json(dict, parse_json(text), "the structure")
        header = header_fields(whole)
        interfaces = from_json(tuple[Interface, ...], whole["interfaces"], "interfaces")
        entries = [_entry(entry, header["possible_cpus"]) for entry in from_json(list, whole["entries"], "entries")]
        if sum(entry.cells for entry in entries) > _CELLS_MAX:
            raise Mismatch(f"it has more than {_CELLS_MAX} numbers")
        if before is not None and interfaces == before.bare.interfaces:
            interfaces = before.bare.interfaces
        known = {} if before is None else {entry: entry for entry in before.entries}
        bare = Sample(**_NO_TIMES, **header, interfaces=interfaces, readings={})
        left_out = from_json(bool, whole.get("flows_left_out", False), "flows_left_out")
        return Structure(bare, tuple(known.get(entry, entry) for entry in entries), left_out)
    except (ValueError, KeyError) as error:
        raise Mismatch(f"its structure is not understood: {error!r}") from None


def _entry(given: Any, cpus: int) -> Entry:
    name, second, family, epoch, keys, width, step, missing = from_json(list, given, "an entry")
    entry = Entry(
        from_json(str, name, "a name"), from_json(bool, second, "second"), from_json(str, family, "a family"),
        from_json(int, epoch, "an epoch"), row_keys(name, keys), from_json(int, width, "a width"),
        from_json(int, step, "a step"), frozenset(from_json(tuple[int, ...], missing, "missing")),
    )  # fmt: skip
    if not 0 <= width <= CPUS_MAX * 64 or entry.cells > _CELLS_MAX:
        raise Mismatch(f"{name} has {width} values in a row")
    values = array("Q", bytes(8 * entry.cells))
    check_reading(name, Reading(family, 0, 0, epoch, entry.keys, values, entry.missing), cpus)
    return entry


def _body_of(sample: Sample, readings: list[tuple[str, bool, Reading]]) -> array[int]:
    numbers = array("Q")
    for _, _, reading in readings:
        numbers.append((sample.mono_ns - reading.read_ns) & MODULO)
        numbers.append(reading.cost_ns & MODULO)
    for _, _, reading in readings:
        step = _step(reading)
        values = wrapped_sums(reading) if FAMILIES[reading.family].thinned else reading.values
        numbers.extend(values if step == 1 else array("Q", [value // step for value in values]))
    return numbers


def wrapped_sums(reading: Reading) -> array[int]:
    """Return the sums over CPUs modulo 2^64; 0 for unknown sums, which ``Entry.missing`` lists."""
    return array("Q", [(cell or 0) & MODULO for cell in sum_cpus(reading)])


def _cells_of(readings: list[tuple[str, bool, Reading]]) -> array[int]:
    numbers = array("Q")
    for _, _, reading in readings:
        if FAMILIES[reading.family].thinned:
            numbers.extend(reading.values)
    return numbers


def _deflated(text: bytes, before: bytes) -> bytes:
    """Return the changed part of a text, deflated; the text before a new flow may be beyond the window of deflate."""
    head = _equal_bytes(text, before)
    tail = _equal_bytes(text[head:][::-1], before[head:][::-1])
    changed, known = text[head : len(text) - tail], before[head : len(before) - tail]
    deflate = zlib.compressobj(level=6, zdict=known[-_WINDOW_BYTES:])
    return _EQUAL.pack(head, tail) + deflate.compress(changed) + deflate.flush()


def _inflated(packed: bytes, before: bytes, limit: int) -> bytes:
    if packed[:1] == _ZLIB:  # version 1 of the file: the whole text
        head, tail, stream = 0, 0, packed
    else:
        (head, tail), stream = _EQUAL.unpack_from(packed), packed[_EQUAL.size :]
    if head + tail > len(before):
        raise Mismatch("it refers to more than there is")
    known = before[head : len(before) - tail][-_WINDOW_BYTES:]
    inflate = zlib.decompressobj(zdict=known) if known else zlib.decompressobj()
    changed = inflate.decompress(stream, limit + 1)
    if head + len(changed) + tail > limit or not inflate.eof:
        raise Mismatch("it is cut short or too long")
    return before[:head] + changed + before[len(before) - tail :]


def _equal_bytes(one: bytes, other: bytes) -> int:
    """Return how many bytes at the beginning of both are equal, by halving: a loop over bytes takes milliseconds."""
    equal, most = 0, min(len(one), len(other))
    while equal < most:
        middle = (equal + most + 1) // 2
        if one[equal:middle] == other[equal:middle]:
            equal = middle
        else:
            most = middle - 1
    return equal
