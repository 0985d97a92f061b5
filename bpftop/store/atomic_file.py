"""Files that appear whole or not at all."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from bpftop.config.caller import Caller, sudo_caller
from bpftop.errors import BpftopError

_PART = re.compile(r"\.bpftop\.[0-9a-f]{12}\.part")


@contextmanager
def replacing(path: str, *, private: bool = True) -> Iterator[int]:
    """Yield a file descriptor to write to, and give the file the name ``path`` when the block ends without exception.

    Until then ``path`` names the old file. The new file keeps the mode and owner of a regular file that it replaces.
    Where there was none, behind sudo it belongs to the caller. A FIFO or device is written to directly. A symbolic link
    is replaced and not followed: in a directory that others may write to, it could lead root anywhere.

    ``private``: create a file with mode 0600, for documents that may hold addresses; else the umask decides. Raises
    BpftopError: the file cannot be written, with the reason.
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
            os.fchown(temporary.descriptor, owner.uid, owner.gid)
        temporary.rename()


class _TemporaryFile:
    """A new file that gets the name ``path`` by ``rename``, and is deleted otherwise. Raises OSError.

    The file has no name (O_TMPFILE) where the file system allows that, so a killed writer leaves nothing. Elsewhere
    (NFS, Linux before 6.3 on overlayfs) its name ends in ``.part``, and the next writer deletes it. A lock shows that
    the writer of a ``.part`` file is alive.
    """

    def __init__(self, path: str, mode: int, folder: int | None = None) -> None:
        directory, self._name = os.path.split(path)
        self._part = f".bpftop.{os.urandom(6).hex()}.part"
        self._named = False
        self._folder = os.open(directory or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            self.descriptor = self._created(mode)
        except BaseException:
            os.close(self._folder)
            raise

    def _created(self, mode: int) -> int:
        if os.path.exists("/proc/self/fd"):  # without /proc the file could get no name later
            with suppress(OSError):  # a folder that takes no file at all says why below
                return os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, mode, dir_fd=self._folder)
        _delete_dead_parts(self._folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(self._part, flags, mode, dir_fd=self._folder)
        self._named = True
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        return descriptor

    def __enter__(self) -> _TemporaryFile:
        return self

    def __exit__(self, *error: object) -> None:
        if self._named:
            with suppress(FileNotFoundError):  # renamed
                os.unlink(self._part, dir_fd=self._folder)
        os.close(self.descriptor)
        os.close(self._folder)

    def rename(self) -> None:
        os.fsync(self.descriptor)  # else a power cut could leave the new name on an empty file
        if not self._named:
            try:
                self._link(self._name)
                return
            except FileExistsError:  # linkat replaces no file
                fcntl.flock(self.descriptor, fcntl.LOCK_SH)
                self._link(self._part)
                self._named = True
        os.replace(self._part, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def _link(self, name: str) -> None:
        # With src_dir_fd Python calls linkat with AT_SYMLINK_FOLLOW, without it link, which links the link itself.
        os.link(f"/proc/self/fd/{self.descriptor}", name, src_dir_fd=self._folder, dst_dir_fd=self._folder)


def _delete_dead_parts(folder: int) -> None:
    """Delete files of killed writers: files of this user that no process has locked."""
    for name in os.listdir(folder):
        if not _PART.fullmatch(name):
            continue
        with suppress(OSError):  # another writer deleted it first, or it is locked
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            try:
                status = os.fstat(descriptor)
                if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(name, dir_fd=folder)
            finally:
                os.close(descriptor)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _set_mode_and_owner(descriptor: int, before: os.stat_result | None) -> None:
    """Copy the mode and owner of the file before. Only root can change an owner; other users keep their own."""
    owner = sudo_caller() if before is None else Caller(before.st_uid, before.st_gid)
    if owner is not None and os.geteuid() == 0:
        os.fchown(descriptor, owner.uid, owner.gid)
    if before is not None:
        os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


@contextmanager
def _sentences(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BpftopError(f"cannot write {path}: {error.strerror}; give the output another place with -o") from error
