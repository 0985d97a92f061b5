"""Pinned BPF objects: the paths below the mounts of bpffs."""

from __future__ import annotations

import os
from collections.abc import Iterator

from bpftop.collect.inventory.mounts import mount_points
from bpftop.kernel.bpf.inventory import Pinned, pinned_object

PINS_MAX = 10_000


class Pins:
    """The pins of the machine. A pin is opened once: its inode number stands for the object."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], Pinned | None] = {}

    def read(self) -> dict[tuple[str, int], list[str]]:
        """Return (``program`` or ``map`` or ``link``, id) -> paths. Unreadable folders are left out."""
        known, paths = dict[tuple[str, int], Pinned | None](), dict[tuple[str, int], list[str]]()
        for root, path, inode in self._walk():
            key = (path, inode)
            known[key] = pinned = self._known[key] if key in self._known else pinned_object(root + path)
            if pinned is not None:
                paths.setdefault((pinned.kind, pinned.object_id), []).append(path)
        self._known = known
        return paths

    def _walk(self) -> Iterator[tuple[str, str, int]]:
        """Yield root, path below it, and inode number of each file."""
        left = PINS_MAX
        for mount in sorted(set(mount_points("bpf"))):
            for folder, _, files in os.walk(mount.path):
                for name in files:
                    left -= 1
                    if left < 0:
                        return
                    path = os.path.join(folder, name)
                    try:
                        yield mount.root, path.removeprefix(mount.root), os.lstat(path).st_ino
                    except OSError:  # unpinned meanwhile
                        continue
