"""The mirrors of Debian that the sources of apt name."""

from __future__ import annotations

import pytest

from tests.qemu.kernels import Release, mirrors_of

MAIN, SECURITY = Release("trixie-backports", "linux-image"), Release("bookworm-security", "linux-image")


def printed(*sources: str) -> str:
    """Return what ``apt-get update --print-uris`` prints for these sources, each an address and a suite."""
    lines = []
    for source in sources:
        address, suite = source.split()
        for name in ("InRelease", "main/binary-amd64/Packages.xz"):
            lines.append(f"'{address}/dists/{suite}/{name}' some_name 0 \n")
    return "".join(lines)


@pytest.mark.parametrize(
    ("sources", "main", "security"),
    [
        (
            ("http://deb.debian.org/debian bookworm", "http://deb.debian.org/debian-security bookworm-security"),
            ["http://deb.debian.org/debian"],
            ["http://deb.debian.org/debian-security"],
        ),
        (
            ("https://mirror.example/debian trixie", "https://mirror.example/debian trixie-updates"),
            ["https://mirror.example/debian"],
            ["https://mirror.example/debian-security"],
        ),
        (
            ("https://download.docker.com/linux/ubuntu bookworm", "http://mirror.example/debian stable"),
            ["http://mirror.example/debian", "https://download.docker.com/linux/ubuntu"],
            ["http://mirror.example/debian-security"],
        ),
        (("http://archive.ubuntu.com/ubuntu noble", "https://deb.nodesource.com/node_20.x nodistro"), [], []),
    ],
)
def test_mirrors_of_the_sources(sources: tuple[str, ...], main: list[str], security: list[str]) -> None:
    assert mirrors_of(SECURITY, printed(*sources)) == security
    assert mirrors_of(MAIN, printed(*sources)) == main
