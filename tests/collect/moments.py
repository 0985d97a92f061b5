"""Readings of a collector as a screen gets them: two samples, paired by ``derive.snapshot``."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bpftop.collect.collector import Collector
from bpftop.model.derive import derive_snapshot
from bpftop.model.readings import RatedReading
from bpftop.model.sample import Interface, Reading, Sample, reading_key
from tests import samples

TREES = Path(__file__).parent / "trees"
ETH0 = samples.ETH0


def copy_of(tree: str, into: Path) -> Path:
    """Return a copy of a recorded tree, which a test may change."""
    return Path(shutil.copytree(TREES / tree, into / tree, symlinks=True))


def sample(readings: Mapping[str, Reading], interfaces: Sequence[Interface] = ()) -> Sample:
    at_ns = max((reading.read_ns for reading in readings.values()), default=0)
    return samples.sample(at_ns / 1e9, interfaces=interfaces, online_cpus=(0, 1), readings=readings)


def signal(
    before: Mapping[str, Reading] | None, after: Mapping[str, Reading], family: str, *where: str
) -> RatedReading:
    """Return the reading of a family after two samples, as a pane gets it."""
    reading = derive_snapshot(None if before is None else sample(before), sample(after)).reading(family, *where)
    assert reading is not None
    return reading


def reading_of(collector: Collector, family: str, *interfaces: Interface) -> Reading:
    """Return the reading of a family: of the first interface, or without a label where there is none."""
    where = [interfaces[0].label] if interfaces else []
    return collector.read(interfaces)[reading_key(family, *where)]
