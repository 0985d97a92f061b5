"""The space that is left for a recording, on real file systems."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bpftop.store.recorder import FreeSpace, Recorder, free_space
from tests.cli.running import COMMAND, environment
from tests.samples import sample
from tests.waiting import LIMIT_S, until


def test_the_file_system_of_the_folder_is_named(tmp_path: Path) -> None:
    space = free_space(str(tmp_path / "new.bpftop"))
    assert space is not None
    assert os.path.ismount(space.mount)
    assert os.stat(space.mount).st_dev == os.stat(tmp_path).st_dev
    assert space.free_bytes <= os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize


def test_an_absent_folder_is_unknown() -> None:
    assert free_space("/nonexistent/a.bpftop") is None


def test_text() -> None:
    assert str(FreeSpace(12_100_000_000, "/var", "ext4")) == "12.1 GB free on /var (ext4)"
    assert FreeSpace(100 << 20, "/", "ext4").is_low
    assert not FreeSpace(1 << 30, "/", "ext4").is_low


def test_the_progress_of_a_recording_has_the_space(tmp_path: Path) -> None:
    recorder = Recorder(str(tmp_path / "a.bpftop"))
    recorder.offer(sample(0))
    until(lambda: recorder.progress.space is not None, "the space is known")
    recorder.close()


@pytest.mark.root
@pytest.mark.needs("unshare", "mount")
def test_record_warns_of_a_file_system_that_is_nearly_full(tmp_path: Path) -> None:
    bpftop = [
        *COMMAND,
        "record",
        "lo",
        "--attach",
        "none",
        "-i",
        "0.2",
        "--duration",
        "1",
        "-o",
        f"{tmp_path}/a.bpftop",
    ]
    script = 'mount -t tmpfs -o size=100m none "$0" && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, str(tmp_path), *bpftop],
        env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    warning = f" MB free on {tmp_path} (tmpfs); a day of recording takes up to 1 GB"
    assert done.stderr.count(warning) == 1
