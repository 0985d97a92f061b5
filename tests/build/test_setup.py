"""The scripts that set up a machine: their commands, and the one line that they print on failure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import LIMIT_S

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("sh", "env", "id", "mktemp", "rm", "tail", "grep", "sed", "make", "cat", "awk", "touch", "true")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a PATH of one folder with basic tools only: no package manager, no Python, no sudo."""
    for tool in TOOLS:
        real = next(Path(folder) / tool for folder in ("/usr/bin", "/bin") if (Path(folder) / tool).exists())
        (tmp_path / tool).symlink_to(real)
    return tmp_path


def put(path: Path, name: str, *lines: str) -> None:
    """Write a command ``name`` that logs its arguments and then runs ``lines``."""
    (path / name).unlink(missing_ok=True)
    (path / name).write_text("\n".join(["#!/bin/sh", f'echo "{name} $*" >>"{path}/log"', *lines, ""]))
    (path / name).chmod(0o755)


def put_apt(path: Path, uid: int, *apt_lines: str) -> None:
    """Pretend to be a Debian without any required package."""
    put(path, "id", f"echo {uid}")
    put(path, "dpkg-query", "exit 1")
    put(path, "apt-cache", "echo '  Candidate: 7.1.0'")
    put(path, "apt-get", *apt_lines)


def calls(path: Path, command: str) -> list[str]:
    return [line for line in (path / "log").read_text().splitlines() if line.startswith(f"{command} ")]


def run(path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(path), "HOME": "/nonexistent"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S)


def test_unknown_system_is_one_line(path: Path) -> None:
    outcome = run(path, "contrib/system-packages", "run")
    assert outcome.returncode == 1
    assert outcome.stderr == ""
    (line,) = outcome.stdout.splitlines()
    for needed in ("clang", "llvm", "libbpf-dev", "libelf-dev", "zlib1g-dev", "python3-venv"):
        assert needed in line


@pytest.mark.parametrize("target", ["run", "test"])
def test_make_on_an_unknown_system_is_one_line(path: Path, target: str) -> None:
    outcome = run(path, "make", "--no-print-directory", target)
    assert outcome.returncode == 2
    (line,) = outcome.stderr.splitlines()
    assert "no apt-get" in line
    assert "libbpf-dev" in line


def test_nothing_missing_does_nothing(path: Path) -> None:
    put_apt(path, 0)
    put(path, "dpkg-query", "echo installed")
    outcome = run(path, "contrib/system-packages", "test")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")
    assert not calls(path, "apt-get")


def test_root_installs_what_is_missing_in_one_call(path: Path) -> None:
    put_apt(path, 0)
    put(path, "dpkg-query", '[ "$4" = clang ] || [ "$4" = tmux ] || { echo installed; }')
    outcome = run(path, "contrib/system-packages", "test")
    assert (outcome.returncode, outcome.stdout) == (0, "")
    (call,) = calls(path, "apt-get")
    assert call.endswith("install --no-install-recommends clang tmux")


def test_a_person_installs_through_sudo(path: Path) -> None:
    put_apt(path, 1000)
    put(path, "sudo", 'exec "$@"')
    assert run(path, "contrib/system-packages", "run").returncode == 0
    (call,) = calls(path, "sudo")
    assert call.startswith("sudo env DEBIAN_FRONTEND=noninteractive")
    assert len(calls(path, "apt-get")) == 1


def test_a_person_without_sudo_gets_one_line(path: Path) -> None:
    put_apt(path, 1000)
    outcome = run(path, "contrib/system-packages", "run")
    assert outcome.returncode == 1
    (line,) = outcome.stdout.splitlines()
    assert "only root can install" in line
    assert "libbpf-dev" in line


def test_missing_lists_are_fetched(path: Path) -> None:
    put_apt(path, 0, f'case "$*" in *update*) touch "{path}/lists" ;; *) [ -e "{path}/lists" ] ;; esac')
    assert run(path, "contrib/system-packages", "run").returncode == 0
    verbs = ["update" if "update" in call else "install" for call in calls(path, "apt-get")]
    assert verbs == ["install", "update", "install"]


def test_failed_install_is_one_line(path: Path) -> None:
    put_apt(path, 0, "echo 'E: no network' >&2; exit 100")
    outcome = run(path, "contrib/system-packages", "run")
    assert outcome.returncode == 1
    assert "E: no network" in outcome.stderr
    (line,) = outcome.stdout.splitlines()
    assert "apt-get could not install" in line


def test_bpftool_of_older_ubuntu_is_in_linux_tools(path: Path) -> None:
    put_apt(path, 0)
    put(path, "dpkg-query", 'case "$4" in bpftool | linux-tools-common) ;; *) echo installed ;; esac')
    put(path, "apt-cache", "echo '  Candidate: (none)'")
    assert run(path, "contrib/system-packages", "test").returncode == 0
    (call,) = calls(path, "apt-get")
    assert call.endswith("linux-tools-common linux-tools-generic")
    put(path, "dpkg-query", '[ "$4" = bpftool ] || echo installed')
    assert run(path, "contrib/system-packages", "test").returncode == 0
    assert len(calls(path, "apt-get")) == 1


def test_old_python_is_skipped(path: Path, tmp_path: Path) -> None:
    put(path, "python3", "exit 1")
    venv = tmp_path / "venv"
    outcome = run(path, "contrib/make-venv", str(venv))
    assert outcome.returncode == 1
    (line,) = outcome.stdout.splitlines()
    assert "Python 3.10 or newer" in line
    assert not venv.exists()
    (path / "python3.12").symlink_to(sys.executable)
    assert run(path, "contrib/make-venv", str(venv)).returncode == 0
    assert (venv / "bin" / "pip").exists()
