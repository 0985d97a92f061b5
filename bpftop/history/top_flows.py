"""The busiest flows of a sample, for a recording: the others would be most of its size."""

from __future__ import annotations

from array import array
from collections.abc import Collection

from bpftop.fields import replace
from bpftop.model.families import ANYBODY, FAMILIES, FLOW_LABELS
from bpftop.model.readings import Key, Reading
from bpftop.model.sample import Sample

_BY_FLOW = ("flows", "flow_ages", "flow_sockets", "flow_retransmits")
_SADDR, _SPORT = 2, 4
_GROUP = 2
_BYTES = 1


def with_top_flows(sample: Sample, most: int) -> Sample:
    """Return the sample with the ``most`` flows of each interface and direction that grew by most bytes.

    Of each kind of group as many members are kept.
    """
    readings = dict(sample.readings)
    for name, reading in sample.readings.items():
        if reading.family == "flows":
            chosen = frozenset(_busiest(reading, range(len(reading.keys)), most))
            for family in _BY_FLOW:
                other = name.replace("flows", family, 1)
                if other in readings:
                    readings[other] = _trimmed(readings[other], chosen | _from_anybody(readings[other]))
        elif reading.family == "flow_groups":
            kinds: dict[object, list[int]] = {}
            for row, key in enumerate(reading.keys):
                kinds.setdefault(key[_GROUP], []).append(row)
            rows = {key for rows in kinds.values() for key in _busiest(reading, rows, most)}
            readings[name] = _trimmed(reading, rows, labels=len(FAMILIES["flow_groups"].labels))
            if (sources := name.replace("flow_groups", "flow_sources", 1)) in readings:
                ports = {(*key[:_GROUP], key[_GROUP + 1]) for key in rows if key[_GROUP] == "destination_port"}
                readings[sources] = _trimmed(readings[sources], ports, labels=len(FAMILIES["flow_sources"].labels))
    return replace(sample, readings=readings)


def _from_anybody(reading: Reading) -> frozenset[Key]:
    """Return the flows without a remote end: a finding names the process that listens at a flooded port by them."""
    return frozenset(key[:FLOW_LABELS] for key in reading.keys if key[_SADDR] in ANYBODY and not key[_SPORT])


def _busiest(reading: Reading, rows: Collection[int], most: int) -> list[Key]:
    """Return the keys of the rows with the most bytes since the reading before."""
    before = reading.previous
    width = len(FAMILIES[reading.family].columns)
    earlier = {} if before is None else dict(zip(before.keys, before.values[_BYTES::width], strict=True))

    def gain(row: int) -> int:
        return reading.values[row * width + _BYTES] - earlier.get(reading.keys[row], 0)

    return [reading.keys[row] for row in sorted(rows, key=gain, reverse=True)[:most]]


def _trimmed(reading: Reading, chosen: Collection[Key], labels: int = FLOW_LABELS) -> Reading:
    """Keep the rows, also of the reading before, whose keys begin with one of the ``chosen``; the order stays."""
    width = len(FAMILIES[reading.family].columns)
    rows = [row for row, key in enumerate(reading.keys) if key[:labels] in chosen]
    cells = [row * width + column for row in rows for column in range(width)]
    missing = frozenset(at for at, cell in enumerate(cells) if cell in reading.missing)
    return replace(
        reading,
        keys=tuple(reading.keys[row] for row in rows),
        values=array("Q", [reading.values[cell] for cell in cells]),
        missing=missing,
        previous=None if reading.previous is None else _trimmed(reading.previous, chosen, labels),
    )
