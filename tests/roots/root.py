"""Run commands in the root of another release, whose files stay as they are in the cache.

The root is an overlayfs: layers that are only read, and a folder that takes every change. Each command has mounts and
process ids of its own (``unshare``), so that the kernel unmounts everything and ends every process when the command
ends, and when this process is killed.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.mirrors import run

PRIVATE = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child")
"""Begin of a command with its own mounts and process ids, which ends with the process that started it."""
VARIABLES = {
    "HOME": "/root",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "TERM": "xterm-256color",
    "DEBIAN_FRONTEND": "noninteractive",
}


class Failed(Exception):
    """A command in a root failed; the text is a sentence with the end of its output."""


@dataclass(frozen=True)
class Root:
    """The tree of a release.

    Attributes:
        layers: folders that stay as they are, the uppermost first.
        changes: a folder for the changes (``changes/upper``) and for what overlayfs needs beside them.
        mounts: folders and files of this machine by their paths in the root; the value says where, the key what.
    """

    layers: tuple[Path, ...]
    changes: Path
    mounts: Mapping[Path, str] = field(default_factory=dict)

    @property
    def upper(self) -> Path:
        """Return the folder that has what the commands changed."""
        return self.changes / "upper"

    @property
    def tree(self) -> Path:
        """Return the folder that the commands see as the root; it is empty outside of them."""
        return self.changes / "tree"

    def overlay(self) -> list[str]:
        """Return the lines of a shell that mount the tree at ``tree``."""
        for folder in (self.upper, self.changes / "work", self.tree):
            folder.mkdir(parents=True, exist_ok=True)
        options = f"lowerdir={':'.join(map(str, self.layers))},upperdir={self.upper},workdir={self.changes / 'work'}"
        return ["set -e", shlex.join(["mount", "-t", "overlay", "overlay", "-o", options, str(self.tree)])]

    def command(self, *words: str) -> list[str]:
        """Return a command line that runs ``words`` in the root, with this machine's network and settings of pip."""
        lines = [
            *self.overlay(),
            shlex.join(["mount", "-t", "proc", "proc", f"{self.tree}/proc"]),
            shlex.join(["mount", "--rbind", "/sys", f"{self.tree}/sys"]),
            shlex.join(["mount", "--rbind", "/dev", f"{self.tree}/dev"]),
            shlex.join(["mount", "-t", "tmpfs", "tmpfs", f"{self.tree}/run"]),
            shlex.join(["mount", "-t", "tmpfs", "tmpfs", f"{self.tree}/tmp"]),
        ]
        of_this_machine = {**settings_of_pip(), Path("/etc/resolv.conf"): "/etc/resolv.conf", **self.mounts}
        for source, target in of_this_machine.items():
            lines += _mounted(source, f"{self.tree}{target}")
        variables = {**_pip_variables(), **VARIABLES}
        assignments = [f"{name}={value}" for name, value in variables.items()]
        # The shell stays the first process of its process ids: it collects orphans, as init does.
        lines += [shlex.join(["chroot", str(self.tree), "env", "-i", *assignments, *words]), "exit 0"]
        return [*PRIVATE, "sh", "-c", "\n".join(lines)]

    def run(self, *words: str) -> str:
        """Return the standard output of a command in the root. Raises Failed."""
        return succeeded(self.command(*words), shlex.join(words))


def succeeded(command: Sequence[str], name: str) -> str:
    """Return the standard output of a command. Raises Failed if it fails; the sentence begins with its name."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        last = " ".join((done.stderr + done.stdout).split())[-600:]
        raise Failed(f"{name} ended with {done.returncode}: {last}")
    return done.stdout


@functools.cache
def settings_of_pip() -> dict[Path, str]:
    """Return the configuration files of this machine's pip and the files and folders that its settings name.

    Each has the same path in a root, except that a root has no home of this user.
    """
    pip = (sys.executable, "-m", "pip", "config")
    files = re.findall(r"^\s+(/\S+), exists: True$", run(*pip, "debug"), re.MULTILINE)
    settings = run(*pip, "list")
    # An index on this machine's disk leads to files beside it.
    indexes = [os.path.dirname(name.rstrip("/")) for name in re.findall(r"file://(/[^'\s]+)", settings)]
    named = re.findall(r"(?<=['\s])(/[^'\s]+)", settings)
    paths = [Path(name) for name in (*files, *indexes, *named) if os.path.exists(name)]
    homes = {path: Path("/root") / path.relative_to(Path.home()) for path in paths if path.is_relative_to(Path.home())}
    return {path: str(homes.get(path, path)) for path in paths}


def _pip_variables() -> dict[str, str]:
    """Return the variables of this process that pip and its libraries read."""
    wanted = re.compile(r"PIP_.+|(?:https?|no|all)_proxy|SSL_CERT_FILE|REQUESTS_CA_BUNDLE", re.IGNORECASE)
    return {name: value for name, value in os.environ.items() if wanted.fullmatch(name)}


def _mounted(source: Path, target: str) -> list[str]:
    """Return the lines of a shell that show a file or folder of this machine in a root, to be read only."""
    made = [shlex.join(["mkdir", "-p", target if source.is_dir() else os.path.dirname(target)])]
    if source.is_file():
        made.append(f"[ -e {shlex.quote(target)} ] || : >{shlex.quote(target)}")
    return [
        *made,
        shlex.join(["mount", "--bind", str(source), target]),
        shlex.join(["mount", "-o", "remount,ro,bind", target]),
    ]
