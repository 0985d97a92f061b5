"""The mounts of this machine by their type."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_OCTAL = re.compile(r"\\([0-7]{3})")
"""White space and backslashes in a path (fs/proc_namespace.c: mangle)."""


class MountPoint(NamedTuple):
    """A mount, and the root folder by which this process reaches the mount; empty if it needs none."""

    folder: str
    root: str = ""

    @property
    def path(self) -> str:
        return self.root + self.folder


def mount_points(kind: str) -> list[MountPoint]:
    """Return the mounts of file systems of this kind; none where /proc does not tell.

    Where this process has no such mount, these are the mounts of the nearest ancestor that has some: `ip netns exec`
    mounts a new /sys over /sys/fs/bpf and /sys/fs/cgroup. Looking into an ancestor takes CAP_SYS_PTRACE.
    """
    own = [MountPoint(folder) for folder in _folders("/proc/self/mounts", kind)]
    if own:
        return own
    for pid in _ancestors():
        root = f"/proc/{pid}/root"
        found = [MountPoint(folder, root) for folder in _folders(f"/proc/{pid}/mounts", kind)]
        if any(os.access(mount.path, os.R_OK | os.X_OK) for mount in found):
            return found
    return []


def _ancestors() -> Iterator[int]:
    pid = os.getppid()
    while pid:
        yield pid
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except OSError:  # it ended
            return


def _folders(table: str, kind: str) -> list[str]:
    try:
        lines = Path(table).read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
    mounts = (fields[1] for line in lines if len(fields := line.split(" ")) > 2 and fields[2] == kind)
    return [_OCTAL.sub(lambda octal: chr(int(octal[1], 8)), mount) for mount in mounts]
