"""The mounts of this machine by their type."""

from __future__ import annotations

import re
from pathlib import Path

_OCTAL = re.compile(r"\\([0-7]{3})")
"""White space and backslashes in a path (fs/proc_namespace.c: mangle)."""


def mount_points(kind: str) -> list[str]:
    """Return the folders at which file systems of this kind are mounted; none where /proc does not tell."""
    try:
        lines = Path("/proc/self/mounts").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
    mounts = (fields[1] for line in lines if len(fields := line.split(" ")) > 2 and fields[2] == kind)
    return [_OCTAL.sub(lambda octal: chr(int(octal[1], 8)), mount) for mount in mounts]
