"""Find the mirrors of Debian and Ubuntu that the sources of apt name."""

from __future__ import annotations

import pytest

from tests.mirrors import DEBIAN, UBUNTU, mirrors_of


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
    assert mirrors_of(DEBIAN, "bookworm-security", printed(*sources)) == security
    assert mirrors_of(DEBIAN, "trixie-backports", printed(*sources)) == main


@pytest.mark.parametrize(
    ("sources", "mirrors"),
    [
        (
            ("http://mirror.example/ubuntu noble", "http://security.example/ubuntu noble-security"),
            ["http://mirror.example/ubuntu"],
        ),
        (("http://mirror.example/debian bookworm", "http://mirror.example/debian-security bookworm-security"), []),
    ],
)
def test_mirrors_of_ubuntu(sources: tuple[str, ...], mirrors: list[str]) -> None:
    assert mirrors_of(UBUNTU, "noble", printed(*sources)) == mirrors
