"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bpftop.errors import BpftopError


@contextmanager
def replacing(path: str, *, private: bool = True) -> Iterator[int]:
    """A file descriptor to write to; ``path`` becomes what was written when the block ends without an exception.

    Until then whoever opens ``path`` gets what was there before. The new file keeps mode and owner of the one it
    replaces; a new one has mode 0600 where it is ``private`` (it may hold addresses), else what the umask leaves, and
    behind sudo it belongs to the caller. What is no regular file (a FIFO, /dev/null) is written to as it is. A symbolic
    link is replaced, not followed: in a directory that others may write to it could lead root anywhere. Raises
    BpftopError with the reason.
    """
    try:
        before = _before(path)
        if before is not None and not stat.S_ISREG(before.st_mode):
            descriptor, temporary = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY), None
        else:
            temporary = os.path.join(os.path.dirname(path), f".bpftop.{os.urandom(6).hex()}.part")
            mode = 0o600 if private or before is not None else 0o666
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield descriptor
        if temporary is not None:
            try:
                _give(descriptor, None if os.path.islink(path) else before)
                os.fsync(descriptor)  # else a power cut could leave the new name on an empty file
                os.replace(temporary, path)
            except OSError as error:
                raise _cannot_write(path, error) from error
            temporary = None
    finally:
        os.close(descriptor)
        if temporary is not None:
            with suppress(FileNotFoundError):
                os.unlink(temporary)


def _before(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _give(descriptor: int, before: os.stat_result | None) -> None:
    """Mode and owner. Only root can give files away; others keep their own, as with any editor."""
    owner = before and (before.st_uid, before.st_gid)
    sudo_ids = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if before is None and all(word.isdigit() for word in sudo_ids):
        owner = int(sudo_ids[0]), int(sudo_ids[1])
    if owner is not None and os.geteuid() == 0:
        os.fchown(descriptor, *owner)
    if before is not None:
        os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


def _cannot_write(path: str, error: OSError) -> BpftopError:
    return BpftopError(f"cannot write {path}: {error.strerror}; give the output another place with -o")
