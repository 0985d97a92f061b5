"""Errors that a person reads: one sentence that says what failed, why, and what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterable

ENOTSUPP = 524  # the kernel's own "not supported"; Python and libc have no name for it
_ERRNO_NAMES = {ENOTSUPP: "ENOTSUPP", errno.EOPNOTSUPP: "EOPNOTSUPP"}  # errno.errorcode has ENOTSUP for EOPNOTSUPP


class BpftopError(Exception):
    """Something bpftop could not do. ``str(error)`` is the whole sentence; the exit code is 1."""

    exit_code = 1


class UsageError(BpftopError):
    """The command line or a value in it makes no sense. The exit code is 2."""

    exit_code = 2


def errno_name(number: int) -> str:
    """Return ``EBUSY`` for 16, ``ENOTSUPP`` for 524, ``errno 600`` for a number without a name."""
    return _ERRNO_NAMES.get(number) or errno.errorcode.get(number, f"errno {number}")


def spelling_hint(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean NAME?)`` with the known name that is closest; empty where none is close."""
    from difflib import get_close_matches  # late: only an error needs it

    close = get_close_matches(name, tuple(known), 1)
    return f" (did you mean {close[0]}?)" if close else ""
