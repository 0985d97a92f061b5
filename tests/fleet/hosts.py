"""Hosts for ``bpftop fleet``: a command ``ssh`` in PATH that starts a script per host, and keeps what it was given."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.cli.running import environment

_SSH = """#!/bin/sh
# Everything up to "--" is for ssh; then come the host and its command.
printf '%s\\n' "$@" >"$FLEET/arguments"
while [ "$1" != -- ]; do shift; done
host=$2
shift 2
exec "$FLEET/$host" "$@"
"""
_WATCHES = """#!/bin/sh
[ "$1 $2 $3" = "sudo -n bpftop" ] || exit 9
shift 3
exec {python} -m bpftop.cli "$@" --netns {pid}
"""


class Hosts:
    """A folder with a script per host. ``env`` makes a bpftop that is started with it find these hosts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        self.add("bin/ssh", _SSH)

    @property
    def env(self) -> dict[str, str]:
        return environment(PATH=f"{self.folder / 'bin'}:{os.environ['PATH']}", FLEET=str(self.folder))

    def arguments(self) -> list[str]:
        """Return the words that ssh was last called with."""
        return (self.folder / "arguments").read_text().splitlines()

    def add(self, name: str, script: str) -> None:
        """Add or replace a host; the script gets the remote command as its words."""
        path = self.folder / f"{name}.new"
        path.write_text(script)
        path.chmod(0o755)
        path.rename(self.folder / name)

    def add_namespace(self, name: str, pid: int) -> None:
        """Add a host that is the network namespace of a process."""
        self.add(name, _WATCHES.format(python=sys.executable, pid=pid))
