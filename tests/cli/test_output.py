"""Outputs: closed pipes, and files that are replaced atomically."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from bpftop.cli.screen import save_picture, save_snapshot
from bpftop.cli.verbs import watch
from bpftop.errors import BpftopError
from bpftop.export.snapshot.document import document
from bpftop.store.atomic_file import replacing
from tests.cli.running import COMMAND, await_handlers, bpftop, environment, started
from tests.export.moments import moment
from tests.samples import sample
from tests.waiting import LIMIT_S, until

QUICK = ("lo", "--attach", "none", "-i", "0.1")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def lines_in_progress(pid: int, folder: Path) -> int:
    """Return how many lines the file has that will replace the old one. It has no name yet."""
    lines = 0
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # the process has closed it
            lines += path.read_text().count("\n") if f"{folder}/#" in os.readlink(path) else 0
    return lines


@pytest.mark.parametrize("name", ["table", "json", "csv", "samples"])
def test_a_reader_that_leaves_ends_it_quietly(name: str) -> None:
    command = " ".join((*COMMAND, "watch", *QUICK, "--format", name))
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -1"], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert [line for line in done.stderr.splitlines() if "--attach none" not in line] == []


def test_a_closed_pipe_ends_it_before_the_next_tick() -> None:
    with started("watch", "lo", "--attach", "none", "-i", "3600") as process:
        assert process.stdout is not None
        await_handlers(process.pid)
        time.sleep(0.3)
        process.stdout.close()
        assert process.wait(LIMIT_S) == 0


def test_a_snapshot_into_a_closed_pipe() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = bpftop("snapshot", *QUICK, stdout=writer)
    os.close(writer)
    assert done.returncode == 0
    assert "Broken" not in done.stderr


def test_count_and_duration() -> None:
    for end in (["--count", "3"], ["--count", "3", "--duration", "60"]):
        lines = bpftop("watch", *QUICK, *end).stdout.splitlines()
        assert [line.split()[0] for line in lines[:1]] == ["time"]
        assert len(lines) == 4
    # A busy machine leaves ticks out, never puts any in.
    assert 2 <= len(bpftop("watch", *QUICK, "--duration", "0.35").stdout.splitlines()) <= 4
    samples = [
        json.loads(line) for line in bpftop("watch", *QUICK, "--format", "samples", "--count", "3").stdout.splitlines()
    ]
    assert [sample["seq"] for sample in samples] == [0, 1, 2]
    assert {sample["schema"] for sample in samples} == {"bpftop.sample/1"}


def test_duration_counts_from_the_first_sample() -> None:
    def ticks(duration_s: float | None, late_s: float = 0.0) -> list[int]:
        times_s = (5 + number / 10 + (number > 0) * late_s for number in range(50))
        samples = (replace(sample(5), seq=number, mono_ns=round(at_s * 1e9)) for number, at_s in enumerate(times_s))
        return [taken.seq for taken in watch.until(samples, duration_s, 0.1)]

    assert ticks(0.35) == ticks(0.3) == ticks(0.3, late_s=0.009) == [0, 1, 2, 3]
    assert ticks(0.3, late_s=0.011) == [0, 1, 2]
    assert ticks(None) == list(range(50))


def test_documents_of_watch_are_json_lines_with_rates() -> None:
    documents = [
        json.loads(line) for line in bpftop("watch", *QUICK, "--format", "json", "--count", "2").stdout.splitlines()
    ]
    assert [document["schema"] for document in documents] == ["bpftop.snapshot/1"] * 2
    assert all(document["interval_s"] > 0.05 for document in documents)
    assert all(document["own"]["poll_ns"] is not None for document in documents)


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("what was there before")
    target.chmod(0o640)
    done = bpftop("snapshot", *QUICK, "-o", str(target))
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads(target.read_text())["schema"] == "bpftop.snapshot/1"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert names_in(tmp_path) == ["out.json"]


def test_a_failure_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("what was there before")
    assert bpftop("snapshot", "no-such", "--attach", "none", "-o", str(target)).returncode == 1
    assert target.read_text() == "what was there before"
    assert names_in(tmp_path) == ["out.json"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_an_interrupted_snapshot_keeps_the_old_file(tmp_path: Path, number: signal.Signals, code: int) -> None:
    target = tmp_path / "out.json"
    target.write_text("what was there before")
    with started("snapshot", "lo", "--attach", "none", "-i", "60", "-o", str(target)) as process:
        await_handlers(process.pid)
        time.sleep(0.3)
        process.send_signal(number)
        _, message = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, message) == (code, "")
    assert target.read_text() == "what was there before"
    assert names_in(tmp_path) == ["out.json"]


def test_the_old_file_stays_until_watch_ends(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("what was there before")
    with started("watch", *QUICK, "--format", "csv", "-o", str(target)) as process:
        until(lambda: lines_in_progress(process.pid, tmp_path) > 4, "more than four lines are written")
        assert target.read_text() == "what was there before"
        process.terminate()
        assert process.wait(LIMIT_S) == 0
    assert target.read_text().count("taken_at") == 1
    assert len(target.read_text().splitlines()) > 4
    assert names_in(tmp_path) == ["out.csv"]


def test_a_killed_watch_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("what was there before")
    with started("watch", *QUICK, "-o", str(target)) as process:
        until(lambda: lines_in_progress(process.pid, tmp_path) > 1, "lines are written")
        process.kill()
        process.wait(LIMIT_S)
    assert target.read_text() == "what was there before"


@pytest.mark.parametrize("path", ["/nonexistent/out", "/", "/proc/out"])
def test_an_impossible_file_fails_before_counting(path: str) -> None:
    done = bpftop("snapshot", "lo", "--attach", "none", "-i", "60", "-o", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"bpftop: cannot write {path}: ")
    assert done.stderr.endswith("; give the output another place with -o\n")


def test_a_device_is_written_not_replaced() -> None:
    assert bpftop("snapshot", *QUICK, "-o", "/dev/null").returncode == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    done = bpftop("snapshot", *QUICK, "-o", "/dev/full")
    assert done.returncode == 1
    assert done.stderr.startswith("bpftop: cannot write /dev/full: No space left on device; ")


@pytest.mark.parametrize("path", ["-", "/dev/stdout"])
def test_standard_output_by_name(path: str) -> None:
    assert json.loads(bpftop("snapshot", *QUICK, "-o", path).stdout)["schema"] == "bpftop.snapshot/1"


def test_a_fifo_is_written_to(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_text()))
    reader.start()
    assert bpftop("snapshot", *QUICK, "-o", str(fifo)).returncode == 0
    reader.join(LIMIT_S)
    assert json.loads(read[0])["schema"] == "bpftop.snapshot/1"


def test_a_link_is_replaced_and_its_target_kept(tmp_path: Path) -> None:
    precious, link = tmp_path / "precious", tmp_path / "link"
    precious.write_text("precious")
    precious.chmod(0o600)
    link.symlink_to(precious)
    with replacing(str(link)) as descriptor:
        os.write(descriptor, b"new")
    assert (link.read_text(), link.is_symlink()) == ("new", False)
    assert precious.read_text() == "precious"


def test_behind_sudo_a_new_file_belongs_to_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _, uid, gid: given.append((uid, gid)))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", "1234")
    monkeypatch.setenv("SUDO_GID", "2345")
    with replacing(str(tmp_path / "out")):
        pass
    assert given == [(1234, 2345)]
    with replacing(str(tmp_path / "out")):  # one that was there keeps its owner
        pass
    assert given[1] == ((tmp_path / "out").stat().st_uid, (tmp_path / "out").stat().st_gid)


@pytest.mark.parametrize(
    ("words", "mode"),
    [
        (["snapshot", "--format", "json"], 0o600),
        (["snapshot", "--format", "markdown"], 0o600),
        (["snapshot", "--format", "table"], 0o644),
        (["snapshot", "--format", "csv"], 0o644),
        (["snapshot", "--format", "openmetrics"], 0o644),
        (["watch", "--count", "1", "--format", "samples"], 0o600),
        (["watch", "--count", "1", "--format", "table"], 0o600),
    ],
)
def test_files_with_addresses_are_private(tmp_path: Path, words: list[str], mode: int) -> None:
    target = tmp_path / "out"
    verb, *options = words
    assert bpftop(verb, *QUICK, *options, "-o", str(target), umask=0o022).returncode == 0
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_files_saved_by_the_screen_are_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [save_picture("<svg />"), save_snapshot(moment())]
    assert names_in(tmp_path) == sorted(Path(path).name for path in paths)
    assert {stat.S_IMODE(Path(path).stat().st_mode) for path in paths} == {0o600}
    assert Path(paths[0]).read_text() == "<svg />"
    assert paths[1] == str(tmp_path / "bpftop-web-17-20251126T031244123Z.json")
    assert json.loads(Path(paths[1]).read_text()) == document(moment())


def test_a_failed_save_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(BpftopError, match=r"^cannot write bpftop-.*: No such file or directory; start bpftop in a dir"):
        save_picture("<svg />")


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replacing(str(tmp_path / "out")):
        raise ZeroDivisionError
    assert names_in(tmp_path) == []
    with pytest.raises(BpftopError, match=r"cannot write .*: Is a directory"), replacing(str(tmp_path)):
        pass
