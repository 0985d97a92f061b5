"""A disk that is full, or read-only: one clear line, and the former file is still there."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpftop.cli.screen import save_picture, save_snapshot
from bpftop.errors import BpftopError
from bpftop.export.snapshot.document import json_text
from tests.cli.running import bpftop
from tests.export.moments import busy, moment

pytestmark = pytest.mark.bpf  # mounting needs root

QUICK = ("lo", "--attach", "none", "--no-drops", "-i", "0.1")


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system without a free block, that holds the file ``old``."""
    folder = tmp_path / "full"
    folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder))
    try:
        (folder / "old").write_text("what was there before")
        with pytest.raises(OSError, match="No space left"):
            (folder / "filler").write_bytes(bytes(1 << 20))
        yield folder
    finally:
        run("umount", str(folder))


@pytest.mark.parametrize(
    "words",
    [("snapshot", "--format", "json"), ("snapshot", "--format", "csv"), ("watch", "--count", "3", "--format", "json")],
)
def test_a_full_disk_is_one_line_and_the_old_file_stays(full: Path, words: tuple[str, ...]) -> None:
    verb, *options = words
    target = full / "old"
    done = bpftop(verb, *QUICK, *options, "-o", str(target))
    assert (done.returncode, done.stdout) == (1, "")
    messages = [line for line in done.stderr.splitlines() if "Only rtnetlink totals" not in line]
    assert messages == [
        f"bpftop: cannot write {target}: No space left on device; give the output another place with -o"
    ]
    assert target.read_text() == "what was there before"
    assert sorted(path.name for path in full.iterdir()) == ["filler", "old"]


def test_a_diff_on_a_full_disk(full: Path, tmp_path: Path) -> None:
    saved = tmp_path / "a.json"
    saved.write_text(json_text(moment()))
    done = bpftop("diff", str(saved), str(saved), "--format", "json", "-o", str(full / "diff.json"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"bpftop: cannot write {full}/diff.json: No space left on device; ")
    assert done.stderr.count("\n") == 1


def test_files_saved_by_the_screen(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(full)
    advice = r"No space left on device; start bpftop in a directory that you may write to$"
    with pytest.raises(BpftopError, match=advice):
        save_snapshot(busy())
    with pytest.raises(BpftopError, match=advice):
        save_picture("<svg>" + "x" * 100_000 + "</svg>")
    assert sorted(path.name for path in full.iterdir()) == ["filler", "old"]


def test_a_file_system_that_takes_no_writes(full: Path) -> None:
    run("mount", "-o", "remount,ro", str(full))
    done = bpftop("snapshot", *QUICK, "-o", str(full / "new"))
    assert done.returncode == 1
    assert done.stderr == (
        f"bpftop: cannot write {full}/new: Read-only file system; give the output another place with -o\n"
    )
