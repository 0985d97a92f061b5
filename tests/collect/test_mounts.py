"""Mount points by the kind of their file system, in a mount namespace of the test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from bpftop.collect.inventory.mounts import mount_points
assert sys.argv[1] in mount_points("bpf"), mount_points("bpf")
assert sys.argv[1] not in mount_points("cgroup2")
"""


@pytest.mark.bpf
@pytest.mark.parametrize("name", ["plain", "with a space", "back\\\\slash", "täglich"])
def test_a_mount_is_found_whatever_its_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    mount = 'mount -t bpf bpf "$1" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "--mount", "sh", "-ec", mount, "sh", str(folder), sys.executable, SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
