"""Containers and units by cgroup paths as the engines write them."""

from __future__ import annotations

import pytest

from bpftop.model.cgroup_names import Service, service_of, unified_path

ID = "0123456789abcdef" * 4
UID = "8f3d1c2e-0f65-4b9e-a1d3-5c7e9f012345"
SHORT = ID[:12]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/system.slice/docker-{ID}.scope", Service("container", "docker", SHORT)),
        (f"/docker/{ID}", Service("container", "docker", SHORT)),
        (f"/docker/{ID}/init", Service("container", "docker", SHORT)),
        (
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID.replace('-', '_')}.slice/"
            f"cri-containerd-{ID}.scope",
            Service("container", "containerd", SHORT, UID),
        ),
        (f"/kubepods/besteffort/pod{UID}/{ID}", Service("container", "pod", SHORT, UID)),
        (f"/kubepods.slice/kubepods-pod{UID}.slice/crio-{ID}.scope", Service("container", "cri-o", SHORT, UID)),
        (f"/user.slice/user-1000.slice/user@1000.service/libpod-{ID}.scope", Service("container", "podman", SHORT)),
        ("/lxc.payload.web/init.scope", Service("container", "lxc", "web")),
        ("/system.slice/nginx.service", Service("unit", "systemd", "nginx.service")),
        ("/user.slice/user-0.slice/session-3.scope", Service("unit", "systemd", "session-3.scope")),
        ("/", None),
        ("/docker/short", None),
        ("", None),
    ],
)  # fmt: skip
def test_services_by_path(path: str, expected: Service | None) -> None:
    assert service_of(path) == expected


def test_a_service_in_words() -> None:
    assert str(Service("container", "docker", SHORT)) == f"docker {SHORT}"
    assert str(Service("unit", "systemd", "nginx.service")) == "nginx.service"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("0::/system.slice/ssh.service\n", "/system.slice/ssh.service"),
        ("1:name=systemd:/docker/x\n0::/\n", "/docker/x"),
        ("0::/\n", "/"),
        ("12:pids:/a:b\n", "/a:b"),
        ("", ""),
    ],
)
def test_the_path_of_a_process(text: str, path: str) -> None:
    assert unified_path(text) == path
