"""The file of a recording: created or continued for writing, opened for reading, refused where it is something else."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path

from bpftop.config.caller import sudo_caller
from bpftop.config.untrusted_file import Refused, opened
from bpftop.errors import BpftopError
from bpftop.store.hostile_file import BadSchema, distrust
from bpftop.store.schema import APPLICATION_ID, FINDINGS, TABLES, VERSION, is_recording

_BUSY_S = 2.0
_COMPANIONS = ("-wal", "-shm", "-journal")
_ELSEWHERE = "give the recording another place with -o"


def open_for_writing(path: str) -> tuple[sqlite3.Connection, int]:
    """Return a connection to a new or an existing recording, and the descriptor that locks out a second recorder.

    The descriptor must stay open until the connection is closed. A new file has mode 0600; behind sudo it belongs to
    the caller. Raises BpftopError.
    """
    try:
        descriptor = _lockable(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return _connected(path, descriptor), descriptor
        except BaseException:
            os.close(descriptor)
            raise
    except BlockingIOError:
        raise BpftopError(f"{path} is being recorded to by another bpftop; {_ELSEWHERE}") from None
    except OSError as error:
        raise BpftopError(f"cannot record to {path}: {error.strerror}; {_ELSEWHERE}") from error
    except sqlite3.Error as error:
        raise BpftopError(f"cannot record to {path}: {error}; {_ELSEWHERE}") from error


def open_for_reading(path: str) -> sqlite3.Connection:
    """Return a connection to a recording. Raises BpftopError, also for another file or a later version."""
    try:
        _require_recording(path, _head(path))
        uri = Path(path).absolute().as_uri()
        connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=_BUSY_S, check_same_thread=False)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            connection.close()
            if os.path.exists(f"{path}-wal") and os.path.getsize(f"{path}-wal"):
                raise _unreadable_log(path, error) from error
            # No log to read; SQLite cannot create its shared memory in this directory.
            connection = sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        try:
            if version > VERSION:
                raise BpftopError(
                    f"{path} was recorded by a later bpftop (version {version} of the file); use that one"
                )
            distrust(connection)
        except BaseException:
            connection.close()
            raise
        return connection
    except BadSchema as error:
        raise damaged(path, error) from error
    except OSError as error:
        raise BpftopError(f"cannot read {path}: {error.strerror}; name a file that `bpftop record` wrote") from error
    except (sqlite3.Error, UnicodeDecodeError) as error:  # SQLite quotes a damaged schema, and Python decodes that
        raise damaged(path, error) from error


def _head(path: str) -> bytes:
    """Return the first bytes of a regular file: reading a FIFO or a device could wait for ever."""
    try:
        with opened(path, named=True) as descriptor:
            return os.pread(descriptor, 100, 0)
    except Refused as error:
        raise BpftopError(
            f"{path} is no file that a recording can be in: {error}; samples from a pipe go to `bpftop replay -`"
        ) from None


def _unreadable_log(path: str, error: sqlite3.OperationalError) -> Exception:
    if os.access(os.path.dirname(os.path.abspath(path)), os.W_OK):
        return error
    return BpftopError(
        f"cannot read {path}: part of it is in {path}-wal, which can only be read where files can be made beside it; "
        "copy both into a directory of yours"
    )


def log_is_missing(path: str) -> bool:
    """Return True if the ticks are in a log that is not there: the file was copied without it after a kill."""
    try:
        head = _head(path)
    except (OSError, BpftopError):  # open_for_reading says why
        return False
    in_wal_mode = head[18:20] == b"\x02\x02"  # file format versions, which an orderly end sets back to 1
    return in_wal_mode and not os.path.exists(f"{path}-wal")


def damaged(path: str, error: Exception) -> BpftopError:
    """Return the error for a recording that SQLite or the decoder cannot read."""
    return BpftopError(
        f"cannot read {path}: {error}; it is cut short or damaged: copy FILE and FILE-wal together, or try "
        "`sqlite3 FILE .recover`"
    )


def _lockable(path: str) -> int:
    """Return a descriptor of the file, which is created if absent. Raises BpftopError where it is not ours to write."""
    for name in (path, *(path + companion for companion in _COMPANIONS)):
        if os.path.islink(name):
            raise BpftopError(f"{name} is a symbolic link, and none is followed; {_ELSEWHERE}")
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        descriptor = os.open(path, flags)
        try:
            _require_ours(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor
    caller = sudo_caller()
    if caller is not None:
        os.fchown(descriptor, caller.uid, caller.gid)
    return descriptor


def _require_ours(path: str, descriptor: int) -> None:
    status, caller = os.fstat(descriptor), sudo_caller()
    if not stat.S_ISREG(status.st_mode):
        raise BpftopError(f"{path} is no regular file; {_ELSEWHERE}")
    if status.st_uid not in (os.geteuid(), caller and caller.uid):
        raise BpftopError(f"{path} belongs to somebody else (user {status.st_uid}); {_ELSEWHERE}")
    if status.st_size:
        _require_recording(path, os.pread(descriptor, 100, 0))


def _require_recording(path: str, head: bytes) -> None:
    if not is_recording(head):
        raise BpftopError(f"{path} is no recording of bpftop; it was left as it is")


def _delete_companions(path: str) -> None:
    """Delete the log of a recording that was deleted or moved away; its recorder may still have the log open.

    SQLite would delete the log too, but share the index with that recorder, and each write would be an I/O error.
    """
    for companion in _COMPANIONS:
        with suppress(FileNotFoundError):
            os.unlink(path + companion)


def _connected(path: str, descriptor: int) -> sqlite3.Connection:
    new = os.fstat(descriptor).st_size == 0
    if new:
        _delete_companions(path)
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = FULL")  # a power cut loses no committed tick either
        connection.execute("PRAGMA cell_size_check = ON")
        if new:  # before WAL mode: the identity must be in the file itself and not in its log
            with closing(connection.cursor()) as cursor:
                identity = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
                cursor.executescript(f"BEGIN; {identity} {TABLES} {FINDINGS} COMMIT;")
        elif connection.execute("PRAGMA user_version").fetchone()[0] > VERSION:
            raise BpftopError(f"{path} was recorded by a later bpftop; {_ELSEWHERE}")
        connection.execute("PRAGMA journal_mode = WAL")
        if not new:
            connection.executescript(f"BEGIN; PRAGMA user_version = {VERSION}; {FINDINGS} COMMIT;")
        connection.execute("PRAGMA journal_size_limit = 0")  # the log shrinks back after a long transaction
        locked, now = os.fstat(descriptor), os.lstat(path)
        if (locked.st_dev, locked.st_ino) != (now.st_dev, now.st_ino):  # somebody moved another file there meanwhile
            raise BpftopError(f"{path} was replaced while it was opened; {_ELSEWHERE}")
    except BaseException:
        connection.close()
        raise
    return connection
