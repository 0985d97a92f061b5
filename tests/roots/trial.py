"""The steps of a trial: build the package of a release, check it, install it, use it, and purge it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cli.running import Terminal
from tests.roots.container import run_by_systemd
from tests.roots.releases import SOURCE, Release, cache, export, minimal, with_tools
from tests.roots.root import Failed, Root
from tests.waiting import until

BUILD = "/usr/src/build"
"""Path of the copy of the source that is built."""
PACKAGE = "/usr/src/package"
"""Path of the folder with the built package, in the root in which it is installed."""
MAINTAINER = "maintainers@bpftop.example"
COMPLETIONS = (
    "/usr/share/bash-completion/completions/bpftop",
    "/usr/share/zsh/vendor-completions/_bpftop",
    "/usr/share/fish/vendor_completions.d/bpftop.fish",
)
RATE = re.compile(r"\bRX +([0-9.]+ ?[kM]?pps)")
CONTROL = re.compile(rb"\x1b(?:\[[0-9;?<>=]*[ -/]*[@-~]|[()][A-Z0-9]|[=>78])")
"""Control sequences of a terminal."""


class Trial:
    """The steps for one release, in their order. Each returns a sentence.

    A step raises Failed or Unobtainable with a sentence if the release does not keep its promise.
    """

    def __init__(self, release: Release, scratch: Path) -> None:
        self._release, self._scratch = release, scratch

    def steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Yield the name and the function of each step."""
        for step in (self.root, self.build, self.lintian, self.install, self.version, self.manual, self.completions,
                     self.demo, self.snapshot, self.units, self.purge):  # fmt: skip
            yield step.__name__, step

    def root(self) -> str:
        """Make the layers, or take them from the cache."""
        source = self._scratch / "source"
        export(source)
        cached = set(cache().iterdir())
        base = minimal(self._release, self._scratch)
        tools = with_tools(self._release, base, source, self._scratch)
        self._builder = Root((tools, base), self._scratch / "builder", {source: SOURCE})
        built = self._builder.upper / BUILD.strip("/") / "dist"
        self._user = Root((base,), self._scratch / "user", {built: PACKAGE, source: SOURCE})
        return "from the cache" if tools in cached else "made by debootstrap and apt"

    def build(self) -> str:
        """Build the package from a copy of the source, which a build writes into."""
        self._builder.run("cp", "-r", SOURCE, BUILD)
        self._builder.run("make", "-C", BUILD, "deb", f"DEBEMAIL={MAINTAINER}")
        (built,) = (self._builder.upper / BUILD.strip("/") / "dist").glob("*.deb")
        self._package = built.name
        return f"{built.name}, {built.stat().st_size / 1e6:.1f} MB"

    def lintian(self) -> str:
        """Check the package by the lintian of its own release: no tag of the level error."""
        said = self._builder.run("lintian", "--fail-on", "error", f"{BUILD}/dist/{self._package}")
        return f"no error, {len(re.findall('^W:', said, re.MULTILINE))} warnings"

    def install(self) -> str:
        """Install the package by apt into the minimal system, with what it depends on, and a reader of manual pages."""
        self._user.run("apt-get", "update")
        self._user.run("apt-get", "install", "-y", "--no-install-recommends", f"{PACKAGE}/{self._package}", "man-db")
        self._listed = self._user.run("dpkg", "--listfiles", "bpftop").splitlines()
        return self._user.run("dpkg-query", "--show", "bpftop").strip().replace("\t", " ")

    def version(self) -> str:
        """Start the program by its name."""
        return self._user.run("bpftop", "--version").strip()

    def manual(self) -> str:
        """Find each manual page by its name, and format the first one."""
        pages = [Path(path).name.removesuffix(".1.gz") for path in self._listed if path.endswith(".1.gz")]
        found = self._user.run("man", "-w", *pages).split()
        # man-db keeps a copy of a page that is 80 columns wide, which no purge removes.
        text = self._user.run("env", "MANWIDTH=72", "man", "-P", "cat", "bpftop")
        if "bpftop" not in pages or len(found) != len(pages) or "SYNOPSIS" not in text:
            raise Failed(f"man finds {found} of {pages}")
        return f"{len(found)} pages"

    def completions(self) -> str:
        """Find the completions where bash, zsh and fish of this release look for them."""
        missing = [path for path in COMPLETIONS if path not in self._listed]
        if missing:
            raise Failed(f"the package has no {' and no '.join(missing)}")
        self._user.run("ls", *COMPLETIONS)
        return "for bash, zsh and fish"

    def demo(self) -> str:
        """Run the demo on a pseudo-terminal until it shows a rate, and end it by its key."""
        with Terminal(command=self._user.command("bpftop", "demo")) as terminal:
            shown: list[str] = []

            def shows_a_rate() -> bool:
                terminal.read(0.1)
                shown[:] = RATE.findall(CONTROL.sub(b"", terminal.written).decode(errors="replace"))
                return bool(shown) or terminal.process.poll() is not None

            until(shows_a_rate, "a rate on the screen of the demo")
            if not shown:
                raise Failed(f"the demo ended with {terminal.process.returncode}: {terminal.written[-600:]!r}")
            terminal.type("q")
            if status := terminal.await_end():
                raise Failed(f"the demo ended with {status} after q: {terminal.written[-600:]!r}")
            if not terminal.as_it_was():
                raise Failed("the demo left the terminal changed")
        return f"RX {shown[0]}, ended by q"

    def snapshot(self) -> str:
        """Take a snapshot of the loopback interface, as a script does."""
        document = json.loads(self._user.run("bpftop", "snapshot", "lo", "--format", "json"))
        names = [interface["name"] for interface in document["interfaces"]]
        if document["tool"]["name"] != "bpftop" or names != ["lo"]:
            raise Failed(f"the snapshot is of {names} by {document['tool']}")
        return f"{document['schema']} of lo"

    def units(self) -> str:
        """Boot the root, and let its systemd run the exporter and the flight recorder of the package on lo."""
        self._user.run("apt-get", "install", "-y", "--no-install-recommends", "systemd", "dbus")
        self._python = self._user.run("readlink", "-f", "/usr/lib/bpftop/bin/python").strip()
        return run_by_systemd(self._user, f"{self._python} -m tests.roots.in_container count", SOURCE)

    def purge(self) -> str:
        """Purge the package while its units run. None of its files may be left, and nothing that has its name."""
        said = run_by_systemd(self._user, f"{self._python} -m tests.roots.in_container purge", SOURCE)
        # Folders that other packages have, too, stay: /usr/bin.
        found = self._user.run("find", "/", "-xdev", "!", "-type", "d").splitlines()
        named = self._user.run("find", "/", "-xdev", "-iname", "*bpftop*").splitlines()
        left = {*set(self._listed).intersection(found), *named}
        if left:
            raise Failed(f"left after the purge: {' '.join(sorted(left))}")
        return f"{said}, none of {len(self._listed)} paths is left"
