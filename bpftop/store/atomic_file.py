"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from bpftop.config.caller import Caller, sudo_caller
from bpftop.errors import BpftopError


@contextmanager
def replacing(path: str, *, private: bool = True) -> Iterator[int]:
    """Yield a file descriptor to write to, and give the file the name ``path`` when the block ends without exception.

    Until then ``path`` names the old file. The new file keeps the mode and owner of a regular file that it replaces.
    Where there was none, behind sudo it belongs to the caller. A FIFO or device is written to directly. A symbolic link
    is replaced and not followed: in a directory that others may write to, it could lead root anywhere.

    Args:
        path: The file to write.
        private: Create a file with mode 0600, for documents that may hold addresses; else the umask decides.

    Raises:
        BpftopError: The file cannot be written, with the reason.
    """
    with ExitStack() as stack:
        with _sentences(path):
            before = _status(path)
            temporary = None
            if before is None or stat.S_ISREG(before.st_mode):
                mode = 0o600 if private or before is not None else 0o666
                temporary = stack.enter_context(_TemporaryFile(path, mode))
                descriptor = temporary.descriptor
            else:
                descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY)
                stack.callback(os.close, descriptor)
        yield descriptor
        if temporary is not None:
            with _sentences(path):
                _set_mode_and_owner(descriptor, None if os.path.islink(path) else before)
                temporary.rename()


def write_file(folder: int, name: str, content: bytes, owner: Caller | None) -> None:
    """Write a file with mode 0600 into an open folder, for ``owner`` or for this user. Raises OSError."""
    with _TemporaryFile(name, 0o600, folder) as temporary:
        with open(temporary.descriptor, "wb", closefd=False) as file:
            file.write(content)
        if owner is not None:
            os.fchown(temporary.descriptor, *owner)
        temporary.rename()


class _TemporaryFile:
    """A new file beside ``path``, which is deleted unless it is renamed to ``path``. Raises OSError."""

    def __init__(self, path: str, mode: int, folder: int | None = None) -> None:
        self._path, self._folder = path, folder
        self._temporary = os.path.join(os.path.dirname(path), f".bpftop.{os.urandom(6).hex()}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self.descriptor = os.open(self._temporary, flags, mode, dir_fd=folder)

    def __enter__(self) -> _TemporaryFile:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self.descriptor)
        with suppress(FileNotFoundError):  # renamed
            os.unlink(self._temporary, dir_fd=self._folder)

    def rename(self) -> None:
        os.fsync(self.descriptor)  # else a power cut could leave the new name on an empty file
        os.replace(self._temporary, self._path, src_dir_fd=self._folder, dst_dir_fd=self._folder)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _set_mode_and_owner(descriptor: int, before: os.stat_result | None) -> None:
    """Copy the mode and owner of the file before. Only root can change an owner; other users keep their own."""
    owner = sudo_caller() if before is None else (before.st_uid, before.st_gid)
    if owner is not None and os.geteuid() == 0:
        os.fchown(descriptor, *owner)
    if before is not None:
        os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


@contextmanager
def _sentences(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BpftopError(f"cannot write {path}: {error.strerror}; give the output another place with -o") from error
