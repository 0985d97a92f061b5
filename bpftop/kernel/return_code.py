"""Every return code of the kernel goes through ``check``; every failure becomes a sentence with the errno's name."""

from __future__ import annotations

import os

from bpftop.config.resources import limit_reached
from bpftop.errors import ENOTSUPP, BpftopError, errno_name


class KernelError(BpftopError):
    """A refusal by the kernel. ``errno`` is positive; ``log`` has the messages of libbpf and of the verifier."""

    def __init__(self, sentence: str, number: int, log: str = "") -> None:
        super().__init__(sentence)
        self.errno = number
        self.errno_name = errno_name(number)
        self.log = log


def errno_words(number: int) -> str:
    """Return ``EBUSY (Device or resource busy)``."""
    words = "Operation not supported by this kernel" if number == ENOTSUPP else os.strerror(number)
    return f"{errno_name(number)} ({words})"


def check(rc: int, verb: str, remedy: str = "", log: str = "") -> int:
    """Return ``rc`` if it is not negative; else raise KernelError: "cannot VERB: ERRNO (words); REMEDY".

    Where the limit of open files is reached, that is the remedy.
    """
    if rc >= 0:
        return rc
    remedy = limit_reached(-rc) or remedy
    tail = f"; {remedy}" if remedy else ""
    raise KernelError(f"cannot {verb}: {errno_words(-rc)}{tail}", -rc, log)
