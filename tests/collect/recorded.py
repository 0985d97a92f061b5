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
from bpftop.model.sample import Reading
from bpftop.model.snapshot import Snapshot
from tests.samples import sample

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
    """Return the snapshot of two readings, through the one function that all screens get their numbers from."""
    first = None if before is None else sample(0, cpus=2, readings=before)
    return derive_snapshot(first, sample(1, seq=1, cpus=2, readings=after))
