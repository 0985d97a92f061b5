"""A recording that somebody deletes, moves or overwrites while it is written: said once, with the right counts."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from bpftop.errors import BpftopError
from bpftop.store.finding_rows import TickFindings
from bpftop.store.recorder import Recorder
from bpftop.store.recording import Recording
from bpftop.store.recording_writer import RecordingLimits, Writer
from tests.store.made_up_machine import Machine
from tests.store.test_crash import readable
from tests.waiting import until


def offer(recorder: Recorder, machine: Machine, ticks: int) -> None:
    before = recorder.progress
    for sample in machine.samples(ticks):
        recorder.offer(sample)
        recorder.offer_findings(sample.mono_ns, [])
    total = before.ticks + before.lost + ticks
    until(lambda: recorder.progress.ticks + recorder.progress.lost == total, lambda: recorder.progress)


def overwritten(path: Path) -> None:
    path.write_bytes(b"x" * (1 << 20))


@pytest.mark.parametrize(
    ("harm", "words", "remain"),
    [
        (Path.unlink, "was deleted, with all of its ticks", False),
        (lambda path: path.rename(path.with_name("b")), "was moved or replaced", True),
        (lambda path: os.truncate(path, 100), "was truncated by another program", False),
        (overwritten, "was overwritten by another program", False),
    ],
)
def test_harm_to_the_file_is_noticed(tmp_path: Path, harm: Callable[[Path], object], words: str, remain: bool) -> None:
    path = tmp_path / "a"
    recorder, machine = Recorder(str(path)), Machine(cpus=1)
    offer(recorder, machine, 5)
    harm(path)
    offer(recorder, machine, 1)
    assert words in (recorder.progress.trouble or "")
    trouble = recorder.progress.trouble
    offer(recorder, machine, 3)
    assert recorder.progress.trouble == trouble
    progress = recorder.close()
    assert (progress.ticks, progress.lost, progress.trouble) == ((5, 4, trouble) if remain else (0, 9, trouble))
    if remain:
        assert len(readable(tmp_path / "b")) == 5
    assert not list(tmp_path.glob("a-*"))


def test_a_foreign_file_at_the_name_stays_as_it_is(tmp_path: Path) -> None:
    """Without the care SQLite copies the log into the file when the recording ends."""
    path = tmp_path / "a"
    recorder = Recorder(str(path))
    offer(recorder, Machine(cpus=1), 5)
    overwritten(path)
    content = path.read_bytes()
    assert recorder.close().ticks == 0
    assert path.read_bytes() == content


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.rename(path.with_name("b"))])
@pytest.mark.parametrize("notices_first", [True, False])
def test_a_second_recording_by_the_same_name(
    tmp_path: Path, harm: Callable[[Path], object], notices_first: bool
) -> None:
    """The first recorder has the log of its file still open, or has it by its name."""
    path = tmp_path / "a"
    first, machine = Recorder(str(path)), Machine(cpus=1)
    offer(first, machine, 5)
    harm(path)
    if notices_first:
        offer(first, machine, 1)
    second = Recorder(str(path))
    offer(second, machine, 3)
    offer(first, machine, 1)
    first.close()
    offer(second, machine, 3)
    progress = second.close()
    assert (progress.ticks, progress.lost, progress.trouble) == (6, 0, None)
    assert len(readable(path)) == 6
    if (tmp_path / "b").exists():
        assert len(readable(tmp_path / "b")) == 5
    assert not list(tmp_path.glob("a-*"))


def test_harm_after_the_last_tick_is_noticed(tmp_path: Path) -> None:
    recorder = Recorder(str(tmp_path / "a"))
    offer(recorder, Machine(cpus=1), 5)
    (tmp_path / "a").unlink()
    progress = recorder.close()
    assert (progress.ticks, progress.lost) == (0, 5)
    assert "was deleted" in (progress.trouble or "")


def test_a_reader_that_moves_the_log_is_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a"
    recorder, machine = Recorder(str(path)), Machine(cpus=1)
    offer(recorder, machine, 5)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(FULL)")
    connection.close()
    offer(recorder, machine, 5)
    assert (recorder.close().lost, len(readable(path))) == (0, 10)


def test_findings_alone_do_not_end_the_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, machine = Recorder(str(tmp_path / "a")), Machine(cpus=1)
    write = Writer.write

    def full(self: Writer, batch: list[object], owed: int = 0) -> None:
        if any(not isinstance(item, TickFindings) for item in batch):
            raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Writer, "write", full)
    for sample in machine.samples(5):
        recorder.offer(sample)
        recorder.offer_findings(sample.mono_ns, [])
        until(lambda: not recorder._queue.qsize(), "the queue is empty")
    until(lambda: recorder.progress.lost == 5, lambda: recorder.progress)
    assert "disk is full" in (recorder.progress.trouble or "")
    monkeypatch.setattr(Writer, "write", write)
    offer(recorder, machine, 1)
    assert recorder.close().trouble is None


def test_a_copy_without_its_log_names_the_log(tmp_path: Path) -> None:
    writer = Writer(str(tmp_path / "a"), RecordingLimits())
    writer.write([(sample, 0) for sample in Machine(cpus=1).samples(3)])
    shutil.copy(tmp_path / "a", tmp_path / "b")  # as after a kill: the ticks are still in the log
    writer.close()
    with pytest.raises(BpftopError, match=r"b holds no tick: .*b-wal is missing, .*copy both"):
        Recording(str(tmp_path / "b"))
    assert len(readable(tmp_path / "a")) == 3
