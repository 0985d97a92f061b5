"""Commands in a root: what they change is apart from the layers, and neither mounts nor processes stay."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mirrors import Archive, Unobtainable, from_mirror
from tests.roots.root import Failed, Root, settings_of_pip
from tests.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.needs("busybox", "setpriv", "unshare")]


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """The smallest root: a statically linked busybox under the names of the commands that the tests call."""
    layer = tmp_path / "layer"
    for folder in ("bin", "proc", "sys", "dev", "run", "tmp"):
        (layer / folder).mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "", layer / "bin/busybox")
    for name in ("sh", "env", "cat", "sleep", "ls"):
        (layer / "bin" / name).symlink_to("busybox")
    return Root((layer,), tmp_path / "changes")


def mounted(folder: Path) -> bool:
    """Return whether something is mounted below the folder, as this process sees it."""
    return str(folder) in Path("/proc/self/mountinfo").read_text()


def running(word: str) -> bool:
    """Return whether a process has the word among its arguments."""
    for arguments in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in arguments.read_bytes().split(b"\0"):
                return True
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
    return False


def test_changes_are_apart_from_the_layer(root: Root) -> None:
    assert root.run("sh", "-c", "echo kept >/new; cat /new; echo $$ >/run/lost") == "kept\n"
    assert root.run("cat", "/new") == "kept\n"
    assert root.run("ls", "/run") == ""
    assert (root.upper / "new").read_text() == "kept\n"
    assert not (root.layers[0] / "new").exists()
    assert not mounted(root.changes)


def test_folders_of_the_machine_are_read_only(root: Root, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    (shown / "file").write_text("here\n")
    with_folder = Root(root.layers, root.changes, {shown: "/usr/src/shown"})
    assert with_folder.run("cat", "/usr/src/shown/file") == "here\n"
    with pytest.raises(Failed, match="Read-only file system"):
        with_folder.run("sh", "-c", "echo >/usr/src/shown/file")
    for target in settings_of_pip().values():
        assert root.run("ls", "-d", target) == f"{target}\n"


def test_a_failure_is_a_sentence(root: Root) -> None:
    with pytest.raises(Failed, match=r"^sh -c 'echo no >&2; exit 7' ended with 7: no$"):
        root.run("sh", "-c", "echo no >&2; exit 7")


def test_a_kill_leaves_no_mount_and_no_process(root: Root) -> None:
    word = f"{os.getpid()}987"
    program = f"""
from pathlib import Path
from tests.roots.root import Root
Root((Path({str(root.layers[0])!r}),), Path({str(root.changes)!r})).run("sh", "-c", "echo >/begun; sleep {word}")
"""
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        until((root.upper / "begun").exists, "the command runs")
        until(lambda: running(word), "it sleeps")
        process.send_signal(signal.SIGKILL)
    until(lambda: not running(word), "the command has ended")
    assert not mounted(root.changes)


@pytest.mark.needs("apt-get")
def test_an_archive_without_a_mirror_is_a_sentence() -> None:
    nobodys = Archive("nobody", ("nothing",), Path("/nonexistent"))
    with pytest.raises(Unobtainable, match="apt sources of this machine name no mirror"):
        from_mirror(nobodys, "nothing", lambda mirror: mirror)
