"""Files of /proc that stay open: the same content as a fresh open, whatever happens to the file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs import open_file
from bpftop.collect.procfs.open_file import HeldFile
from bpftop.collect.procfs.proc_file import ProcFile
from bpftop.collect.procfs.tree import FileMissing, Tree
from bpftop.kernel.netns import enter, unshare_network


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the paths that are opened during the test."""
    paths: list[str] = []
    real = os.open

    def counting(path: str | Path, flags: int) -> int:
        paths.append(str(path))
        return real(path, flags)

    monkeypatch.setattr("bpftop.collect.procfs.open_file.os.open", counting)
    return paths


@pytest.fixture
def namespace() -> Iterator[None]:
    """Put the calling thread into a network namespace with the device v0."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare_network()
        add_device()
        yield
    finally:
        enter(home)
        os.close(home)


def add_device() -> None:
    subprocess.run(("ip", "link", "add", "v0", "type", "veth", "peer", "v1"), check=True)


def test_file_is_opened_once(opened: list[str]) -> None:
    with closing(HeldFile(Path("/proc/self/comm"))) as file:
        name = Path("/proc/self/comm").read_text()
        assert [file.text() for _ in range(5)] == [name] * 5
    assert opened == ["/proc/self/comm"]


def test_new_content_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("a longer text\n")
    with closing(HeldFile(path)) as file:
        assert file.text() == "a longer text\n"
        path.write_text("short\n")
        assert file.text() == "short\n"


def test_file_of_many_records_is_read_whole() -> None:
    path = Path("/proc/crypto")  # some 10 kB; the kernel gives a page of whole records per read
    with closing(HeldFile(path)) as file:
        assert len(file.text()) > 4096
        assert file.text() == path.read_text()


def test_file_longer_than_one_read_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("0123456789abcde\n" * 10_000)
    with closing(HeldFile(path)) as file:
        assert file.text() == path.read_text()


def test_missing_file_is_not_tried_every_time(opened: list[str], tmp_path: Path) -> None:
    with closing(HeldFile(tmp_path / "missing")) as file:
        for _ in range(5):
            with pytest.raises(FileNotFoundError, match="No such file or directory"):
                file.text()
    assert len(opened) == 1


def test_file_that_comes_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "late"
    with closing(HeldFile(path)) as file:
        monkeypatch.setattr(open_file, "RETRY_NS", 0)
        with pytest.raises(FileNotFoundError):
            file.text()
        path.write_text("1\n")
        assert file.text() == "1\n"


def test_failure_is_a_sentence_each_time() -> None:
    with closing(ProcFile(Tree(), "net/missing", "a thing")) as file:
        for _ in range(2):
            with pytest.raises(
                FileMissing, match=r"^a thing: cannot read /proc/thread-self/net/missing: No such file or directory$"
            ):
                file.read(str)


def test_failed_read_is_a_sentence() -> None:
    with closing(ProcFile(Tree(), "self/mem", "memory")) as file:  # page 0 is not mapped: EIO
        for _ in range(2):
            with pytest.raises(Unavailable, match=r"^memory: cannot read /proc/self/mem: Input/output error$"):
                file.read(str)


@pytest.mark.bpf
@pytest.mark.parametrize(
    "path",
    [
        "/proc/sys/net/ipv4/conf/v0/forwarding",  # ENOENT from the open file
        "/proc/thread-self/net/dev_snmp6/v0",  # EIO
    ],
)
@pytest.mark.usefixtures("namespace")
def test_file_that_was_removed_is_opened_anew(opened: list[str], monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(open_file, "RETRY_NS", 0)
    with closing(HeldFile(Path(path))) as file:
        assert file.text()
        subprocess.run(("ip", "link", "delete", "v0"), check=True)
        with pytest.raises(FileNotFoundError):
            file.text()
        add_device()
        assert file.text() == Path(path).read_text() == file.text()
    assert opened == [path] * 3


@pytest.mark.bpf
@pytest.mark.usefixtures("namespace")
def test_another_namespace_has_its_own_file(opened: list[str]) -> None:
    path = Path("/proc/thread-self/net/dev")
    with closing(HeldFile(path)) as file:
        assert "v0:" in file.text()
        unshare_network()
        assert "v0:" not in file.text()
        assert "v0:" not in file.text()
    assert len(opened) == 2
