"""Files of /proc and /sys that stay open: on each kernel, a read at offset 0 gives what a fresh open gives."""

from __future__ import annotations

import re
import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path
from unittest.mock import patch

from bpftop.collect.procfs.open_file import HeldFile
from bpftop.collect.procfs.sysctls import SYSCTLS, TRIPLES

NET = ("softnet_stat", "snmp", "snmp6", "netstat", "sockstat", "sockstat6", "udp", "udp6",
       "stat/nf_conntrack", "stat/arp_cache", "stat/ndisc_cache")  # fmt: skip
FILES = (
    *(f"/proc/{name}" for name in ("stat", "softirqs", "interrupts", "self/statm")),
    *(f"/proc/thread-self/net/{name}" for name in NET),
    "/proc/1/net/stat/arp_cache",
    "/proc/sys/net/netfilter/nf_conntrack_count",
    *(f"/proc/sys/{name.replace('.', '/')}" for name in (*SYSCTLS, *TRIPLES)),
    "/sys/devices/system/cpu/online",
)
CHANGING = ("/proc/stat", *(f"/proc/thread-self/net/{name}" for name in ("softnet_stat", "snmp", "netstat")))
"""Files that the datagrams or the passing time change."""
QUIET_TRIES = 50


def stay_open() -> str:
    """Read each file, send datagrams, read the same open file again, and compare with fresh opens around that read."""
    paths = [Path(name) for name in FILES if Path(name).exists()]
    with ExitStack() as stack:
        held = {path: stack.enter_context(closing(HeldFile(path))) for path in paths}
        first = {path: file.text() for path, file in held.items()}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(10):
                sender.sendto(b"?", ("127.0.0.1", 9))
        time.sleep(0.1)
        with patch("bpftop.collect.procfs.open_file.os.open") as opening:  # a second open would fail
            again = {path: _as_fresh(path, file) for path, file in held.items()}
        assert not opening.called, opening.call_args_list
    unchanged = [name for name in CHANGING if first[Path(name)] == again[Path(name)]]
    assert not unchanged, unchanged
    missing = sorted(set(FILES) - set(map(str, paths)))
    return f"{len(paths)} files read anew while open; not on this kernel: {', '.join(missing) or 'none'}"


def _as_fresh(path: Path, file: HeldFile) -> str:
    """Return what the open file gives, compared with a fresh open. Raises AssertionError."""
    for _ in range(QUIET_TRIES):
        before, text, after = _fresh(path), file.text(), _fresh(path)
        if before == after:  # nothing moved meanwhile
            assert text == before, (path, text, before)
            return text
    assert _shape(text) == _shape(after), (path, text, after)
    return text


def _fresh(path: Path) -> str:
    return path.read_text(errors="replace")


def _shape(text: str) -> list[str]:
    """Return the lines without their numbers."""
    return [" ".join(re.sub(r"\d+", "N", line).split()) for line in text.splitlines()]
