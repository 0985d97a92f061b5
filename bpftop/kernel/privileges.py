"""Capabilities of the calling thread: which it holds, which it lacks, and how to get them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from bpftop.fields import frozen

# include/uapi/linux/capability.h
CAPABILITY_BITS = {
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_FOWNER": 3,
    "CAP_NET_ADMIN": 12,
    "CAP_NET_RAW": 13,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_SYS_RESOURCE": 24,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}
COUNTING = ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN")
"""Capabilities for loading and attaching the counters. Without CAP_PERFMON the verifier refuses to compare packet
pointers (EACCES)."""

TRACING = ("CAP_BPF", "CAP_PERFMON")
"""Capabilities for loading a tracing program."""

_IN_SYS_ADMIN = TRACING  # both were split off CAP_SYS_ADMIN in Linux 5.8, which still includes them


@frozen
class Privileges:
    """Effective capabilities as a mask; None if /proc could not be read."""

    effective: int | None

    @classmethod
    def read(cls, proc: Path = Path("/proc")) -> Privileges:
        """Read the capabilities of the calling thread from ``proc``/thread-self/status."""
        try:
            status = (proc / "thread-self/status").read_text()
        except OSError:
            return cls(None)
        mask = re.search(r"^CapEff:\s*([0-9a-fA-F]+)$", status, re.MULTILINE)
        return cls(int(mask[1], 16) if mask else None)

    def holds(self, name: str) -> bool:
        """Return True if the thread has the capability ``name``; False if unknown."""
        mask = self.effective or 0
        by_sys_admin = name in _IN_SYS_ADMIN and mask >> CAPABILITY_BITS["CAP_SYS_ADMIN"] & 1
        return bool(by_sys_admin or mask >> CAPABILITY_BITS[name] & 1)

    def missing(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the capabilities among ``names`` that the thread lacks; all of them if unknown."""
        return tuple(name for name in names if not self.holds(name))

    def missing_to_load(self) -> tuple[str, ...]:
        """Return the capabilities missing for loading network programs without attaching them.

        CAP_SYS_ADMIN suffices for loading (kernel/bpf/syscall.c: bpf_net_capable), but not for attaching.
        """
        return () if self.holds("CAP_SYS_ADMIN") else self.missing(COUNTING)


def missing_remedy(missing: tuple[str, ...]) -> str:
    """Name the ``missing`` capabilities and say how to get them: "takes CAP_BPF and CAP_PERFMON: run it with sudo"."""
    *others, last = missing
    return f"takes {', '.join(others)}{' and ' if others else ''}{last}: {privileges_remedy()}"


def privileges_remedy() -> str:
    """Say how to get capabilities. Root without capabilities is in a container or in a confined service."""
    return "run it with sudo" if os.geteuid() != 0 else "give it to this container or service"
