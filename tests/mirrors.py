"""The archives of Debian and Ubuntu, and the mirrors of them that the apt of this machine is set up with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")


class Unobtainable(Exception):
    """Something of an archive cannot be had here; the text is a sentence that says why."""


@dataclass(frozen=True)
class Archive:
    """The packages of one vendor: its name in addresses, its releases, and the keys that sign them."""

    vendor: str
    releases: tuple[str, ...]
    keyring: Path

    def sources(self, printed_uris: str) -> list[tuple[str, str]]:
        """Return the mirrors and suites of this vendor in the output of ``apt-get update --print-uris``."""
        suite = rf"(?:{'|'.join(self.releases)})(?:-[a-z-]+)?"
        source = re.compile(rf"^'((?:https?|ftp)://\S+?)/dists/({suite})/(?:In)?Release'", re.MULTILINE)
        return [(match[1], match[2]) for match in source.finditer(printed_uris)]


DEBIAN = Archive(
    "debian",
    ("bullseye", "bookworm", "trixie", "forky", "duke", "sid", "oldstable", "stable", "testing", "unstable"),
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
)
UBUNTU = Archive(
    "ubuntu",
    ("jammy", "noble", "plucky", "questing", "resolute", "devel"),
    Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg"),
)


def from_mirror(archive: Archive, suite: str, fetch: Callable[[str], Result]) -> Result:
    """Call ``fetch`` with the mirrors that this machine names, likeliest first, and return the first result.

    Raises:
        Unobtainable: what ``fetch`` raised for the last mirror; or there is no mirror, or no key to check the archive.
    """
    where = f"{suite} is in the archive of {archive.vendor}"
    if shutil.which("apt-get") is None:
        raise Unobtainable(f"{where}, and this machine has no apt-get")
    addresses = mirrors_of(archive, suite, run("apt-get", "update", "--print-uris"))
    if addresses and not archive.keyring.exists():
        raise Unobtainable(f"{where}, and this machine has no {archive.keyring} to check it with")
    failure = Unobtainable(f"{where}, and the apt sources of this machine name no mirror of it")
    for mirror in addresses:
        try:
            return fetch(mirror)
        except Unobtainable as error:
            failure = error
    raise failure


def mirrors_of(archive: Archive, suite: str, printed_uris: str) -> list[str]:
    """Return the addresses that may have a suite of an archive, the likeliest first.

    The lists of apt need not be there: the addresses come from its sources.

    Args:
        printed_uris: the output of ``apt-get update --print-uris``, which reads sources of both formats.
    """
    sources = archive.sources(printed_uris)
    security = [mirror for mirror, listed in sources if listed.endswith("-security")]
    main = [mirror for mirror, listed in sources if not listed.endswith("-security")]
    # Other vendors name their suites after releases of this one. An address that ends in its name goes first, and apt
    # checks signatures.
    named = f"/{archive.vendor}"
    main.sort(key=lambda mirror: not mirror.endswith(named))
    beside = [f"{mirror}-security" for mirror in main if mirror.endswith(named)]
    return list(dict.fromkeys([*security, *beside] if suite.endswith("-security") else main))


def run(*command: str, folder: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Return the output of a command. Raises Unobtainable with its last words if it fails."""
    variables = {**os.environ, "LC_ALL": "C", **(env or {})}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=variables)
    if done.returncode:
        raise Unobtainable(f"{command[0]} failed: {' '.join((done.stderr or done.stdout).split())[-400:]}")
    return done.stdout
