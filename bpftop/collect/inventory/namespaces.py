"""Places of BPF programs in the network namespaces of the machine: XDP, tc filters, TCX, netkit, flow dissectors."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from bpftop.errors import BpftopError
from bpftop.fields import frozen
from bpftop.kernel.bpf.attached import attached_programs
from bpftop.kernel.net import clsact
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.net.qdiscs import qdiscs
from bpftop.kernel.netns import inside, namespace_inode
from bpftop.model.sample import DIRECTIONS

NAMESPACES_MAX = 64
"""Most network namespaces beside the caller's own whose devices are asked for their programs."""

_RUN_NETNS, _PROC = Path("/run/netns"), Path("/proc")
_OWN_PATH = "/proc/thread-self/ns/net"
_WORDS = {"rx": "ingress", "tx": "egress"}
_BY_DEVICE = ((46, "tcx ingress"), (47, "tcx egress"), (54, "netkit primary"), (55, "netkit peer"))
_FLOW_DISSECTOR = 17


@frozen
class Namespace:
    """A network namespace. ``name`` is the name in ``ip netns``, or names a process in it; empty: the caller's own."""

    inode: int
    path: str
    name: str

    @property
    def where(self) -> str:
        return f" in netns {self.name}" if self.name else ""


@frozen
class NetworkPoints:
    """Program id -> phrases of its places, and the names of the namespaces by inode number."""

    points: Mapping[int, tuple[str, ...]]
    names: Mapping[int, str]


def own_namespace() -> Namespace:
    """Return the network namespace of the calling thread."""
    return Namespace(namespace_inode(), _OWN_PATH, "")


def other_namespaces(own: int) -> list[Namespace]:
    """Return the namespaces of the machine but the one with the inode ``own``: named ones first, at most so many."""
    found: dict[int, Namespace] = {}
    for name, path in (*_named(), *_of_processes()):
        with contextlib.suppress(OSError):
            inode = os.stat(path).st_ino
            if inode != own and inode not in found:
                found[inode] = Namespace(inode, path, name or _process_name(path))
        if len(found) == NAMESPACES_MAX:
            break
    return list(found.values())


def network_points(namespaces: list[Namespace]) -> NetworkPoints:
    """Return the places in these namespaces. One that has been deleted, or is not ours to enter, is left out."""
    points: dict[int, list[str]] = {}
    for each in namespaces:
        with contextlib.suppress(OSError, BpftopError):
            if each.path == _OWN_PATH:
                _read_namespace(points, each)
            else:
                with inside(each.path):
                    _read_namespace(points, each)
    return NetworkPoints(
        {prog_id: tuple(phrases) for prog_id, phrases in points.items()},
        {each.inode: each.name or "this one" for each in namespaces},
    )


def _read_namespace(points: dict[int, list[str]], namespace: Namespace) -> None:
    """Add the places of the namespace that the calling thread is in."""
    where = namespace.where
    with closing(Netdev()) as netdev:
        devices = {device.ifindex: device for device in netdev.devices()}
        for device in devices.values():
            for mode, prog_id in device.xdp.items():
                points.setdefault(prog_id, []).append(f"xdp {mode} {device.name}{where}")
            for attach_type, words in _BY_DEVICE:
                for prog_id in attached_programs(device.ifindex, attach_type):
                    points.setdefault(prog_id, []).append(f"{words} {device.name}{where}")
        with_clsact = {qdisc.ifindex for qdisc in qdiscs(netdev.route, devices) if qdisc.kind in ("clsact", "ingress")}
        for ifindex in with_clsact:
            for direction in DIRECTIONS:
                for each in clsact.filters(netdev.route, ifindex, direction):
                    if each.prog_id is not None:
                        phrase = f"tc {_WORDS[direction]} {devices[ifindex].name}{where}"
                        points.setdefault(each.prog_id, []).append(phrase)
    netns_fd = os.open(_OWN_PATH, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for prog_id in attached_programs(netns_fd, _FLOW_DISSECTOR):
            points.setdefault(prog_id, []).append(f"netns flow dissector {namespace.name or 'of this one'}")
    finally:
        os.close(netns_fd)


def _named() -> Iterator[tuple[str, str]]:
    with contextlib.suppress(OSError):
        yield from ((path.name, str(path)) for path in sorted(_RUN_NETNS.iterdir()))


def _of_processes() -> Iterator[tuple[str, str]]:
    """Yield the namespace of each process, in the order of their pids; its name is looked up only where it is new."""
    pids = sorted(int(each) for each in os.listdir(_PROC) if each.isdecimal())
    yield from (("", f"/proc/{pid}/ns/net") for pid in pids)


def _process_name(path: str) -> str:
    pid = path.split("/")[2]
    return f"of {(_PROC / pid / 'comm').read_text(errors='replace').strip()}[{pid}]"
