"""Files that the live screen saves into the current directory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from bpftop.errors import BpftopError


def host_part(host: str) -> str:
    """Return the host name with only characters that suit a file name."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", host)


@contextmanager
def current_directory_errors() -> Iterator[None]:
    """Replace the remedy of a BpftopError: the screen has no option -o."""
    try:
        yield
    except BpftopError as error:
        problem = str(error).rpartition("; ")[0] or str(error)
        raise BpftopError(f"{problem}; start bpftop in a directory that you may write to") from error
