"""Netlink sockets, on the kernel's answers about the loopback interface."""

from __future__ import annotations

import subprocess
import sys

SHORT_DUMP = """
import sys
from bpftop.kernel.net.clsact import filters
from bpftop.kernel.net.netlink import NetlinkSocket
from bpftop.kernel.net.qdiscs import qdiscs
route = NetlinkSocket(0)
print(filters(route, 1, "rx"), "ctypes" in sys.modules)
print(all(qdisc.ifindex == 1 for qdisc in qdiscs(route, {1})), "ctypes" in sys.modules)
"""


def test_a_short_dump_does_without_ctypes() -> None:
    done = subprocess.run([sys.executable, "-c", SHORT_DUMP], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[] False", "True True"]
