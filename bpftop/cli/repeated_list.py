"""Lists of which each needs two readings: written once, or with ``--watch`` again and again until Ctrl-C."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from bpftop.cli.shutdown import Ended, interruptible
from bpftop.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpftop.render.columns import Column

ReadT = TypeVar("ReadT")
RowT = TypeVar("RowT")

DEFAULT_INTERVAL_S = 1.0


def write_repeatedly(
    read: Callable[[], ReadT], write: Callable[[ReadT, ReadT], None], interval_s: float, *, watch: bool
) -> None:
    """Read every ``interval_s`` seconds, and write each reading against the reading before: once, or until Ctrl-C."""
    before = read()
    try:
        while True:
            with interruptible():
                time.sleep(interval_s)
            now = read()
            write(before, now)
            if not watch:
                return
            before = now
    except Ended:
        if not watch:
            raise


def sort_column(columns: Sequence[Column[RowT]], column_id: str) -> Column[RowT]:
    """Return the column of this id. Raises UsageError with the ids that exist."""
    by_id = {column.id: column for column in columns}
    if column_id not in by_id:
        raise UsageError(f"there is no column {column_id!r}; the columns are {', '.join(by_id)}")
    return by_id[column_id]


def sorted_lines(lines: Sequence[RowT], column: Column[RowT] | None) -> list[RowT]:
    """Sort by a column: numbers from the largest, text by the alphabet, the unknown last; None: as they are."""
    return list(lines) if column is None else sorted(lines, key=lambda line: _descending(column.value(line)))


def _descending(value: float | str | None) -> tuple[bool, float, str]:
    number = -value if isinstance(value, int | float) else 0.0
    return value is None, number, value if isinstance(value, str) else ""
