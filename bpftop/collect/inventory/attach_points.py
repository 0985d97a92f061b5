"""Find the places to which BPF programs are attached: by links, devices, cgroups, namespaces and perf events."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from bpftop.collect.inventory.cgroups import PLACES, by_cgroups, cgroup_paths
from bpftop.collect.inventory.namespaces import NetworkPoints, network_points, other_namespaces, own_namespace
from bpftop.kernel.bpf.attached import PerfAttachment
from bpftop.kernel.bpf.link_info import LinkInfo

KEPT_NS = 10 * 10**9
"""Longest time that the places in other namespaces, and in cgroups, are kept while the programs and links are the same.

64 namespaces take some 30 ms, 2 000 cgroups up to 100 ms.
"""

REST_SHARE = 20
"""After these places were read, the reader rests for so many times as long, where programs come and go all the time."""

_ATTACH_TYPES = {
    0: "ingress", 1: "egress", 2: "sock create", 3: "sock_ops", 6: "device", 8: "bind4", 9: "bind6", 10: "connect4",
    11: "connect6", 12: "post_bind4", 13: "post_bind6", 14: "sendmsg4", 15: "sendmsg6", 17: "flow dissector",
    18: "sysctl", 19: "recvmsg4", 20: "recvmsg6", 21: "getsockopt", 22: "setsockopt", 23: "raw tracepoint",
    24: "fentry", 25: "fexit", 26: "fmod_ret", 27: "lsm", 28: "iterator", 29: "getpeername4", 30: "getpeername6",
    31: "getsockname4", 32: "getsockname6", 34: "sock release", 36: "sk_lookup", 46: "ingress", 47: "egress",
    54: "primary", 55: "peer",
}  # fmt: skip
"""enum bpf_attach_type in words, by number (include/uapi/linux/bpf.h, Linux 6.18)."""

_ASKED_BY_PLACE = frozenset({"xdp", "tcx", "netkit", "cgroup"})
"""Types of links whose programs the places themselves name, by interface or path."""


class AttachPoints:
    """Finds the places of programs, and keeps those that are dear to find until programs or links change."""

    def __init__(self) -> None:
        self._key: object = None
        self._kept_until_ns = self._rest_until_ns = 0
        self._elsewhere = NetworkPoints({}, {})
        self._cgroups: dict[int, list[str]] = {}

    def read(
        self, types: Mapping[int, str], links: Iterable[LinkInfo], perf_events: Iterable[PerfAttachment]
    ) -> dict[int, list[str]]:
        """Return program id -> phrases. ``types`` are the types of all programs. Raises KernelError, OSError."""
        links = tuple(links)
        own = own_namespace()
        here = network_points([own])
        self._read_elsewhere((own.inode, frozenset(types), frozenset(link.link_id for link in links)), own.inode, types)
        points = {prog_id: list(phrases) for prog_id, phrases in here.points.items()}
        for prog_id, phrases in (*self._elsewhere.points.items(), *self._cgroups.items()):
            points.setdefault(prog_id, []).extend(phrases)
        named = frozenset(points)
        cgroups = cgroup_paths({link.cgroup_id for link in links if link.cgroup_id and link.prog_id not in named})
        names = {**self._elsewhere.names, **here.names}
        for link in links:
            if link.prog_id not in named or link.type not in _ASKED_BY_PLACE:
                points.setdefault(link.prog_id, []).append(phrase(link, cgroups, names))
        for each in perf_events:
            words = f"{each.kind} {each.name}".rstrip()
            if words not in points.setdefault(each.prog_id, []):
                points[each.prog_id].append(words)
        return points

    def _read_elsewhere(self, key: object, own: int, types: Mapping[int, str]) -> None:
        now_ns = time.monotonic_ns()
        if now_ns < (self._kept_until_ns if key == self._key else self._rest_until_ns):
            return
        self._elsewhere = network_points(other_namespaces(own))
        self._cgroups = by_cgroups(set(types.values()) & PLACES.keys())
        took_ns = time.monotonic_ns() - now_ns
        self._key, self._kept_until_ns, self._rest_until_ns = key, now_ns + KEPT_NS, now_ns + REST_SHARE * took_ns


def phrase(link: LinkInfo, cgroups: Mapping[int, str], namespaces: Mapping[int, str]) -> str:
    """Return where a link attaches its program. ``cgroups`` and ``namespaces`` are names by inode number."""
    words = _ATTACH_TYPES.get(link.attach_type, f"attach type {link.attach_type}")
    if link.type in ("xdp", "tcx", "netkit"):
        where = f"ifindex {link.ifindex} of an unseen netns" if link.ifindex else "device is gone"
        return f"xdp {where}" if link.type == "xdp" else f"{link.type} {words} {where}"
    if link.type == "cgroup":
        return f"cgroup {words} {cgroups.get(link.cgroup_id, f'id {link.cgroup_id}')}"
    if link.type == "netns":
        return f"netns {words} {namespaces.get(link.netns_ino, link.netns_ino)}"
    if link.type == "tracing":
        return words
    if link.type in ("struct_ops", "sockmap"):
        return f"{link.type} map {link.map_id}"
    if link.type in ("kprobe_multi", "uprobe_multi"):
        return f"{link.type} {link.count} functions"
    kind = link.event if link.type == "perf_event" else link.type
    return f"{kind.replace('_', ' ')} {link.name}".rstrip()
