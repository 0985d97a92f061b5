"""Questions about privileges, the terminal, the network stack without BPF, and versions."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bpftop.collect.attach.attachments import FILES_LEAST, interfaces_most
from bpftop.collect.attach.fact_gathering import kernel_release
from bpftop.config.resources import free_files, open_file_limit
from bpftop.config.settings_file import Loaded
from bpftop.doctor.answers import Question, Verdict, elapsed_ms, no, not_applicable, unknown, yes
from bpftop.kernel.bpf.probe import libbpf_version
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.privileges import Privileges, privileges_remedy

MEMLOCK_FREE = (5, 11)  # since then BPF memory is charged to the cgroup (torvalds/linux 5.11, bpf: memcg accounting)
SCREEN_COLUMNS, SCREEN_LINES = 50, 10  # a smaller screen shows only a notice (bpftop/tui/screens/frame.py)
USES = {
    "CAP_BPF": "loading programs and creating maps",
    "CAP_PERFMON": "loading the counters (the verifier's checks of packet pointers) and tracepoints",
    "CAP_NET_ADMIN": "loading network programs, attaching by clsact",
    "CAP_NET_RAW": "watching ARP for addresses that two hosts have",
    "CAP_SYS_ADMIN": "entering namespaces (the demo, the probes here), naming and watching other programs",
    "CAP_SYS_PTRACE": "finding out which process holds a program",
}
"""Capability -> its use in bpftop."""


def privilege_questions(privileges: Privileges) -> list[Question]:
    """Return a question for each capability that bpftop uses."""
    return [Question(name, partial(_capability, name, use, privileges)) for name, use in USES.items()]


def _capability(name: str, use: str, privileges: Privileges) -> Verdict:
    if privileges.effective is None:
        return unknown("/proc/thread-self/status cannot be read", f"needed for {use}")
    if privileges.missing((name,)):
        return no(f"missing; needed for {use}", privileges_remedy())
    return yes("held")


def questions(netdev: Netdev, environment: Mapping[str, str], config: Path, loaded: Loaded) -> list[Question]:
    """Return the questions. ``loaded`` is the result of reading the configuration file ``config``."""
    return [
        Question("open files", _open_files),
        Question("locked memory", _locked_memory),
        Question("rtnetlink", partial(_rtnetlink, netdev)),
        Question("ethtool", partial(_ethtool, netdev)),
        Question("default route", partial(_default_route, netdev)),
        Question("terminal", partial(_terminal, environment)),
        Question("configuration", partial(_configuration, config, loaded)),
        Question("versions", _versions),
    ]


def _open_files() -> Verdict:
    return open_files(free_files(), open_file_limit())


def open_files(free: int, limit: int) -> Verdict:
    """Tell how many interfaces can have programs by the limit of open files."""
    interfaces = interfaces_most(free)
    if not interfaces:
        return no(
            f"the limit of {limit} leaves no room for the programs of an interface",
            f"raise the limit of open files to {limit - free + FILES_LEAST} or more (ulimit -n)",
        )
    return yes(f"the limit of {limit} leaves room for the programs of {interfaces} interface{'s' * (interfaces > 1)}")


def _locked_memory() -> Verdict:
    return locked_memory(kernel_release(), resource.getrlimit(resource.RLIMIT_MEMLOCK)[0], Privileges.read())


def locked_memory(kernel: tuple[int, int], limit_bytes: int, privileges: Privileges) -> Verdict:
    """Tell whether RLIMIT_MEMLOCK is large enough for the maps. libbpf raises the limit where it may."""
    limit = "unlimited" if limit_bytes == resource.RLIM_INFINITY else f"{limit_bytes >> 10} KiB"
    if kernel >= MEMLOCK_FREE:
        return yes(f"the limit of {limit} does not matter since Linux 5.11")
    if limit_bytes == resource.RLIM_INFINITY or privileges.holds("CAP_SYS_RESOURCE"):
        return yes(f"limit {limit}" + ("" if limit == "unlimited" else ", raised when needed"))
    return no(f"limit {limit}", "may be too small before Linux 5.11: run `ulimit -l unlimited` first")


def _rtnetlink(netdev: Netdev) -> Verdict:
    start_ns = time.monotonic_ns()
    devices = netdev.devices()
    took = elapsed_ms(start_ns)
    counters = min(len(device.counters) for device in devices)
    if not counters:
        return no("the kernel sends devices without counters", "please report it")
    return yes(f"{counters} counters of each of {len(devices)} devices in {took}")


def _ethtool(netdev: Netdev) -> Verdict:
    for device in netdev.devices():
        driver = netdev.ethtool.driver(device.name)
        if driver is not None:
            return yes(f"{device.name} has the driver {driver.name}")
    return not_applicable("no device here has a driver")


def _default_route(netdev: Netdev) -> Verdict:
    ifindex = netdev.default_route()
    device = None if ifindex is None else netdev.device(ifindex)
    if device is None:
        return not_applicable("there is no default route", "name an interface, or run `bpftop demo`")
    return yes(f"{device.name}; `bpftop` without an interface watches it")


def _terminal(environment: Mapping[str, str]) -> Verdict:
    descriptors = [fd for fd in (0, 1, 2) if os.isatty(fd)]
    size = os.get_terminal_size(descriptors[0]) if descriptors else None
    return terminal(size, len(descriptors) == 3, environment)


def terminal(size: os.terminal_size | None, all_streams: bool, environment: Mapping[str, str]) -> Verdict:
    """Tell whether the live screen can be drawn. ``size`` is None where no standard stream is a terminal."""
    if size is None:
        return not_applicable(
            "no standard stream is a terminal", "the live screen needs a terminal; `bpftop watch` does not"
        )
    term = environment.get("TERM", "")
    description = f"{size.columns} x {size.lines}, {_colours(environment)}, TERM={term or '(not set)'}"
    if term in ("", "dumb", "unknown"):
        return no(description, "the live screen must move the cursor: set TERM to the name of your terminal")
    if size.columns < SCREEN_COLUMNS or size.lines < SCREEN_LINES:
        return no(description, f"too small for the live screen: make it {SCREEN_COLUMNS} x {SCREEN_LINES} or larger")
    return yes(description if all_streams else f"{description}; a standard stream is redirected now")


def _colours(environment: Mapping[str, str]) -> str:
    if environment.get("NO_COLOR"):
        return "no colours (NO_COLOR)"
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "16 M colours"
    return "256 colours" if "256color" in environment.get("TERM", "") else "16 colours"


def _configuration(config: Path, loaded: Loaded) -> Verdict:
    if loaded.message is not None:
        return no(loaded.message, "correct the file; the defaults are used until then")
    return yes(str(config) if config.exists() else f"there is no {config}: the defaults are used")


def _versions() -> Verdict:
    versions = f"Linux {platform.release()} {platform.machine()}, Python {platform.python_version()}"
    versions += f", libbpf {libbpf_version()}"
    try:
        return yes(f"{versions}, textual {version('textual')}")
    except PackageNotFoundError:
        return no(f"{versions}, no textual", f"the live screen needs it: run {sys.executable} -m pip install textual")
