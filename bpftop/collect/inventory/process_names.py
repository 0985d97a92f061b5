"""Processes as owners: name, and container or unit by cgroup. Each process is looked up once while it lives."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

from bpftop.model.bpf.inventory import Owner
from bpftop.model.cgroup_names import service_of, unified_path

_PROC = Path("/proc")


class ProcessNames:
    """Owners by pid. A pid that is used again is noticed by the name that the caller saw."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], Owner] = {}

    def owner(self, pid: int, comm: str) -> Owner:
        """Return the owner. A process that has ended meanwhile has no service."""
        key = (pid, comm)
        if key not in self._known:
            service = None
            with contextlib.suppress(OSError):
                service = service_of(unified_path((_PROC / str(pid) / "cgroup").read_text(errors="replace")))
            self._known[key] = Owner(pid, comm, service)
        return self._known[key]

    def forget_others(self, pids: Collection[int]) -> None:
        """Forget the processes that are not among these."""
        self._known = {key: owner for key, owner in self._known.items() if key[0] in pids}
