"""Errors that a person reads: one sentence that says what failed, why, and what to do."""

from __future__ import annotations


class BpftopError(Exception):
    """Something bpftop could not do. ``str(error)`` is the whole sentence; the exit code is 1."""

    exit_code = 1


class UsageError(BpftopError):
    """The command line or a value in it makes no sense. The exit code is 2."""

    exit_code = 2
