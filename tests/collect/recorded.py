"""Recorded trees under test, and pairs of readings as moments."""

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
    """Files below /proc of a recorded tree, in a folder where they may be changed and anybody may enter."""
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
    """Without any capability meanwhile: file modes hold for root's tests too."""
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
    """The file is there and nobody may read it."""
    path.chmod(0)
    with unprivileged():
        yield


def read(collector: Collector) -> Mapping[str, Reading]:
    return collector.read([])


def moment(before: Mapping[str, Reading] | None, after: Mapping[str, Reading]) -> Snapshot:
    """The snapshot of two readings, through the one function that all screens get their numbers from."""
    return derive_snapshot(None if before is None else _sample(0, before), _sample(1, after))


def _sample(seq: int, readings: Mapping[str, Reading]) -> Sample:
    return Sample(seq, "boot", "host", 0, seq * 10**9, 2, (0, 1), (Interface("eth0", "eth0", 2),), readings)
