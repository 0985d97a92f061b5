"""The capabilities of the calling thread: which it holds, which it lacks, and how to get them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

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


def to_get(missing: tuple[str, ...]) -> str:
    """What is missing, and how to come by it."""
    *others, last = missing
    return f"takes {', '.join(others)}{' and ' if others else ''}{last}: {privileged()}"


def privileged() -> str:
    """How to come by capabilities. Root without them is in a container or a service."""
    return "run it with sudo" if os.geteuid() != 0 else "give it to this container or service"
