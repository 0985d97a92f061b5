"""Yes, no, or could not tell: how a question is asked, and what a refusal means."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bpftop.errors import BpftopError
from bpftop.kernel.bpf.object import verifier_excerpt
from bpftop.kernel.bpf.probe import NoPlace
from bpftop.kernel.check import KernelError, errno_words
from bpftop.kernel.privileges import Privileges, missing_remedy

Answer = Literal["yes", "no", "unknown"]

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
class ProbeResult:
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
        return unknown(f"not tried, {error}", missing_remedy(takes) if takes else "")
    except KernelError as error:
        return refused(error.errno, question, privileges, verifier_excerpt(error.log))
    except OSError as error:
        return refused(error.errno or errno.EIO, question, privileges)
    except BpftopError as error:
        return no(str(error))


def refused(number: int, question: Question, privileges: Privileges, said: str = "") -> Verdict:
    """The answer that an errno is. ``said`` are the verifier's words."""
    missing = privileges.missing(question.takes)
    if number in (errno.EPERM, errno.EACCES) and missing:
        return unknown(errno_words(number), missing_remedy(missing))
    evidence = f"{errno_words(number)}, {said}" if said else errno_words(number)
    if number in NOT_NOW:
        return unknown(evidence, "try again")
    if number == errno.EPERM:
        return no(
            f"{evidence} although no capability is missing",
            "look for a seccomp profile, a user namespace or kernel lockdown, and run it on the host",
        )
    return no(evidence, question.otherwise)
