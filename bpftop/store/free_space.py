"""The space that is left on the file system of a recording."""

from __future__ import annotations

import os

from bpftop.fields import frozen
from bpftop.model.units import si

LOW_BYTES = 256 << 20
"""Free space below which a person is warned: six hours, for a day of recording takes up to 1 GiB."""


@frozen
class FreeSpace:
    """Free bytes for this user, and the mount point and type of the file system."""

    free_bytes: int
    mount: str
    kind: str

    @property
    def is_low(self) -> bool:
        return self.free_bytes < LOW_BYTES

    def __str__(self) -> str:
        """Return ``12.1 GB free on /var (ext4)``."""
        return f"{si(self.free_bytes, 'B')} free on {self.mount} ({self.kind})"


def free_space(path: str) -> FreeSpace | None:
    """Return the space that is left for a file; None where its folder or the mounts cannot be read."""
    import psutil  # late: 1 MiB and 16 ms, which only a recording needs

    folder = os.path.dirname(os.path.realpath(path))
    try:
        free_bytes = psutil.disk_usage(folder).free
        mounts = psutil.disk_partitions(all=True)
    except OSError:
        return None
    around = [each for each in mounts if os.path.commonpath((each.mountpoint, folder)) == each.mountpoint]
    if not around:  # a file system of another mount namespace
        return None
    deepest = max(reversed(around), key=lambda each: len(each.mountpoint))  # the last mount hides the others there
    return FreeSpace(free_bytes, deepest.mountpoint, deepest.fstype)
