"""Cgroups of the tests: limits of processes and of CPU time that the kernel enforces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import until


@contextmanager
def limited_by(controller: str, setting: str) -> Iterator[Path]:
    """Yield a new cgroup, of version 2 or of version 1 in the folder of its controller, that has ``setting``.

    Skips the test where no such cgroup can be made.
    """
    first = Path("/sys/fs/cgroup", controller)
    folder = (first if first.is_dir() else first.parent) / f"bpftop-test-{controller}-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / setting).read_text()
    except OSError:
        if folder.is_dir():
            folder.rmdir()
        pytest.skip(f"no cgroup with a writable {setting} here")
    try:
        yield folder
    finally:
        until(lambda: not (folder / "cgroup.procs").read_text(), "the cgroup is empty")
        folder.rmdir()


@contextmanager
def limited_cpu(percent: int) -> Iterator[Path]:
    """Yield a new cgroup with this share of one CPU."""
    second = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    setting, text = ("cpu.max", f"{percent * 1000} 100000") if second else ("cpu.cfs_quota_us", str(percent * 1000))
    with limited_by("cpu", setting) as folder:
        (folder / setting).write_text(text)
        yield folder
