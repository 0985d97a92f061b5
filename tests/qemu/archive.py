"""The archive that a kernel unpacks into its first file system: cpio in the "newc" form.

Format: Documentation/driver-api/early-userspace/buffer-format.rst. Several archives one behind the other are one.
"""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath


class Archive:
    """Files, folders and links under the guest's ``/``; parents are made as needed."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._paths: set[PurePosixPath] = {PurePosixPath("/")}

    def file(self, path: str | PurePosixPath, content: bytes, *, mode: int = 0o644, mtime: int = 0) -> None:
        """Add a file, unless the path exists already."""
        self._add(path, stat.S_IFREG | mode, content, mtime)

    def folder(self, path: str | PurePosixPath) -> None:
        self._add(path, stat.S_IFDIR | 0o755, b"", 0)

    def copy(self, source: Path, path: str | PurePosixPath | None = None) -> None:
        """Add a file of this machine, links followed, with its time, which Python compares with the byte code's."""
        seen = source.stat()
        self.file(path or str(source), source.read_bytes(), mode=stat.S_IMODE(seen.st_mode), mtime=int(seen.st_mtime))

    def to_bytes(self) -> bytes:
        return b"".join([*self._parts, _entry("TRAILER!!!", 0, b"", 0, 0)])

    def _add(self, path: str | PurePosixPath, mode: int, content: bytes, mtime: int) -> None:
        path = PurePosixPath("/", path)
        if path in self._paths:
            return
        if path.parent not in self._paths:
            self.folder(path.parent)
        self._paths.add(path)
        self._parts.append(_entry(str(path)[1:], mode, content, mtime, len(self._paths)))


def _entry(name: str, mode: int, content: bytes, mtime: int, number: int) -> bytes:
    """Inode number, mode, owner, group, links, time, size, four device numbers, length of the name, no check sum."""
    encoded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, mtime, len(content), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)
