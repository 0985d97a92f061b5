"""The processes that hold sockets: one walk of /proc that is kept, and renewed where something changed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection
from pathlib import Path

import psutil

from bpftop.fields import frozen
from bpftop.model.cgroup_names import service_of, unified_path

_REST = 99  # pause after a walk, in times of its duration: walks take at most 1 % of a CPU
_FULL_EVERY_NS = 10 * 10**9  # a process that closed one file and opened another shows the same number of files
_PROC = "/proc"
_SOCKET = "socket:["


@frozen
class SocketHolder:
    """A process. ``service``: its container, or else its systemd unit, by its cgroup; empty where there is none."""

    pid: int
    name: str
    service: str


class SocketProcesses:
    """Holders of sockets by inode.

    A walk reads the links of all files of a process, 3 µs each (Linux 6.18). Later walks read the processes that are
    new, and those whose number of open files has changed (the size of /proc/PID/fd, Linux 6.2); all of them again 10 s
    after the last whole walk. So a socket may be without a process for that long.
    """

    def __init__(self) -> None:
        self._inodes: dict[int, tuple[int, ...]] = {}  # pid -> inodes of its sockets
        self._sizes: dict[int, int] = {}
        self._pid_of: dict[int, int] = {}
        self._holders: dict[int, SocketHolder] = {}
        self._missed: set[int] = set()
        self._rest_until_ns = self._full_at_ns = 0
        self.network_namespaces: dict[int, int] = {}
        """Inode of a network namespace -> a process in it, as of the last walks."""
        self.is_refused = False
        """In the last walk the kernel refused the files of a process."""

    def holders(self, inodes: Collection[int]) -> dict[int, SocketHolder]:
        """Return inode -> holder, for the sockets whose process is known; the lowest pid but 1 of several."""
        unknown = {inode for inode in inodes if inode and inode not in self._pid_of}
        now_ns = time.monotonic_ns()
        if (unknown or not self._sizes) and now_ns >= self._rest_until_ns:
            is_full = now_ns >= self._full_at_ns and not unknown <= self._missed
            self._walk(is_full)
            end_ns = time.monotonic_ns()
            self._rest_until_ns = end_ns + _REST * (end_ns - now_ns)
            if is_full:
                self._full_at_ns = end_ns + _FULL_EVERY_NS
                self._missed = {inode for inode in unknown if inode not in self._pid_of}
        return {inode: holder for inode in inodes if (holder := self._holder(inode)) is not None}

    def _walk(self, is_full: bool) -> None:
        try:
            pids = [int(entry) for entry in os.listdir(_PROC) if entry.isdigit()]
        except OSError:  # no /proc here: no process is visible
            return
        gone = self._sizes.keys() - set(pids)
        for pid in gone:
            self._forget(pid)
        self.is_refused = False
        for pid in sorted(
            pids, reverse=True
        ):  # the lowest pid is written last; process 1 holds those it starts others with
            folder = f"{_PROC}/{pid}/fd"
            try:
                size = os.stat(folder).st_size
                if is_full or pid not in self._sizes or size != self._sizes[pid]:
                    self._read(pid, folder, size)
            except PermissionError:  # the process of another user
                self.is_refused = True
                self._forget(pid)
            except OSError:  # the process ended
                self._forget(pid)

    def _read(self, pid: int, folder: str, size: int) -> None:
        self._forget(pid)
        inodes = []
        for number in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                target = os.readlink(f"{folder}/{number}")
                if target.startswith(_SOCKET):
                    inodes.append(int(target[len(_SOCKET) : -1]))
        self._sizes[pid], self._inodes[pid] = size, tuple(inodes)
        for inode in inodes:
            other = self._pid_of.get(inode)
            if (
                other is None or other == 1 or 1 < pid < other
            ):  # process 1 holds the sockets of the services that it starts
                self._pid_of[inode] = pid
        with contextlib.suppress(OSError):
            self.network_namespaces[os.stat(f"{_PROC}/{pid}/ns/net").st_ino] = pid

    def _forget(self, pid: int) -> None:
        self._sizes.pop(pid, None)
        self._holders.pop(pid, None)
        for inode in self._inodes.pop(pid, ()):
            if self._pid_of.get(inode) == pid:
                del self._pid_of[inode]
        for namespace in [inode for inode, each in self.network_namespaces.items() if each == pid]:
            del self.network_namespaces[namespace]

    def _holder(self, inode: int) -> SocketHolder | None:
        pid = self._pid_of.get(inode)
        if pid is None:
            return None
        if pid not in self._holders:
            holder = self._look_up(pid)
            if holder is None:
                self._forget(pid)
                return None
            self._holders[pid] = holder
        return self._holders[pid]

    def _look_up(self, pid: int) -> SocketHolder | None:
        """Return the process by psutil, which knows names beyond the 15 bytes that the kernel keeps."""
        try:
            name = os.fsencode(psutil.Process(pid).name()).decode("utf-8", "replace")
            service = service_of(unified_path(Path(_PROC, str(pid), "cgroup").read_text(errors="replace")))
        except (psutil.Error, OSError):  # it ended
            return None
        return SocketHolder(pid, name, "" if service is None else str(service))
