"""Which processes hold a BPF program: by /proc/PID/fdinfo, because the kernel keeps no such list."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
_BPF_FILES = ("anon_inode:bpf-prog", "anon_inode:bpf_link", "anon_inode:[bpf_link]")


def owners(prog_id: int, proc: Path = PROC) -> tuple[str, ...]:
    """``NAME (pid N)`` of every process that holds the program or a link to it.

    A program attached by netlink or pinned needs no process. Processes of others are seen only with CAP_SYS_PTRACE.
    """
    return tuple(f"{_name(process)} (pid {process.name})" for process in _processes(proc) if _holds(process, prog_id))


def _processes(proc: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):  # no /proc here: nobody can be seen
        for process in sorted((entry for entry in os.listdir(proc) if entry.isdigit()), key=int):
            yield proc / process


def _holds(process: Path, prog_id: int) -> bool:
    wanted = f"prog_id:\t{prog_id}\n"
    with contextlib.suppress(OSError):  # it ended meanwhile, or is not ours to look into
        for number in os.listdir(process / "fd"):
            with contextlib.suppress(OSError):
                is_bpf = os.readlink(process / "fd" / number) in _BPF_FILES
                if is_bpf and wanted in (process / "fdinfo" / number).read_text():
                    return True
    return False


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a process"
