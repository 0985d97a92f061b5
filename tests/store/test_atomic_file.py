"""Whole files or none: killed writers leave nothing, on file systems with and without O_TMPFILE."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bpftop.store.atomic_file import replacing

HANGING = """
import os, sys
from bpftop.store import atomic_file
if sys.argv[2] == "named":
    os.path.exists = lambda path: False  # as without /proc
with atomic_file.replacing(sys.argv[1]) as descriptor:
    os.write(descriptor, b"half")
    print("written", flush=True)
    sys.stdin.read()
"""


def started(path: Path, kind: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HANGING, str(path), kind]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    return process


def write(path: Path, content: bytes) -> None:
    with replacing(str(path)) as descriptor:
        os.write(descriptor, content)


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_killed_writer_leaves_nothing(tmp_path: Path, old: bytes | None) -> None:
    path = tmp_path / "a"
    if old is not None:
        path.write_bytes(old)
    with started(path, "unnamed") as process:
        process.kill()
    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([] if old is None else [old])


def test_dead_parts_are_deleted_and_living_ones_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with started(tmp_path / "dead", "named") as process:
        process.kill()
    (dead,) = tmp_path.iterdir()
    alive = started(tmp_path / "alive", "named")  # deletes the dead one
    (part,) = tmp_path.iterdir()
    assert dead != part
    foreign = tmp_path / ".bpftop.notes.part"
    foreign.touch()
    with monkeypatch.context() as without_tmpfile:
        flags = os.O_TMPFILE
        real = os.open

        def refusing(path: str, how: int, *arguments: int, **more: int) -> int:
            if how & flags == flags:
                raise OSError(errno.EOPNOTSUPP, "no O_TMPFILE")
            return real(path, how, *arguments, **more)

        without_tmpfile.setattr(os, "open", refusing)
        write(tmp_path / "new", b"new")
    assert {file.name for file in tmp_path.iterdir()} == {part.name, foreign.name, "new"}
    alive.communicate("")
    assert {file.name for file in tmp_path.iterdir()} == {"alive", foreign.name, "new"}
    assert (tmp_path / "alive").read_bytes() == b"half"


def test_a_file_is_replaced_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write(path, b"one")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    write(path, b"two")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o640)
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
