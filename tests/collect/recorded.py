"""Recorded trees, and pairs of readings as snapshots."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from bpftop.collect.collector import Collector
from bpftop.collect.procfs.tree import Tree
from bpftop.model.derive import derive_snapshot
from bpftop.model.sample import Interface, Reading, Sample
from bpftop.model.snapshot import Snapshot

TREES = Path(__file__).with_name("trees")
NOBODY = 65534


def tree(name: str) -> Tree:
    return Tree(TREES / name)


@contextlib.contextmanager
def copied(name: str, *paths: str) -> Iterator[Tree]:
    """Copy files below /proc of a recorded tree to a folder where any user may read and change them."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        for path in paths:
            target = Path(folder) / "proc" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(TREES / name / "proc" / path, target)
        yield Tree(Path(folder))


def rewrite(where: Tree, path: str, text: str) -> None:
    target = where.proc / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Drop all capabilities meanwhile, so that file modes hold for root too."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Make an existing file unreadable, and drop all capabilities."""
    path.chmod(0)
    with unprivileged():
        yield


def read(collector: Collector) -> Mapping[str, Reading]:
    return collector.read([])


def moment(before: Mapping[str, Reading] | None, after: Mapping[str, Reading]) -> Snapshot:
    """Return the snapshot of two readings, by the function that makes every screen's numbers."""
    return derive_snapshot(None if before is None else _sample(0, before), _sample(1, after))


def _sample(seq: int, readings: Mapping[str, Reading]) -> Sample:
    return Sample(seq, "boot", "host", 0, seq * 10**9, 2, (0, 1), (Interface("eth0", "eth0", 2),), readings)
