"""The filter of system calls: what it refuses, and that everything else goes on."""

from __future__ import annotations

import subprocess
import sys
from ctypes.util import find_library

import pytest

from bpftop.kernel import least_privilege as seccomp

FILTERED = """
import os, subprocess, threading
from bpftop.kernel.least_privilege import refuse_system_calls
assert refuse_system_calls()
def refused(act):
    try:
        act()
    except PermissionError:
        print("refused")
threads = [threading.Thread(target=refused, args=(act,)) for act in (
    lambda: subprocess.run(["true"]), lambda: os.chroot("/"), lambda: os.setgroups([]))]
for thread in threads:
    thread.start()
    thread.join()
print(len(open("/proc/self/status").read()) > 0)
"""


@pytest.mark.skipif(find_library("seccomp") is None, reason="no libseccomp on this machine")
def test_what_is_refused() -> None:
    done = subprocess.run([sys.executable, "-c", FILTERED], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("refused\nrefused\nrefused\nTrue\n", "")


def test_without_the_library_there_is_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "LIBRARY", "libno-such-library.so")
    assert not seccomp.refuse_system_calls()
