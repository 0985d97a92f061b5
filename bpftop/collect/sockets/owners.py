"""Processes that hold a BPF program or a socket, by /proc/PID/fd: the kernel keeps no such list."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path

PROC = Path("/proc")
_BPF_FILES = ("anon_inode:bpf-prog", "anon_inode:bpf_link", "anon_inode:[bpf_link]")
_REST = 20  # pause after a search, in times of its duration: searches take at most 5 % of a CPU
_REMEMBERED = 4096


def owners(prog_id: int) -> tuple[str, ...]:
    """Return ``NAME (pid N)`` of every process that holds the program or a link to it.

    A program attached by netlink or pinned needs no process. Processes of other users need CAP_SYS_PTRACE.
    """
    return tuple(f"{_name(process)} (pid {process.name})" for process in _processes(PROC) if _holds(process, prog_id))


class SocketOwners:
    """The processes that hold sockets. Each socket is searched for once.

    A search reads the open files of every process, 3 µs each on Linux 6.18, until every wanted socket is found. Labels
    of sockets outlive a tick in which nobody asks for them, because accept queues fill and empty from one tick to the
    next. Inode numbers of sockets come from a 32-bit counter, so none is used again soon.
    """

    def __init__(self, proc: Path) -> None:
        self._proc = proc
        self._labels: dict[int, str] = {}
        self._rest_until_ns = 0

    def labels(self, inodes: Collection[int]) -> dict[int, str]:
        """Return inode -> ``NAME[PID]`` of the process with the lowest number that holds the socket.

        Process 1 comes last: it holds the sockets of the services that it starts. "" where no process is visible (a
        socket of the kernel, or of another user without CAP_SYS_PTRACE) or no search was due.
        """
        known = {inode: self._labels[inode] for inode in inodes if inode in self._labels}
        wanted = set(inodes) - known.keys()
        begin_ns = time.monotonic_ns()
        if wanted and begin_ns >= self._rest_until_ns:
            holders = _socket_holders(self._proc, wanted)
            known.update((inode, holders.get(inode, "")) for inode in wanted)
            end_ns = time.monotonic_ns()
            self._rest_until_ns = end_ns + _REST * (end_ns - begin_ns)
        self._labels = known if len(self._labels) > _REMEMBERED else {**self._labels, **known}
        return {inode: known.get(inode, "") for inode in inodes}


def _socket_holders(proc: Path, inodes: Collection[int]) -> dict[int, str]:
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    holders: dict[int, str] = {}
    for process in sorted(_processes(proc), key=lambda process: process.name == "1"):
        with contextlib.suppress(OSError):  # the process ended, or belongs to another user
            folder = f"{process}/fd/"
            for number in os.listdir(folder):
                with contextlib.suppress(OSError):
                    inode = wanted.pop(os.readlink(folder + number), None)
                    if inode is not None:
                        holders[inode] = f"{_name(process)}[{process.name}]"
        if not wanted:
            break
    return holders


def _processes(proc: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):  # no /proc here: no process is visible
        for process in sorted((entry for entry in os.listdir(proc) if entry.isdigit()), key=int):
            yield proc / process


def _holds(process: Path, prog_id: int) -> bool:
    wanted = f"prog_id:\t{prog_id}\n"
    with contextlib.suppress(OSError):  # the process ended, or belongs to another user
        for number in os.listdir(process / "fd"):
            with contextlib.suppress(OSError):
                is_bpf = os.readlink(process / "fd" / number) in _BPF_FILES
                if is_bpf and wanted in (process / "fdinfo" / number).read_text():
                    return True
    return False


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "a process"
