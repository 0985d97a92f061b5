"""Files that anybody may have written: opened without waiting, read within bounds, JSON parsed within 256 MiB.

Messages quote a file, and behind sudo this process may read every file. So a file of the caller's folders, or behind a
symbolic link, is refused if the person who called sudo could not have read it.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bpftop.config.caller import sudo_caller

ASCII_LIMIT_BYTES = 64 << 20
OTHER_LIMIT_BYTES = 16 << 20
"""Limit of JSON that is not ASCII: one character outside of the BMP makes Python's text four bytes a character."""

_JSON_MEMORY_BYTES = 112 << 20
_JSON_COSTS = {b"{": 240, b"[": 88, b",": 48, b":": 50, b'"': 14}
"""Bytes of Python objects per character of JSON: ``{"a":0}`` takes 7 bytes of a file and some 300 of memory."""


class Refused(Exception):
    """A file that is not read. The text follows the file's name and a colon."""


@contextmanager
def opened(path: str | Path, *, named: bool) -> Iterator[int]:
    """Yield a descriptor of a regular file. A FIFO or a device, which could wait for ever, is refused.

    ``named``: the person named this very file; otherwise it was found in a folder of theirs. Raises OSError, Refused.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        check_file(descriptor, named=named and not os.path.islink(path))
        yield descriptor
    finally:
        os.close(descriptor)


def check_file(descriptor: int, *, named: bool) -> None:
    """Raise Refused where an open file is not regular, or may not be shown to the caller of sudo."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise Refused("not a regular file")
    caller = sudo_caller()
    if not named and caller is not None and status.st_uid != caller.uid and not status.st_mode & stat.S_IROTH:
        raise Refused("not owned by the user who called sudo, nor readable for everyone")


def read_bytes(path: str | Path, limit: int, *, named: bool) -> bytes:
    """Return the content of a file of at most ``limit`` bytes. Raises OSError, Refused."""
    with opened(path, named=named) as descriptor:
        return read_limited(descriptor, limit)


def read_limited(descriptor: int, limit: int) -> bytes:
    """Return the content of an open file of at most ``limit`` bytes. Raises OSError, Refused."""
    with open(descriptor, "rb", closefd=False) as file:
        content = file.read(limit + 1)
    if content is None:  # a file of /proc that would wait for something to read
        raise Refused("nothing can be read now")
    if len(content) > limit:
        raise Refused(f"larger than {limit >> 20} MiB" if limit >> 20 else f"larger than {limit >> 10} KiB")
    return content


def parse_json(content: bytes) -> Any:
    """Parse JSON with finite numbers, within 256 MiB of memory.

    Raises:
        ValueError: It is no JSON (json.JSONDecodeError), not UTF-8, has too many values, or a number out of range.
    """
    if len(content) > (ASCII_LIMIT_BYTES if content.isascii() else OTHER_LIMIT_BYTES):
        raise ValueError("it is too large")
    if sum(content.count(mark) * cost for mark, cost in _JSON_COSTS.items()) > _JSON_MEMORY_BYTES:
        raise ValueError(f"its values would take more than {_JSON_MEMORY_BYTES >> 20} MiB of memory")
    import json  # late: a start that reads a configuration alone needs no JSON

    try:
        return json.loads(content.decode(), parse_constant=_not_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _not_finite(text)


def _not_finite(text: str) -> float:
    raise ValueError(f"{text[:40]} is no number")
