"""Programs that are attached to cgroups, and the paths of cgroups by their ids."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from bpftop.collect.inventory.mounts import mount_points
from bpftop.kernel.bpf.attached import attached_programs

CGROUPS_MAX = 20_000
"""Most cgroups that are looked at."""

QUERIED_MAX = 2_000
"""Most cgroups that are asked for their programs: some 2 µs for each place in each cgroup."""

PLACES: dict[str, dict[int, str]] = {
    "cgroup_skb": {0: "ingress", 1: "egress"},
    "cgroup_sock": {2: "sock create", 34: "sock release", 12: "post_bind4", 13: "post_bind6"},
    "sock_ops": {3: "sock_ops"},
    "cgroup_device": {6: "device"},
    "cgroup_sock_addr": {
        8: "bind4", 9: "bind6", 10: "connect4", 11: "connect6", 14: "sendmsg4", 15: "sendmsg6", 19: "recvmsg4",
        20: "recvmsg6", 29: "getpeername4", 30: "getpeername6", 31: "getsockname4", 32: "getsockname6",
        49: "unix connect", 50: "unix sendmsg", 51: "unix recvmsg", 52: "unix getpeername", 53: "unix getsockname",
    },
    "cgroup_sysctl": {18: "sysctl"},
    "cgroup_sockopt": {21: "getsockopt", 22: "setsockopt"},
}  # fmt: skip
"""Type of a program -> attach types of a cgroup (enum bpf_attach_type) and their words."""


def cgroup_paths(wanted: Iterable[int]) -> dict[int, str]:
    """Return the paths of cgroups by their ids, which are inode numbers; walks at most CGROUPS_MAX folders."""
    missing, paths = set(wanted), dict[int, str]()
    for folder, path in _walk() if missing else ():
        with contextlib.suppress(OSError):
            inode = os.stat(folder).st_ino
            if inode in missing:
                missing.discard(inode)
                paths[inode] = path
        if not missing:
            break
    return paths


def by_cgroups(types: Collection[str]) -> dict[int, list[str]]:
    """Return program id -> phrases for the cgroups that programs of these types are attached to.

    Raises KernelError: EPERM without CAP_NET_ADMIN.
    """
    places = [pair for kind in types for pair in PLACES.get(kind, {}).items()]
    points: dict[int, list[str]] = {}
    for folder, path in islice(_walk(), QUERIED_MAX) if places else ():
        try:
            cgroup_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:  # it was removed
            continue
        try:
            for attach_type, words in places:
                for prog_id in attached_programs(cgroup_fd, attach_type):
                    points.setdefault(prog_id, []).append(f"cgroup {words} {path}")
        finally:
            os.close(cgroup_fd)
    return points


def _walk() -> Iterator[tuple[str, str]]:
    """Yield each folder of the unified hierarchy, and its path below the mount."""
    for mount in mount_points("cgroup2")[:1]:
        for folder, _, _ in islice(os.walk(mount.path), CGROUPS_MAX):
            yield folder, folder.removeprefix(mount.path) or "/"
