"""Samples as JSON lines, ``bpftop.sample/1``, which ``bpftop replay -`` reads."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

from bpftop import __version__
from bpftop.config.untrusted_file import parse_json
from bpftop.errors import BpftopError
from bpftop.fields import field_names
from bpftop.model.cpu_lists import CPUS_MAX
from bpftop.model.families import FAMILIES
from bpftop.model.json_dump import dump_json, json_value
from bpftop.model.sample import Interface, Key, Reading, Sample
from bpftop.store.encoding.json_values import Mismatch, from_json

SCHEMA = "bpftop.sample/1"
_TOOL = {"name": "bpftop", "version": __version__}

_NUMBER_MAX = (1 << 63) - 1
_TIMES = ("seq", "wall_ns", "mono_ns")
_FIELDS = field_names(Sample)
_READING = ("read_ns", "cost_ns", "epoch")


class BadLine(BpftopError):
    """A line that is no sample. The text names the fault, and follows "because "."""


def sample_line(sample: Sample) -> str:
    """Return a sample as a line of ASCII with a newline. Its fields are the fields of ``Sample``."""
    readings = {name: _reading(reading) for name, reading in sample.readings.items()}
    parts = {**{name: getattr(sample, name) for name in _TIMES}, **header_object(sample), "readings": readings}
    return f"{dump_json({'schema': SCHEMA, 'tool': _TOOL, **{name: parts[name] for name in _FIELDS}})}\n"


def header_object(sample: Sample) -> dict[str, Any]:
    """Return the JSON object of everything in a sample but its times and readings."""
    return {name: json_value(getattr(sample, name)) for name in _FIELDS if name not in (*_TIMES, "readings")}


def header_fields(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a sample, apart from times, interfaces and readings. Raises Mismatch, KeyError."""
    cpus = from_json(int, whole["possible_cpus"], "possible_cpus")
    if not 0 < cpus <= CPUS_MAX:
        raise Mismatch(f"possible_cpus is {cpus!r:.40}")
    reasons = from_json(dict, whole["unavailable"], "unavailable")
    return {
        "boot_id": from_json(str, whole["boot_id"], "boot_id"),
        "host": from_json(str, whole["host"], "host"),
        "possible_cpus": cpus,
        "online_cpus": from_json(tuple[int, ...], whole["online_cpus"], "online_cpus"),
        "unavailable": {part: from_json(str, why, "unavailable") for part, why in reasons.items()},
        "kernel": from_json(str, whole.get("kernel", ""), "kernel"),
    }


def _reading(reading: Reading) -> dict[str, Any]:
    written = {
        "family": reading.family,
        **{name: getattr(reading, name) for name in _READING},
        "keys": reading.keys,
        "values": reading.values.tolist(),
        "missing": sorted(reading.missing),
    }
    for name, other in (("previous", reading.previous), ("cells", reading.cells)):
        if other is not None:
            written[name] = _reading(other)
    return written


class LineReader:
    """Reads lines in order. Interfaces and row keys that do not change stay the same objects, as in a live session."""

    def __init__(self) -> None:
        self._interfaces: tuple[Any, tuple[Interface, ...]] = ((), ())
        self._keys: dict[str, tuple[Any, tuple[Key, ...]]] = {}

    def read(self, line: bytes) -> Sample:
        """Return the sample of a line. Raises BadLine."""
        try:
            whole = parse_json(line)
        except ValueError as error:
            raise BadLine(f"it is no JSON: {error}") from None
        if not isinstance(whole, dict) or whole.get("schema") != SCHEMA:
            raise BadLine(f"it is no sample: its schema is not {SCHEMA}")
        try:
            return self._sample(whole)
        except Mismatch as error:
            raise BadLine(str(error)) from None
        except KeyError as error:
            raise BadLine(f"it has no {error.args[0]}") from None

    def _sample(self, whole: dict[str, Any]) -> Sample:
        header, readings = header_fields(whole), from_json(dict, whole["readings"], "readings")
        seq, wall_ns, mono_ns = (_number(whole[name], name) for name in _TIMES)
        return Sample(
            seq=seq,
            wall_ns=wall_ns,
            mono_ns=mono_ns,
            **header,
            interfaces=self._same_interfaces(whole["interfaces"]),
            readings={name: self._reading(name, read, header["possible_cpus"]) for name, read in readings.items()},
        )

    def _same_interfaces(self, given: Any) -> tuple[Interface, ...]:
        if given != self._interfaces[0]:
            self._interfaces = given, from_json(tuple[Interface, ...], given, "interfaces")
        return self._interfaces[1]

    def _reading(self, name: str, given: Any, cpus: int) -> Reading:
        given = from_json(dict, given, name)
        keys = self._same_keys(name, given["keys"])
        try:
            values = array("Q", given["values"])
        except (TypeError, OverflowError) as error:
            raise BadLine(f"{name} has a value that is no count: {error}") from None
        missing = frozenset(from_json(tuple[int, ...], given["missing"], f"{name}.missing"))
        read_ns, cost_ns, epoch = (_number(given[field], f"{name}.{field}") for field in _READING)
        previous, cells = (
            self._reading(f"{name} {field}", given[field], cpus) if given.get(field) else None
            for field in ("previous", "cells")
        )
        family = from_json(str, given["family"], name)
        reading = Reading(family, read_ns, cost_ns, epoch, keys, values, missing, previous, cells)
        return check_reading(name, reading, cpus)

    def _same_keys(self, name: str, given: Any) -> tuple[Key, ...]:
        known = self._keys.get(name)
        if known is None or known[0] != given:
            known = self._keys[name] = given, row_keys(name, given)
        return known[1]


def row_keys(name: str, given: Any) -> tuple[Key, ...]:
    """Return row keys from lists of lists. Raises Mismatch."""
    keys = tuple([tuple(from_json(list, key, name)) for key in from_json(list, given, name)])
    if any(type(label) not in (int, str) for key in keys for label in key):
        raise Mismatch(f"{name} has a row key that is neither numbers nor words")
    return keys


def check_reading(name: str, reading: Reading, cpus: int) -> Reading:
    """Return the reading if its family is known and it has the cells that its rows need. Raises Mismatch."""
    family = FAMILIES.get(reading.family)
    if family is None:
        raise Mismatch(f"{name} is of a family that this version does not know: {reading.family!r:.40}")
    if any(len(key) != len(family.labels) for key in reading.keys) or len(set(reading.keys)) != len(reading.keys):
        raise Mismatch(f"{name} has row keys that are not those of {family.name}")
    if family.number_label:
        at = family.labels.index(family.number_label)
        if any(not isinstance(number := key[at], int) or not 0 <= number < 1 << 32 for key in reading.keys):
            raise Mismatch(f"{name} has a {family.number_label} that is no number")
    cells = len(reading.keys) * len(family.columns)
    if len(reading.values) not in ((cells * cpus, cells) if family.per_cpu else (cells,)):
        raise Mismatch(f"{name} has {len(reading.values)} values for {len(reading.keys)} rows")
    if any(not 0 <= cell < len(reading.values) for cell in reading.missing):
        raise Mismatch(f"{name} misses a cell that it does not have")
    return reading


def _number(given: Any, where: str) -> int:
    """Return a number of at most 63 bits, as the clocks of a kernel have. Raises Mismatch."""
    number = from_json(int, given, where)
    if not 0 <= number <= _NUMBER_MAX:
        raise Mismatch(f"{where} is out of range")
    return number
