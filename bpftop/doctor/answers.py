"""Questions, their answers (yes, no, could not tell, does not apply), and the meaning of a refusal."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeVar

from bpftop.config.resources import limit_reached
from bpftop.errors import BpftopError
from bpftop.fields import frozen
from bpftop.kernel.bpf.object import verifier_excerpt
from bpftop.kernel.bpf.probe import NoPlace
from bpftop.kernel.privileges import Privileges, missing_remedy
from bpftop.kernel.return_code import KernelError, errno_words

Count = TypeVar("Count")
Answer = Literal["yes", "no", "unknown", "n/a"]
"""n/a: the question does not apply here, which is no fault."""

NOT_NOW = frozenset({errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC})
"""Refusals that depend on the moment: they say nothing about the kernel."""


@frozen
class Verdict:
    """An answer. ``evidence`` is the observation or the errno; ``remedy`` says what to do, or the consequence."""

    answer: Answer
    evidence: str
    remedy: str = ""


@frozen
class ProbeResult:
    """A verdict with the name of its question: one line of the report."""

    name: str
    verdict: Verdict


# Each takes the evidence, and a remedy or nothing.
yes, no = partial(Verdict, "yes"), partial(Verdict, "no")
unknown, not_applicable = partial(Verdict, "unknown"), partial(Verdict, "n/a")

FRAME_WAIT_NS = 200_000_000
"""Longest wait of a probe for its frame to be counted: that takes 0.3 ms, more on a machine that stalls."""


class NotTried(Exception):
    """A question that needs something missing; the text names it."""


PLACE_TAKES = ("CAP_SYS_ADMIN", "CAP_NET_ADMIN")
"""Capabilities for a private namespace and for the devices in it."""


@frozen
class Question:
    """A question to the kernel or the system. ``ask`` may raise KernelError, OSError or NotTried.

    ``takes`` are the capabilities without which a refusal says nothing about the kernel; ``remedy`` is for a no.
    """

    name: str
    ask: Callable[[], Verdict]
    takes: tuple[str, ...] = ()
    remedy: str = ""


def answer(question: Question, privileges: Privileges) -> Verdict:
    """Ask a question, and turn an exception into an answer."""
    try:
        return question.ask()
    except NotTried as reason:
        return unknown(f"not tried: {reason}")
    except NoPlace as error:
        missing = privileges.missing(PLACE_TAKES) if error.errno == errno.EPERM else ()
        return unknown(f"not tried: {error}", missing_remedy(missing) if missing else "")
    except KernelError as error:
        return refused(error.errno, question, privileges, verifier_excerpt(error.log))
    except OSError as error:
        return refused(error.errno or errno.EIO, question, privileges)
    except BpftopError as error:
        return no(str(error))


def refused(number: int, question: Question, privileges: Privileges, verifier_words: str = "") -> Verdict:
    """Return the answer that an errno means."""
    missing = privileges.missing(question.takes)
    if number in (errno.EPERM, errno.EACCES) and missing:
        return unknown(errno_words(number), missing_remedy(missing))
    evidence = f"{errno_words(number)}, {verifier_words}" if verifier_words else errno_words(number)
    if limit_reached(number):
        return unknown(evidence, "raise the limit of open files (ulimit -n)")
    if number in NOT_NOW:
        return unknown(evidence, "run the doctor again")
    if number == errno.EPERM:
        return no(
            f"{evidence} although no capability is missing",
            "look for a seccomp profile, a user namespace or kernel lockdown, and run it on the host",
        )
    return no(evidence, question.remedy)


def await_frame(count: Callable[[], Count]) -> Count:
    """Call ``count`` until it returns a true value, for at most FRAME_WAIT_NS. Return its last value."""
    end_ns = time.monotonic_ns() + FRAME_WAIT_NS
    while not (counted := count()) and time.monotonic_ns() <= end_ns:
        time.sleep(0.001)
    return counted


def elapsed_ms(start_ns: int) -> str:
    """Return the time since ``start_ns`` (CLOCK_MONOTONIC), such as ``1.5 ms``."""
    return f"{(time.monotonic_ns() - start_ns) / 1e6:.1f} ms"
