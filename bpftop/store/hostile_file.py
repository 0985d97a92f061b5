"""Bounds for reading a recording that anybody may have made: its schema, its values, time and memory."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from bpftop.errors import BpftopError

READ_LIMIT_S = 10.0
"""CPU time of one query. The longest query of a recording reads its table of ticks once: 1 s for a month of seconds."""

BLOB_LIMIT_BYTES = 16 << 20
PAGE_LIMIT_BYTES = 32 << 20
"""Bytes of frames to hold at once."""

_LIMIT_LENGTH = 0  # sqlite3.h: SQLITE_LIMIT_LENGTH
_STEPS = 10_000  # of SQLite's machine between two looks at the clock: about a millisecond
_COLUMNS = {
    "ticks": {"tick", "wall_ns", "mono_ns", "interval_ns", "seq", "lost"},
    "frames": {"tick", "is_key", "structure", "body", "cells"},
    "episodes": {"tick", "wall_ns", "end_ns", "severity", "title", "scope_name"},
}


class BadSchema(BpftopError):
    """The file has a recording's name and not its tables."""


class TimeLimit:
    """Ends queries of a connection that take too long, counted in CPU time of the thread that asked."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._thread = threading.local()
        connection.set_progress_handler(self._is_late, _STEPS)

    def begin(self) -> None:
        """Give the calling thread the whole limit for its next query."""
        self._thread.end_s = time.thread_time() + READ_LIMIT_S

    def _is_late(self) -> bool:
        return time.thread_time() > getattr(self._thread, "end_s", float("inf"))


def distrust(connection: sqlite3.Connection) -> None:
    """Forbid what no recording needs, and check that the tables are tables. Raises BadSchema, sqlite3.Error."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    if hasattr(connection, "setlimit"):  # Python 3.11
        connection.setlimit(_LIMIT_LENGTH, BLOB_LIMIT_BYTES)
    # A view or a virtual table could compute for ever; so could a generated column.
    objects = connection.execute("SELECT name, type, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' LIMIT 100")
    kinds = {str(name): (kind, str(sql).upper()) for name, kind, sql in objects}
    for name, columns in _COLUMNS.items():
        if name not in kinds and name == "episodes":  # older than the table of findings
            continue
        kind, sql = kinds.get(name, (None, ""))
        if kind != "table" or not sql.startswith("CREATE TABLE"):
            raise BadSchema(f"it has no table {name}")
        plain = {row[1] for row in connection.execute(f"PRAGMA table_xinfo({name})") if row[6] == 0}
        if not columns <= plain:
            raise BadSchema(f"its table {name} lacks {', '.join(sorted(columns - plain))}")


def integers(row: Iterable[Any]) -> Iterator[int]:
    """Yield the integers of a row. Raises ValueError where a column of numbers has something else."""
    for value in row:
        if type(value) is not int:
            raise ValueError(f"a number is {repr(value)[:40]}")
        yield value


def blob(value: Any) -> bytes:
    """Return bytes of at most BLOB_LIMIT_BYTES. Raises ValueError."""
    if type(value) is not bytes or len(value) > BLOB_LIMIT_BYTES:
        raise ValueError("a frame is no bytes, or too many")
    return value
