"""Shared by all tests: the markers ``bpf``, ``root`` and ``needs`` for what a test requires, and private namespaces.

Where a requirement is missing the test is skipped, and the reason is one sentence. Under ``BPFTOP_REQUIRE_BPF=1`` (as
in CI) every skipped test fails, whatever its reason.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

    from bpftop.kernel.net.netdev import Netdev
    from tests.bpf.devices import Lab

os.environ.pop("COLUMNS", None)  # pytest-xdist sets it for its workers; the commands under test would obey it

REQUIRE_BPF = os.environ.get("BPFTOP_REQUIRE_BPF") == "1"

# A shared machine stalls now and then; the time of one example says nothing.
settings.register_profile("bpftop", deadline=None)
settings.load_profile("bpftop")

if os.geteuid() == 0 != os.stat(__file__).st_uid:
    # Run through sudo in a person's checkout: leave no files there that only root can remove.
    hypothesis_home = tempfile.TemporaryDirectory(prefix="bpftop-hypothesis-")
    set_hypothesis_home_dir(hypothesis_home.name)

# bpf(2) has no wrapper in libc; the numbers are in each architecture's asm/unistd.h.
BPF_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}


ANYWHERE = frozenset({"config", "export", "fuzz", "history", "hooks", "model", "render", "rules", "store", "tui"})
"""Rooms whose tests touch nothing but their own files, or namespaces that they have made."""
COUNT_NOTHING = (
    "config_options", "diff", "export", "garbage_collection", "hostile_files", "man_pages", "output", "settings_writer",
    "terminal_manners", "usage",
)  # fmt: skip
"""Tests of the commands that attach no program."""
GROUPS = {
    **{f"cli/test_{name}.py": "commands" for name in COUNT_NOTHING},
    "cli": "cli", "demo": "faults", "faults": "faults", "build": "builds", "qemu": "builds",
}  # fmt: skip
"""Room, or file of a room -> the group whose tests run one after the other. All rooms in neither table are one more
group, "kernel"."""


class Scheduling(LoadScopeScheduling):
    """Lets the tests of a group run one after the other in one worker, beside the other groups and all other tests."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0].removeprefix("tests/")
        room = file.partition("/")[0]
        return nodeid if room in ANYWHERE else GROUPS.get(file) or GROUPS.get(room, "kernel")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)


@functools.cache
def bpf_obstacle() -> str | None:
    """Return the reason why BPF tests cannot run here, or None.

    A map and a network namespace are made: no privilege bit foretells whether that succeeds.
    """
    number = BPF_SYSCALL.get(os.uname().machine)
    if number is None:
        return f"the number of bpf(2) on {os.uname().machine} is not known"
    # union bpf_attr of BPF_MAP_CREATE: BPF_MAP_TYPE_ARRAY, key_size, value_size, max_entries
    attributes = (ctypes.c_uint32 * 4)(2, 4, 8, 1)
    libc = ctypes.CDLL(None, use_errno=True)
    map_fd = libc.syscall(number, 0, attributes, ctypes.sizeof(attributes))
    if map_fd < 0:
        refusal = errno.errorcode[ctypes.get_errno()]
        return f"bpf(2) refuses to make a map: {refusal} (root and a kernel with BPF are needed)"
    os.close(map_fd)
    unshare = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True)
    return f"no new network namespace: {unshare.stderr.strip()}" if unshare.returncode else None


def obstacles(item: pytest.Item) -> Iterator[str]:
    """Yield what this machine lacks of the requirements that the markers of the test name."""
    if item.get_closest_marker("bpf") and (reason := bpf_obstacle()):
        yield reason
    if item.get_closest_marker("root") and os.geteuid() != 0:
        yield "root is needed"
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if shutil.which(program) is None:
                yield f"there is no {program} here; contrib/system-packages test installs what the tests need"


def pytest_runtest_setup(item: pytest.Item) -> None:
    for reason in obstacles(item):
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if REQUIRE_BPF and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        reason = report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"BPFTOP_REQUIRE_BPF=1, but the test was skipped: {reason}"
    return report


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Move the test into a private network namespace; see tests/bpf/devices.py."""
    from tests.bpf.devices import Lab  # late: it needs the compiled part of bpftop

    with Lab() as lab:
        yield lab


@pytest.fixture
def netdev(lab: Lab) -> Iterator[Netdev]:
    """Open rtnetlink in the namespace of ``lab``."""
    from bpftop.kernel.net.netdev import Netdev  # late, as in ``lab``

    with closing(Netdev()) as netdev:
        yield netdev
