"""Cgroups of the tests: limits of processes and of CPU time that the kernel enforces."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import until


@contextmanager
def limited_by(controller: str) -> Iterator[Path]:
    """Yield a new cgroup with a controller, in a mount that only a process of this test sees.

    The machine's own mount may be absent, or read-only as in a container. A mount in the host's namespace could outlive
    this test, and who removes its folder then would remove the host's cgroups.
    """
    lines = [line.split() for line in Path("/proc/cgroups").read_text().splitlines()]
    hierarchies = {name: number for name, number, *_ in lines}
    version_1 = hierarchies[controller] != "0"
    together = ",".join(name for name, number in hierarchies.items() if number == hierarchies[controller])
    mount = f"mount -t cgroup -o {together}" if version_1 else "mount -t cgroup2"
    script = f"{mount} bpftop-test /sys/fs/cgroup; echo mounted; exec cat"
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-ec", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mounted\n"
        top = Path(f"/proc/{holder.pid}/root/sys/fs/cgroup")
        enabled = top / "cgroup.subtree_control"  # of version 2
        enables = not version_1 and controller not in enabled.read_text().split()
        if enables:
            enabled.write_text(f"+{controller}")
        folder = Path(tempfile.mkdtemp(prefix=f"bpftop-test-{controller}-", dir=top))
        try:
            yield folder
        finally:
            until(lambda: not (folder / "cgroup.procs").read_text(), "the cgroup is empty")
            folder.rmdir()
            if enables:
                enabled.write_text(f"-{controller}")
            holder.communicate()


@contextmanager
def limited_cpu(percent: int) -> Iterator[Path]:
    """Yield a new cgroup with this share of one CPU."""
    with limited_by("cpu") as folder:
        second = (folder / "cpu.max").exists()
        setting, text = ("cpu.max", f"{percent * 1000} 100000") if second else ("cpu.cfs_quota_us", str(percent * 1000))
        (folder / setting).write_text(text)
        yield folder
