"""Debian's own kernels, fetched by apt from the mirror that this machine is set up with, and kept in a cache."""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.mirrors import DEBIAN, Unobtainable, from_mirror, run

MODULES = (
    "veth", "sch_ingress", "cls_bpf", "nf_conntrack", "tcp_diag", "udp_diag",
    "bonding", "8021q", "bridge", "macvlan", "vxlan", "ip_gre", "wireguard",
)  # fmt: skip
"""Modules that the tests need and that these kernels do not have built in."""


@dataclass(frozen=True)
class Release:
    """One kernel: a suite of Debian's archives, and the package of the suite that depends on the newest build."""

    suite: str
    package: str


RELEASES: Mapping[str, Release] = {
    "5.10": Release("bullseye-security", "linux-image-cloud-amd64"),
    "6.1": Release("bookworm-security", "linux-image-cloud-amd64"),
    "6.12": Release("bookworm-security", "linux-image-6.12-cloud-amd64"),
    "newest": Release("trixie-backports", "linux-image-cloud-amd64"),
}


@dataclass(frozen=True)
class Kernel:
    """``folder`` has ``vmlinuz``, ``version`` and the modules, named in the order in which they are to be loaded."""

    name: str
    folder: Path

    @property
    def image(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def modules(self) -> list[Path]:
        return sorted(self.folder.glob("*.ko"))

    @property
    def version(self) -> str:
        return (self.folder / "version").read_text()


def kernel(name: str) -> Kernel:
    """Return one of RELEASES, out of the cache or fetched into it. Raises Unobtainable."""
    wanted = hashlib.sha256(" ".join(MODULES).encode()).hexdigest()[:8]
    folder = cache() / f"{name}-{wanted}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as scratch:
            made = _fetched(RELEASES[name], Path(scratch))
            # Whoever was faster has the same in it.
            if not folder.exists():
                made.rename(folder)
    return Kernel(name, folder)


def cache() -> Path:
    """``bpftop-qemu`` in the person's cache folder (XDG base directories)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bpftop-qemu"


def _fetched(release: Release, scratch: Path) -> Path:
    root = scratch / "root"
    for package in _downloaded(release, scratch):
        run("dpkg-deb", "--extract", str(package), str(root))
    made = scratch / "made"
    made.mkdir()
    (image,) = (path for path in root.rglob("vmlinuz*") if path.is_file())  # in /boot, or newer: beside its modules
    image.rename(made / "vmlinuz")
    modules = {_module_name(path): path for path in root.rglob("*.ko*")}
    (folder,) = root.glob("**/lib/modules/*")
    (made / "version").write_text(folder.name)
    for number, name in enumerate(_in_order(MODULES, modules)):
        (made / f"{number:02}-{name}.ko").write_bytes(_module(modules[name]))
    return made


def _downloaded(release: Release, scratch: Path) -> list[Path]:
    """Return the packages of a kernel, from the first of this machine's mirrors that has its suite."""

    def fetch(mirror: str) -> list[Path]:
        return _Apt(release, mirror, Path(tempfile.mkdtemp(dir=scratch))).download()

    return from_mirror(DEBIAN, release.suite, fetch)


class _Apt:
    """apt with one suite of a mirror, and with lists and packages in a folder of its own."""

    def __init__(self, release: Release, mirror: str, scratch: Path) -> None:
        self._release, self._scratch = release, scratch
        for folder in ("lists/partial", "cache/archives/partial", "packages"):
            (scratch / folder).mkdir(parents=True)
        source = f"deb [signed-by={DEBIAN.keyring}] {mirror} {release.suite} main\n"
        (scratch / "sources.list").write_text(source)
        (scratch / "apt.conf").write_text(
            f'Dir::Etc::sourcelist "{scratch}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
            'Dir::Etc::preferences "/dev/null";\nDir::Etc::preferencesparts "/dev/null";\n'
            f'Dir::State::lists "{scratch}/lists";\nDir::Cache "{scratch}/cache";\n'
            # The machine's commands after each update are for its own lists. _apt cannot write into a home.
            '#clear APT::Update;\nAPT::Sandbox::User "root";\n'
            'APT::Architecture "amd64";\n#clear APT::Architectures;\nAPT::Architectures "amd64";\n'
            'Acquire::Languages "none";\nAcquire::Retries "2";\nAcquire::http::Timeout "20";\n'
        )

    def download(self) -> list[Path]:
        """Return the packages of the newest build: one with the image, and for newer kernels further ones."""
        self._apt("apt-get", "--quiet", "update", "--error-on=any")
        names = [*self._parts(self._release.package)]
        if not names:
            raise Unobtainable(f"{self._release.suite} has no package {self._release.package}")
        self._apt("apt-get", "--quiet", "download", *names)
        return sorted((self._scratch / "packages").glob("*.deb"))

    def _parts(self, package: str) -> Iterator[str]:
        """Yield the packages of the same kernel that the package depends on, directly or not."""
        listed = self._apt("apt-cache", "depends", "--important", package)
        for name in re.findall(r"^  Depends: (linux-(?:image|binary|modules)-\S+)$", listed, re.MULTILINE):
            yield name
            yield from self._parts(name)

    def _apt(self, command: str, *arguments: str) -> str:
        return run(command, "-c", str(self._scratch / "apt.conf"), *arguments, folder=self._scratch / "packages")


def _in_order(wanted: tuple[str, ...], modules: Mapping[str, Path]) -> list[str]:
    """Return the wanted modules, each behind the modules that it needs."""
    ordered: list[str] = []

    def add(name: str) -> None:
        if name in ordered:
            return
        needed = re.search(rb"(?:^|\0)depends=([^\0]*)\0", _module(modules[name]))
        for other in needed[1].decode().replace("-", "_").split(",") if needed and needed[1] else ():
            add(other)
        ordered.append(name)

    for name in wanted:
        add(name)
    return ordered


def _module_name(path: Path) -> str:
    return path.name.split(".ko")[0].replace("-", "_")


def _module(path: Path) -> bytes:
    content = path.read_bytes()
    return lzma.decompress(content) if path.suffix == ".xz" else content
