"""Where collectors read files: those of this machine, or a recorded tree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bpftop.collect.collector import Unavailable


@dataclass(frozen=True)
class Tree:
    """The file systems that a collector reads; a recorded tree has the same names below ``root``.

    ``sys`` is where sysfs shows the network namespace that is watched: it shows that of its mount, not of the reader.
    ``no_sysfs`` says why there is no such mount.
    """

    root: Path = Path("/")
    sys: Path | None = None
    no_sysfs: str | None = None

    @property
    def proc(self) -> Path:
        return self.root / "proc"

    @property
    def proc_net(self) -> Path:
        """Of the calling thread: ``/proc/net`` is that of the process's first thread, in whatever namespace it is."""
        own = self.proc / "thread-self/net"
        return own if self.root == Path("/") else self.proc / "net"

    @property
    def sysfs(self) -> Path:
        return self.sys or self.root / "sys"

    def device(self, name: str, ifindex: int, what: str) -> Path:
        """What sysfs says of a network device. Raises Unavailable, beginning with ``what``: also where it is another
        device of this name, that of the namespace that the mount shows."""
        if self.no_sysfs is not None:
            raise Unavailable(f"{what}: {self.no_sysfs}")
        folder = self.sysfs / "class/net" / name
        try:
            seen = (folder / "ifindex").read_text().strip()
        except OSError as error:
            seen = str(error.strerror)
        if seen != str(ifindex):
            raise Unavailable(f"{what}: {folder} is not this device ({seen}): sysfs shows another network namespace")
        return folder

    def text(self, path: Path, what: str) -> str:
        """The whole of a file. Raises Unavailable, beginning with ``what``."""
        try:
            return path.read_text(errors="replace")
        except OSError as error:
            raise Unavailable(f"{what}: cannot read {path}: {error.strerror}") from error


def cpu_list(text: str) -> tuple[int, ...]:
    """CPUs of a list such as ``0-3,8`` (Documentation/admin-guide/cputopology.rst). Raises ValueError."""
    cpus: list[int] = []
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            cpus += range(int(first), int(last or first) + 1)
    return tuple(cpus)


def cpu_mask(text: str) -> tuple[int, ...]:
    """CPUs of a hexadecimal mask such as ``00000000,0000000f``: words of 32 bits, the highest first. Raises
    ValueError."""
    bits = int(text.strip().replace(",", "") or "0", 16)
    return tuple(cpu for cpu in range(bits.bit_length()) if bits >> cpu & 1)
