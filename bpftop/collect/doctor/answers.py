"""Yes, no, or could not tell: how a question is asked, and what a refusal means."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bpftop.errors import BpftopError
from bpftop.kernel.check import KernelError, errno_words
from bpftop.kernel.object import last_words
from bpftop.kernel.probe import NoPlace

Answer = Literal["yes", "no", "unknown"]

# include/uapi/linux/capability.h
CAPABILITY_BITS = {
    "CAP_NET_ADMIN": 12,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_SYS_RESOURCE": 24,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}
BY_SYS_ADMIN = ("CAP_BPF", "CAP_PERFMON")  # before Linux 5.8 there is nothing else; since then it includes them
COUNTING = ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN")
"""What loading the counters takes. Without CAP_PERFMON the verifier refuses to compare pointers (EACCES)."""

NOT_NOW = frozenset(
    {errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC}
)
"""Refusals that say something about this moment and nothing about what is here."""


@dataclass(frozen=True)
class Verdict:
    """``evidence`` is what was seen, with the errno of a refusal; ``remedy`` what to do, or what it means."""

    answer: Answer
    evidence: str
    remedy: str = ""


@dataclass(frozen=True)
class Result:
    """A verdict with the name of its question: a line."""

    name: str
    verdict: Verdict


def yes(evidence: str, remedy: str = "") -> Verdict:
    return Verdict("yes", evidence, remedy)


def no(evidence: str, remedy: str = "") -> Verdict:
    return Verdict("no", evidence, remedy)


def unknown(evidence: str, remedy: str = "") -> Verdict:
    return Verdict("unknown", evidence, remedy)


class NotTried(Exception):
    """What the question rests on is not there; the text says what."""


@dataclass(frozen=True)
class Privileges:
    """The effective capabilities as a mask, None where /proc does not say."""

    effective: int | None

    @classmethod
    def read(cls, root: Path) -> Privileges:
        try:
            status = (root / "proc/thread-self/status").read_text()
        except OSError:
            return cls(None)
        found = re.search(r"^CapEff:\s*([0-9a-fA-F]+)$", status, re.MULTILINE)
        return cls(int(found[1], 16) if found else None)

    def missing(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of ``names`` that are not held. Where nothing is known, all of them."""
        return tuple(name for name in names if not self.holds(name))

    def holds(self, name: str) -> bool:
        mask = self.effective or 0
        by_admin = name in BY_SYS_ADMIN and bool(mask >> CAPABILITY_BITS["CAP_SYS_ADMIN"] & 1)
        return by_admin or bool(mask >> CAPABILITY_BITS[name] & 1)


@dataclass(frozen=True)
class Question:
    """``ask`` answers, or raises what the kernel said: KernelError, OSError, or NotTried.

    ``takes`` are the capabilities without which a refusal says nothing about the kernel; ``otherwise`` is the remedy
    where it does.
    """

    name: str
    ask: Callable[[], Verdict]
    takes: tuple[str, ...] = ()
    otherwise: str = ""


def answer(question: Question, privileges: Privileges) -> Verdict:
    """Put a question, and turn whatever is raised into an answer."""
    try:
        return question.ask()
    except NotTried as reason:
        return unknown(f"not tried: {reason}")
    except NoPlace as error:
        takes = privileges.missing(("CAP_SYS_ADMIN",)) if error.errno == errno.EPERM else ()
        return unknown(f"not tried, {error}", to_get(takes) if takes else "")
    except KernelError as error:
        return refused(error.errno, question, privileges, last_words(error.log))
    except OSError as error:
        return refused(error.errno or errno.EIO, question, privileges)
    except BpftopError as error:
        return no(str(error))


def refused(number: int, question: Question, privileges: Privileges, said: str = "") -> Verdict:
    """The answer that an errno is. ``said`` are the verifier's words."""
    missing = privileges.missing(question.takes)
    if number in (errno.EPERM, errno.EACCES) and missing:
        return unknown(errno_words(number), to_get(missing))
    evidence = f"{errno_words(number)}, {said}" if said else errno_words(number)
    if number in NOT_NOW:
        return unknown(evidence, "try again")
    if number == errno.EPERM:
        return no(
            f"{evidence} although no capability is missing",
            "look for a seccomp profile, a user namespace or kernel lockdown, and run it on the host",
        )
    return no(evidence, question.otherwise)


def to_get(missing: tuple[str, ...]) -> str:
    """What is missing, and how to come by it."""
    *others, last = missing
    return f"takes {', '.join(others)}{' and ' if others else ''}{last}: {privileged()}"


def privileged() -> str:
    """How to come by capabilities. Root without them is in a container or a service."""
    return "run it with sudo" if os.geteuid() != 0 else "give it to this container or service"
