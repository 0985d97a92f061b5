"""Identity of a process, recorded where other processes read it, so that they can prove that the process has ended."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Literal

from bpftop.fields import frozen

ProcessState = Literal["alive", "dead", "unknown"]

_PROC = Path("/proc")
_FORM = re.compile(r"pid=(\d{1,9}) start=(\d{1,20}) pidns=(\d{1,20}) timens=(\d{1,20})")
_START_FIELD = 22 - 3  # starttime of proc(5), counted from the field behind the name


@frozen
class ProcessIdentity:
    """A process. ``start`` is in clock ticks of its time namespace; a namespace is an inode number, 0 if unreadable."""

    pid: int
    start: int
    pid_namespace: int
    time_namespace: int

    @classmethod
    def own(cls) -> ProcessIdentity:
        """Return the identity of this process. Without /proc only the pid is known."""
        pid = os.getpid()
        return cls(pid, _start(pid) or 0, _namespace("pid"), _namespace("time"))

    @classmethod
    def parse(cls, text: str) -> ProcessIdentity | None:
        """Return the identity that ``str`` wrote into the text; None where there is none."""
        match = _FORM.search(text)
        return cls(*map(int, match.groups())) if match and int(match[1]) else None

    def __str__(self) -> str:
        return f"pid={self.pid} start={self.start} pidns={self.pid_namespace} timens={self.time_namespace}"

    def state(self) -> ProcessState:
        """Return "dead" only where it is certain: in the same pid namespace nobody has the pid, or a later process has.

        A signal sees processes that /proc hides (hidepid), and never a process of another pid namespace.
        """
        own = ProcessIdentity.own()
        if not own.pid_namespace or own.pid_namespace != self.pid_namespace:
            return "unknown"
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return "dead"
        except OSError:
            pass  # EPERM: it exists, as another user's process
        start = _start(self.pid)
        if start is not None and start == self.start:
            return "alive"
        if start is None or not self.start or own.time_namespace != self.time_namespace:
            return "unknown"
        return "dead"


def _namespace(kind: str) -> int:
    try:
        return os.stat(f"/proc/self/ns/{kind}").st_ino
    except OSError:  # no /proc, or no such kind (time: Linux 5.6)
        return 0


def _own_pids() -> str:
    status = (_PROC / "self/status").read_text(errors="replace")
    return next(line for line in status.splitlines() if line.startswith("NSpid:"))


def _start(pid: int) -> int | None:
    """Return the start time of a process; None if /proc cannot tell, or belongs to another pid namespace."""
    with contextlib.suppress(OSError, ValueError, IndexError, StopIteration):
        # More than one number: this /proc was mounted in an outer pid namespace, and numbers processes otherwise.
        if len(re.findall(r"\d+", _own_pids())) == 1:
            fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
            return int(fields[_START_FIELD])
    return None
