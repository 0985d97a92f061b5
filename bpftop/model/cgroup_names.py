"""Containers and units by the path of a cgroup, as the common container engines and systemd write the path."""

from __future__ import annotations

import re
from typing import Literal

from bpftop.fields import frozen

_ID = r"[0-9a-f]{64}"
_POD = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})")
_CONTAINER = (
    ("docker", re.compile(rf"(?:^|/)docker[-/]({_ID})(?:\.scope)?(?:/|$)")),
    ("containerd", re.compile(rf"(?:^|/)(?:cri-containerd[-:]|[^/]*:cri-containerd:)({_ID})(?:\.scope)?(?:/|$)")),
    ("cri-o", re.compile(rf"(?:^|/)crio-(?:conmon-)?({_ID})(?:\.scope)?(?:/|$)")),
    ("podman", re.compile(rf"(?:^|/)libpod(?:-conmon)?-({_ID})(?:\.scope)?(?:/|$)")),
    ("lxc", re.compile(r"(?:^|/)lxc(?:\.payload)?[./]([A-Za-z0-9_.-]+)(?:/|$)")),
    ("pod", re.compile(rf"/kubepods[^/]*/.*?({_ID})(?:\.scope)?(?:/|$)")),
)
_UNIT = re.compile(r"(?:^|/)([^/]+\.(?:service|scope))(?:/|$)")
_SHORT = 12

CgroupKind = Literal["container", "unit"]


@frozen
class Service:
    """A container or a systemd unit. ``name`` is the engine's id cut at 12 characters, or the name of the unit.

    ``pod`` is the uid of a Kubernetes pod; empty outside of Kubernetes.
    """

    kind: CgroupKind
    engine: str
    name: str
    pod: str = ""

    def __str__(self) -> str:
        return f"{self.engine} {self.name}" if self.kind == "container" else self.name


def service_of(path: str) -> Service | None:
    """Return the innermost container, or else the innermost unit, of a cgroup path; None where it names neither.

    Sources: the cgroup drivers of runc (``docker-ID.scope``, ``/docker/ID``), of the kubelet
    (``kubepods-burstable-podUID.slice/cri-containerd-ID.scope``), of podman (``libpod-ID.scope``) and of LXC.
    """
    best: tuple[int, Service] | None = None
    pod = _POD.search(path)
    uid = pod[1].replace("_", "-") if pod else ""
    for engine, pattern in _CONTAINER:
        for match in pattern.finditer(path):
            if best is None or match.start() > best[0]:
                best = match.start(), Service("container", engine, match[1][:_SHORT], uid)
    if best is not None:
        return best[1]
    units = _UNIT.findall(path)
    return Service("unit", "systemd", units[-1]) if units else None


def unified_path(proc_cgroup: str) -> str:
    """Return the path in the hierarchy of cgroup v2 by the text of /proc/PID/cgroup, or else in another hierarchy."""
    lines = [line.split(":", 2) for line in proc_cgroup.splitlines() if line.count(":") >= 2]
    unified = [path for number, _, path in lines if number == "0"]
    return next(iter([*(path for path in unified if path != "/"), *(path for _, _, path in lines)]), "")
