"""Find the places to which BPF programs are attached, by links and by interfaces without links (netlink, clsact)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path

from bpftop.errors import BpftopError
from bpftop.kernel.bpf.link_info import LinkInfo
from bpftop.kernel.net import clsact
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.net.qdiscs import qdiscs
from bpftop.kernel.netns import inside
from bpftop.model.sample import DIRECTIONS

NAMESPACES_MAX = 64
"""Most named network namespaces (`ip netns`) whose devices are asked for their programs."""
CGROUPS_MAX = 20_000

_RUN_NETNS, _CGROUPS = Path("/run/netns"), Path("/sys/fs/cgroup")
_WORDS = {"rx": "ingress", "tx": "egress"}
_ATTACH_TYPES = {
    0: "ingress", 1: "egress", 2: "sock create", 3: "sock_ops", 6: "device", 8: "bind4", 9: "bind6", 10: "connect4",
    11: "connect6", 12: "post_bind4", 13: "post_bind6", 14: "sendmsg4", 15: "sendmsg6", 17: "flow dissector",
    18: "sysctl", 19: "recvmsg4", 20: "recvmsg6", 21: "getsockopt", 22: "setsockopt", 23: "raw tracepoint",
    24: "fentry", 25: "fexit", 26: "fmod_ret", 27: "lsm", 28: "iterator", 29: "getpeername4", 30: "getpeername6",
    31: "getsockname4", 32: "getsockname6", 34: "sock release", 36: "sk_lookup", 46: "ingress", 47: "egress",
    54: "primary", 55: "peer",
}  # fmt: skip
"""enum bpf_attach_type in words, by number (include/uapi/linux/bpf.h, Linux 6.18)."""


def by_links(links: Iterable[LinkInfo], devices: Mapping[int, str], cgroups: Mapping[int, str]) -> dict[int, list[str]]:
    """Return program id -> phrases for its links. ``devices`` are the names of this namespace's interfaces."""
    points: dict[int, list[str]] = {}
    for link in links:
        points.setdefault(link.prog_id, []).append(_phrase(link, devices, cgroups))
    return points


def _phrase(link: LinkInfo, devices: Mapping[int, str], cgroups: Mapping[int, str]) -> str:
    words = _ATTACH_TYPES.get(link.attach_type, f"attach type {link.attach_type}")
    if link.type in ("xdp", "tcx", "netkit"):
        device = devices.get(link.ifindex) or (f"ifindex {link.ifindex}" if link.ifindex else "device is gone")
        return f"{link.type} {device}" if link.type == "xdp" else f"{link.type} {words} {device}"
    if link.type == "cgroup":
        return f"cgroup {words} {cgroups.get(link.cgroup_id, f'id {link.cgroup_id}')}"
    if link.type == "netns":
        return f"netns {words} {link.netns_ino}"
    if link.type == "tracing":
        return words
    if link.type in ("struct_ops", "sockmap"):
        return f"{link.type} map {link.map_id}"
    if link.type in ("kprobe_multi", "uprobe_multi"):
        return f"{link.type} {link.count} functions"
    kind = link.event if link.type == "perf_event" else link.type
    return f"{kind.replace('_', ' ')} {link.name}".rstrip()


def by_devices() -> tuple[dict[int, list[str]], dict[int, str]]:
    """Return program id -> phrases for attachments by netlink, in this namespace and in the named ones.

    The second value are the names of this namespace's interfaces, by ifindex. XDP links are reported by netlink too, so
    a phrase here names the interface where a link knows its ifindex only.
    """
    points: dict[int, list[str]] = {}
    names = _devices(points, "")
    own = os.stat("/proc/thread-self/ns/net").st_ino
    for path in sorted(_named_namespaces())[:NAMESPACES_MAX]:
        with contextlib.suppress(OSError, BpftopError):  # it was deleted, or is not ours to enter
            if path.stat().st_ino != own:
                with inside(str(path)):
                    _devices(points, f" in netns {path.name}")
    return points, names


def _named_namespaces() -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from _RUN_NETNS.iterdir()


def _devices(points: dict[int, list[str]], where: str) -> dict[int, str]:
    with closing(Netdev()) as netdev:
        devices = {device.ifindex: device for device in netdev.devices()}
        for device in devices.values():
            for mode, prog_id in device.xdp.items():
                points.setdefault(prog_id, []).append(f"xdp {mode} {device.name}{where}")
        with_clsact = {qdisc.ifindex for qdisc in qdiscs(netdev.route, devices) if qdisc.kind in ("clsact", "ingress")}
        for ifindex in with_clsact:
            for direction in DIRECTIONS:
                for each in clsact.filters(netdev.route, ifindex, direction):
                    if each.prog_id is not None:
                        phrase = f"tc {_WORDS[direction]} {devices[ifindex].name}{where}"
                        points.setdefault(each.prog_id, []).append(phrase)
        return {ifindex: device.name for ifindex, device in devices.items()}


def cgroup_paths(wanted: Iterable[int]) -> dict[int, str]:
    """Return the paths of cgroups by their ids, which are inode numbers; walks at most CGROUPS_MAX folders."""
    missing, paths = set(wanted), dict[int, str]()
    for folder, _, _ in islice(os.walk(_CGROUPS), CGROUPS_MAX):
        if not missing:
            break
        with contextlib.suppress(OSError):
            inode = os.stat(folder).st_ino
            if inode in missing:
                missing.discard(inode)
                paths[inode] = folder.removeprefix(str(_CGROUPS)) or "/"
    return paths
