"""Committed ticks survive kills and damaged logs; a locked file loses counted ticks."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bpftop.errors import BpftopError
from bpftop.model.sample import Sample
from bpftop.store import recording_file
from bpftop.store.recorder import QUEUE_TICKS, Recorder
from bpftop.store.recording import Recording
from bpftop.store.recording_writer import RecordingLimits, Writer
from tests.store.made_up_machine import Machine
from tests.waiting import until

ENDLESS = """
import sys
from bpftop.store import recording_writer as module
from bpftop.store.recording_writer import RecordingLimits, Writer
from tests.store.made_up_machine import Machine
module.KEY_EVERY_TICKS = 16
writer = Writer(sys.argv[1], RecordingLimits())
for sample in Machine(cpus=2, protocols=5).samples(10**6):
    writer.write([(sample, 0)])
    print(sample.seq + 1, flush=True)
"""


def readable(path: Path) -> list[Sample]:
    recording = Recording(str(path))
    extent = recording.extent()
    assert extent is not None
    samples_read = [tick.sample for tick in recording.ticks(extent.first, extent.last)]
    recording.close()
    return samples_read


def made(count: int) -> list[Sample]:
    return list(Machine(cpus=2, protocols=5).samples(count))


def killed_after(path: Path, ticks: int) -> int:
    """Kill a recorder by SIGKILL after some ticks. Return the number of ticks that it reported as committed."""
    process = subprocess.Popen([sys.executable, "-c", ENDLESS, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    reported = 0
    while reported < ticks:
        reported = int(process.stdout.readline())
    process.kill()
    rest = process.stdout.read().split()
    process.wait()
    return int(rest[-1]) if rest else reported


@pytest.mark.parametrize("ticks", [1, 7, 30, 50])
def test_kill_9_leaves_every_committed_tick(tmp_path: Path, ticks: int) -> None:
    path = tmp_path / "a"
    committed = killed_after(path, ticks)
    samples_read = readable(path)
    assert committed <= len(samples_read) <= committed + 1  # a tick may be committed and not reported yet
    assert samples_read == made(len(samples_read))
    resumed = Writer(str(path), RecordingLimits())
    resumed.write([(samples_read[0], 0)])
    resumed.close()
    assert readable(path) == [*samples_read, samples_read[0]]


def test_truncated_log_leaves_the_ticks_before(tmp_path: Path) -> None:
    committed = killed_after(tmp_path / "a", 40)
    log = (tmp_path / "a-wal").read_bytes()
    samples = made(committed + 1)
    dice = random.Random(12)
    lengths = set()
    for number, cut in enumerate([0, 1, len(log), *(dice.randrange(len(log)) for _ in range(40))]):
        path = tmp_path / f"cut-{number}"
        shutil.copy(tmp_path / "a", path)
        Path(f"{path}-wal").write_bytes(log[:cut])
        try:
            samples_read = readable(path)
        except BpftopError:  # not even the first tick is whole
            samples_read = []
        assert samples_read == samples[: len(samples_read)]
        lengths.add(len(samples_read))
        if cut == len(log):
            assert len(samples_read) >= committed
    assert len(lengths) > 10


def test_log_is_read_up_to_a_changed_byte(tmp_path: Path) -> None:
    committed = killed_after(tmp_path / "a", 20)
    log = bytearray((tmp_path / "a-wal").read_bytes())
    log[len(log) // 2] ^= 0xFF
    (tmp_path / "a-wal").write_bytes(log)
    samples_read = readable(tmp_path / "a")
    assert 0 < len(samples_read) < committed
    assert samples_read == made(len(samples_read))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_file, "_BUSY_S", 0.05)


@pytest.mark.usefixtures("impatient")
def test_locked_file_loses_counted_ticks(tmp_path: Path) -> None:
    """Another connection holds a write transaction open."""
    path = tmp_path / "a"
    recorder = Recorder(str(path))
    samples = made(60)
    recorder.offer(samples[0])
    until(lambda: recorder.progress.ticks >= 1, "the first tick is written")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for sample in samples[1:40]:
        recorder.offer(sample)
    trouble = "database is locked; ticks are lost until it can be written again"
    until(lambda: trouble in (recorder.progress.trouble or ""), "the recorder reports the lock")
    other.execute("ROLLBACK")
    other.close()
    until(lambda: not recorder._queue.qsize(), "the queue is empty")
    for sample in samples[40:]:
        recorder.offer(sample)
        until(lambda: not recorder._queue.qsize(), "the queue is empty")
    progress = recorder.close()
    assert progress.trouble is None
    samples_read = readable(path)
    assert progress.ticks == len(samples_read)
    assert progress.ticks + progress.lost == len(samples)
    recording = Recording(str(path))
    extent = recording.extent()
    assert extent is not None
    assert extent.lost == progress.lost > 0
    recording.close()
    assert [sample.seq for sample in samples_read[-20:]] == list(range(40, 60))


def test_full_queue_loses_the_newest_ticks(tmp_path: Path) -> None:
    path = tmp_path / "a"
    recorder = Recorder(str(path))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    samples = made(QUEUE_TICKS + 20)
    for sample in samples:
        recorder.offer(sample)  # never waits, though nothing can be written
    lost = recorder.progress.lost
    assert lost >= len(samples) - 2 * QUEUE_TICKS
    assert "the disk does not keep up" in (recorder.progress.trouble or "")
    other.execute("ROLLBACK")
    other.close()
    progress = recorder.close()
    assert progress.ticks + progress.lost == len(samples)
    assert [sample.seq for sample in readable(path)] == list(range(progress.ticks))
