"""Paths of the files that collectors read: the files of this machine, or a recorded tree."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.missing_files import hidden_by
from bpftop.collect.procfs.open_file import read_once
from bpftop.fields import frozen
from bpftop.kernel.net.names import name_bytes
from bpftop.model.cpu_lists import parse_cpu_list


class FileMissing(Unavailable):
    """The file does not exist: the kernel has no such part, or does not show it in this namespace."""


@frozen
class Tree:
    """The file systems that collectors read. A recorded tree has the same names below ``root``.

    ``sys`` is a sysfs mount of the watched network namespace: sysfs shows the namespace in which it was mounted, not
    the reader's. ``no_sysfs`` says why there is no such mount.
    """

    root: Path = Path("/")
    sys: Path | None = None
    no_sysfs: str | None = None

    @cached_property
    def is_recorded(self) -> bool:
        return self.root != Path("/")

    @property
    def proc(self) -> Path:
        return self.root / "proc"

    @property
    def proc_net(self) -> Path:
        """Return the calling thread's net folder. ``/proc/net`` belongs to the first thread, in whatever namespace."""
        return self.proc / ("net" if self.is_recorded else "thread-self/net")

    @property
    def sysfs(self) -> Path:
        return self.sys or self.root / "sys"

    def device(self, name: str, ifindex: int, subject: str) -> Path:
        """Return the sysfs folder of a network device.

        Raises:
            Unavailable: sysfs has no such device, or shows a device of the same name in another network namespace.
        """
        if self.no_sysfs is not None:
            raise Unavailable(f"{subject}: {self.no_sysfs}")
        folder = self.sysfs / "class/net" / os.fsdecode(name_bytes(name))
        try:
            seen = read_once(folder / "ifindex").strip()
        except OSError as error:
            seen = str(error.strerror)
        if seen != str(ifindex):
            raise Unavailable(f"{subject}: {folder} is not this device ({seen}): sysfs shows another network namespace")
        return folder

    def online_cpus(self, subject: str) -> tuple[int, ...]:
        """Return the CPUs that run now. Raises Unavailable, and ValueError where the kernel's list is damaged."""
        return parse_cpu_list(self.text(self.root / "sys/devices/system/cpu/online", subject))

    def text(self, path: Path, subject: str) -> str:
        """Return the whole content of a file.

        Raises:
            Unavailable: the file cannot be read; FileMissing where it does not exist. The sentence begins with
                ``subject``.
        """
        try:
            return read_once(path)
        except OSError as error:
            raise unreadable(path, subject, error) from error


def unreadable(path: Path, subject: str, error: OSError) -> Unavailable:
    """Return the sentence about a file that cannot be read: absent (FileMissing), hidden here, or with an error."""
    if not isinstance(error, FileNotFoundError):
        return Unavailable(f"{subject}: cannot read {path}: {error.strerror}")
    hidden = hidden_by(path)
    if hidden is not None:
        return Unavailable(f"{subject}: {path} is hidden here: {hidden}")
    return FileMissing(f"{subject}: cannot read {path}: {error.strerror}")
