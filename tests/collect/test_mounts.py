"""Mount points by the kind of their file system, in a mount namespace of the test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bpftop.collect.inventory import pins
from bpftop.collect.inventory.pins import Pins
from bpftop.kernel.bpf import bpf_map
from tests.measure.test_live_map import pin

SCRIPT = """
import sys
from bpftop.collect.inventory.mounts import mount_points
assert (sys.argv[1], "") in mount_points("bpf"), mount_points("bpf")
assert (sys.argv[1], "") not in mount_points("cgroup2")
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


@pytest.mark.bpf
def test_pins_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [Path(f"/sys/fs/bpf/bpftop_test_{number}") for number in range(2)]
    with bpf_map.create(bpf_map.HASH, 4, 4, 1) as made:
        for path in paths:
            pin(made, path)
        try:
            whole = Pins().read()
            monkeypatch.setattr(pins, "PINS_MAX", 1)
            part = Pins().read()
        finally:
            for path in paths:
                path.unlink()
        assert sorted(whole["map", made.info().map_id]) == [str(path) for path in paths]
    assert sum(map(len, part.values())) <= 1


HIDDEN = """
import os, sys
from bpftop.collect.inventory.cgroups import cgroup_paths
from bpftop.collect.inventory.mounts import mount_points
from bpftop.collect.inventory.pins import Pins
cgroup2 = mount_points("cgroup2")[0]
assert cgroup2.root, cgroup2
inode = os.stat(cgroup2.path).st_ino
assert cgroup_paths([inode]) == {inode: "/"}
assert [sys.argv[1]] in Pins().read().values(), Pins().read()
"""


@pytest.mark.bpf
def test_mounts_below_a_new_sys_are_those_of_an_ancestor() -> None:
    """`ip netns exec` hides /sys/fs/bpf and /sys/fs/cgroup in the same way."""
    path = Path("/sys/fs/bpf/bpftop_test_hidden")
    with bpf_map.create(bpf_map.HASH, 4, 4, 1) as made:
        pin(made, path)
        try:
            hide = 'umount -l /sys && mount -t sysfs sysfs /sys && "$@"'
            command = ["unshare", "--mount", "sh", "-ec", hide, "sh", sys.executable, "-c", HIDDEN, str(path)]
            done = subprocess.run(command, capture_output=True, text=True)
        finally:
            path.unlink()
    assert (done.returncode, done.stderr) == (0, "")
