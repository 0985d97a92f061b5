"""Tell whether a missing file of /proc or /sys is absent from the kernel or hidden by the mounts here.

A container or a systemd unit hides files from programs that run in it: ``ProcSubset=pid`` mounts a /proc that has the
processes alone, ``InaccessiblePaths=`` and masked paths cover a folder with another file system. A file that exists but
cannot be read (EACCES, EIO) is neither; its own error says so.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from pathlib import Path

PROC, SYS = Path("/proc"), Path("/sys")
FORGET_S = 10
"""An answer holds for so long, for all files of a folder: finding it takes some 7 system calls."""


def hidden_by(path: Path) -> str | None:
    """Return what hides a file that is not there, as a phrase; None where the kernel does not have the file."""
    return _hidden_in(path.parent, int(time.monotonic() / FORGET_S))


@lru_cache(maxsize=256)
def _hidden_in(folder: Path, period: int) -> str | None:
    """Find the answer for the files of a folder; it is kept for one ``period`` of time."""
    folders = (folder, *folder.parents)
    mount = next((mount for mount in (PROC, SYS) if mount in folders), None)
    if mount is None:
        return None
    if not os.path.ismount(mount):
        return f"{mount} is not mounted"
    nearest = next(parent for parent in folders if _device(parent) is not None)
    if _device(nearest) != _device(mount):
        return f"another file system covers {nearest}"
    if mount == PROC and _device(PROC / "stat") is None:
        return "this /proc shows processes only (subset=pid)"
    return None


def _device(path: Path) -> int | None:
    """Return the number of the file system that a path is on; None where the path does not exist or is not shown."""
    try:
        return path.stat().st_dev
    except OSError:
        return None
