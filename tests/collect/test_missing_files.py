"""Absent, hidden and unreadable files, behind real mounts in a mount namespace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bpftop.collect.procfs.missing_files import hidden_by

pytestmark = pytest.mark.bpf

READ = """
from pathlib import Path

from bpftop.collect.bpf.tracing import no_kernel_btf
from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.conntrack import Conntrack
from bpftop.collect.procfs.counter_files import Snmp6
from bpftop.collect.procfs.missing_files import hidden_by
from bpftop.collect.procfs.softnet import Softnet
from bpftop.collect.procfs.sysctls import Sysctls
from bpftop.collect.procfs.tree import Tree

print(no_kernel_btf())
for collector in (Conntrack, Snmp6, Softnet, Sysctls):
    try:
        print(*collector(Tree()).read_rows())
    except Unavailable as error:
        print(error)
print(hidden_by(Path("/proc/sys/net/netfilter/nf_conntrack_count")))
"""


def sentences(mounts: str) -> list[str]:
    """Return what collectors say after shell commands in a mount namespace of their own."""
    script = f"{mounts}; exec {sys.executable} -c '{READ}'"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-ec", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_proc_of_processes_only_hides_the_sysctls() -> None:
    _, conntrack, snmp6, _, sysctls, _ = sentences("mount -t proc -o subset=pid proc /proc")
    assert "is hidden here: this /proc shows processes only (subset=pid)" in conntrack
    assert "is hidden here: this /proc shows processes only (subset=pid)" in sysctls
    assert snmp6 == "snmp6"  # below /proc/thread-self


def test_covered_folder_hides_the_btf_of_the_kernel() -> None:
    btf, *_ = sentences("mount -t tmpfs none /sys/kernel")
    assert btf.startswith("the kernel's BTF is hidden here: another file system covers /sys/kernel")


def test_missing_sysfs_hides_the_btf_of_the_kernel() -> None:
    btf, *_ = sentences("umount -l /sys")
    assert "/sys is not mounted" in btf


def test_covered_sysctls_hide_connection_tracking() -> None:
    assert sentences("mount -t tmpfs none /proc/sys/net")[-1] == "another file system covers /proc/sys/net"


def test_absent_files_are_not_hidden(tmp_path: Path) -> None:
    assert hidden_by(Path("/proc/sys/net/nothing/at_all")) is None
    assert hidden_by(Path("/sys/kernel/nothing/at_all")) is None
    assert hidden_by(Path("/proc/nothing")) is None
    assert hidden_by(tmp_path / "proc/nothing") is None
