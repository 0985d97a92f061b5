"""A file descriptor of a link, map or program, which the kernel frees when nothing refers to it any more."""

from __future__ import annotations

import os


class OwnedFd:
    """A file descriptor that this object closes. ``fd`` is -1 once it is closed."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def close(self) -> None:
        """Close the file descriptor; twice is fine."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
