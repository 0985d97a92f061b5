"""The releases that the package is for, and their layers in the cache: the minimal system, and what builds on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.mirrors import DEBIAN, UBUNTU, Archive, Unobtainable, from_mirror, run
from tests.roots.root import PRIVATE, Root

SOURCE = "/usr/src/source"
"""Path of the exported source in a root."""


@dataclass(frozen=True)
class Release:
    """A release of Debian or Ubuntu.

    Attributes:
        components: parts of the archive that its build tools are in.
        script: name of debootstrap's script, which an older debootstrap has by this name only.
    """

    archive: Archive
    suite: str
    components: str
    script: str


RELEASES: Mapping[str, Release] = {
    "bookworm": Release(DEBIAN, "bookworm", "main", "sid"),
    "trixie": Release(DEBIAN, "trixie", "main", "sid"),
    "noble": Release(UBUNTU, "noble", "main,universe", "gutsy"),
}


def cache() -> Path:
    """Return ``bpftop-roots`` in the person's cache folder (XDG base directories)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bpftop-roots"


def minimal(release: Release, scratch: Path) -> Path:
    """Return the folder with the minimal system of a release; debootstrap makes it the first time.

    Raises:
        Unobtainable: no debootstrap, no mirror, or debootstrap failed.
    """
    folder = cache() / release.suite
    if not folder.exists():
        if shutil.which("debootstrap") is None:
            raise Unobtainable("there is no debootstrap here; contrib/system-packages trial installs it")
        made = from_mirror(release.archive, release.suite, lambda mirror: _bootstrapped(release, mirror, scratch))
        made.rename(folder)
    return folder


def _bootstrapped(release: Release, mirror: str, scratch: Path) -> Path:
    made = scratch / "minimal"
    if made.exists():
        shutil.rmtree(made)  # half of a system, from the mirror before
    options = [f"--keyring={release.archive.keyring}", f"--components={release.components}"]
    options += ["--variant=minbase", "--include=ca-certificates"]
    script = f"/usr/share/debootstrap/scripts/{release.script}"
    run(*PRIVATE, "debootstrap", *options, release.suite, str(made), mirror, script)
    return made


def with_tools(release: Release, base: Path, source: Path, scratch: Path) -> Path:
    """Return the layer above the minimal system that has compilers and lintian; apt makes it the first time.

    Raises:
        Failed: a package cannot be installed.
    """
    folder = cache() / f"{release.suite}-tools"
    if not folder.exists():
        root = Root((base,), scratch / "tools", {source: SOURCE})
        root.run("apt-get", "update")
        root.run("apt-get", "install", "-y", "--no-install-recommends", "make", "dpkg-dev", "binutils", "lintian")
        root.run(f"{SOURCE}/contrib/system-packages", "run")
        root.run("apt-get", "clean")
        root.upper.rename(folder)
    return folder


def export(folder: Path) -> None:
    """Write the files of HEAD into a folder, as a release's source has them: without .git."""
    folder.mkdir(parents=True)
    top = Path(__file__).resolve().parents[2]
    with subprocess.Popen(["git", "-C", top, "archive", "HEAD"], stdout=subprocess.PIPE) as archive:
        subprocess.run(["tar", "-x", "-C", folder], stdin=archive.stdout, check=True)
    if archive.returncode:
        raise Unobtainable("git archive HEAD failed: the source is exported from a checkout")
