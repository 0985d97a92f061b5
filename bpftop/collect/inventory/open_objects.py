"""Processes that have BPF objects or perf events open, by an iterator in the kernel or else by /proc; their names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from bpftop.kernel.bpf.bpf_iterator import ObjectKind, OpenObject, OwnerIterator
from bpftop.kernel.return_code import KernelError
from bpftop.model.bpf.inventory import Owner
from bpftop.model.cgroup_names import service_of, unified_path

_PROC = Path("/proc")
_PERF_EVENT = "anon_inode:[perf_event]"
_FIELDS: dict[str, ObjectKind] = {"prog_id:": "program", "map_id:": "map", "link_id:": "link"}


class OpenObjects:
    """Reads all open BPF objects of the machine.

    The iterator needs CAP_BPF, CAP_PERFMON and the kernel's BTF. Without it /proc is read, where processes of other
    users need CAP_SYS_PTRACE; a file of /proc costs some 10 µs, the iterator 1 µs for each open file.
    """

    def __init__(self) -> None:
        self._iterator: OwnerIterator | None = None
        with contextlib.suppress(KernelError):
            self._iterator = OwnerIterator()

    def read(self) -> list[OpenObject]:
        """Return each process with each object that it has open. Raises KernelError, OSError."""
        return self._iterator.read() if self._iterator is not None else list(from_proc())

    def close(self) -> None:
        if self._iterator is not None:
            self._iterator.close()


def from_proc() -> Iterator[OpenObject]:
    """Yield the same by /proc: processes that end meanwhile, or are hidden, are left out."""
    for process in _PROC.iterdir():
        if not process.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            for name in os.listdir(process / "fd"):
                with contextlib.suppress(OSError):
                    target = os.readlink(process / "fd" / name)
                    if target == _PERF_EVENT:
                        yield OpenObject("perf_event", int(name), int(process.name), _comm(process))
                    elif "bpf" in target:
                        yield from _objects(process, name)


def _objects(process: Path, name: str) -> Iterator[OpenObject]:
    words = [line.split() for line in (process / "fdinfo" / name).read_text(errors="replace").splitlines()]
    fields = {line[0]: line[1] for line in words if len(line) == 2}
    kind = next((kind for field, kind in reversed(_FIELDS.items()) if field in fields), None)
    if kind is not None:
        field = next(field for field, each in _FIELDS.items() if each == kind)
        yield OpenObject(kind, int(fields[field]), int(process.name), _comm(process))


def _comm(process: Path) -> str:
    return (process / "comm").read_text(errors="replace").rstrip("\n")


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
