"""Changing config.yaml from the screen: comments, order and other values stay, and a failure changes nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bpftop.cli.config_options import known
from bpftop.cli.default_config import default_config
from bpftop.cli.settings_writer import change_settings
from bpftop.config.settings_file import load
from bpftop.errors import BpftopError

FILE = """\
# mine
interval: 0.5   # twice a second
attach: 'tcx'

# keys of my hand
keys:
  pause: space  # like a player
silence: [packet-storm]
theme: dark
"""


def test_only_the_changed_values_change(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(FILE)
    file.chmod(0o640)
    change_settings(file, {"interval": 2.0, "theme": "warm", "mouse": False}, named=False)
    expected = FILE.replace("interval: 0.5 ", "interval: 2.0 ").replace("theme: dark", "theme: warm")
    assert file.read_text() == expected + "mouse: false\n"
    assert file.stat().st_mode & 0o777 == 0o640
    change_settings(file, {"mouse": None, "interval": 0.5, "theme": "dark"}, named=False)
    assert file.read_text() == FILE.replace("0.5 ", "0.5 ")


def test_a_new_file_and_a_file_of_comments(tmp_path: Path) -> None:
    file = tmp_path / "new" / "config.yaml"
    change_settings(file, {"theme": "warm"}, named=False)
    assert file.read_text() == "theme: warm\n"
    file.write_text(default_config().rstrip("\n"))
    change_settings(file, {"theme": "warm", "interval": 2.0}, named=False)
    assert file.read_text() == default_config() + "theme: warm\ninterval: 2.0\n"
    assert load(file, known=known()).problems == ()
    change_settings(file, {"theme": None, "interval": None}, named=False)
    assert "theme: warm" not in file.read_text()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a: [1\nb: 2", ", line 2: it is not YAML; correct it first"),
        (b"- a list", ": it is not a list of `name: value` lines; correct it first"),
        (b"interval: \xff", ": not UTF-8 text"),
        (b"#" * 300_000, ": larger than 256 KiB"),
    ],
)
def test_a_file_that_cannot_be_understood_stays(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(content)
    with pytest.raises(BpftopError) as caught:
        change_settings(file, {"theme": "warm"}, named=False)
    assert str(caught.value) == f"cannot change {file}{why}"
    assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BpftopError, match=r"cannot (change|write) .*: Not a directory"):
        change_settings(tmp_path / "file" / "config.yaml", {"theme": "warm"}, named=False)


def test_the_library_is_imported_with_the_first_change_alone() -> None:
    code = "import sys, bpftop.cli.settings_writer; print([name for name in sys.modules if name.startswith('ruamel')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
