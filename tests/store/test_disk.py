"""The recorder on a full disk and on a frozen disk, both real file systems made by the test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpftop.errors import BpftopError
from bpftop.store.recorder import QUEUE_TICKS, Recorder
from tests.store.made_up_machine import Machine
from tests.store.test_crash import readable
from tests.waiting import until

pytestmark = pytest.mark.bpf  # mounting needs root


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 4 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder))
    yield folder
    run("umount", str(folder))


@pytest.fixture
def freezing(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system that `fsfreeze` can freeze."""
    image, folder = tmp_path / "image", tmp_path / "disk"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(32 << 20)
    run("mkfs.ext4", "-q", str(image))
    run("mount", "-o", "loop", str(image), str(folder))
    yield folder
    subprocess.run(["fsfreeze", "-u", str(folder)], capture_output=True)  # where the test ended early
    run("umount", str(folder))


def test_full_disk_loses_counted_ticks(small: Path) -> None:
    filler = small / "filler"
    filler.write_bytes(bytes(3_600_000))
    recorder = Recorder(str(small / "a"))
    samples = list(Machine(cpus=4).samples(50))
    for sample in samples[:30]:
        recorder.offer(sample)
        until(lambda: not recorder._queue.qsize(), "the queue is empty")
    until(lambda: recorder.progress.trouble, "the recorder reports trouble")
    assert "database or disk is full; ticks are lost until it can be written again" in (recorder.progress.trouble or "")
    before = recorder.progress.ticks
    assert [sample.seq for sample in readable(small / "a")] == list(range(before))
    filler.unlink()
    for sample in samples[30:]:
        recorder.offer(sample)
        until(lambda: not recorder._queue.qsize(), "the queue is empty")
    progress = recorder.close()
    assert progress.trouble is None
    written = readable(small / "a")
    assert written == [sample for sample in samples if sample.seq < before or sample in written]
    assert written[-1] == samples[-1]
    assert len(written) + progress.lost == len(samples)


def test_findings_alone_do_not_end_the_trouble(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may fit a disk that no tick fits: "written again" would be said at every tick."""
    (small / "filler").write_bytes(bytes(3_600_000))
    recorder = Recorder(str(small / "a"))
    said: list[str | None] = []
    monkeypatch.setattr(recorder, "_look_at_space", lambda: said.append(recorder.progress.trouble))

    def settled(batches: int) -> None:
        until(lambda: len(said) == batches, "the batch is written or lost")

    samples = list(Machine(cpus=4).samples(30))
    for number, sample in enumerate(samples, 1):
        recorder.offer(sample)
        settled(number)
    recorder.offer_findings(samples[-1].mono_ns, [])
    settled(len(samples) + 1)
    assert said[-1] == said[-2]
    assert "ticks are lost until it can be written again" in (said[-1] or "")
    recorder.close()


def test_no_room_for_a_new_file_is_one_sentence(small: Path) -> None:
    filler = small / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(5 << 20))
    with pytest.raises(BpftopError, match=r"cannot record to .*full; give the recording another place with -o"):
        Recorder(str(small / "a"))


def test_frozen_disk_never_blocks_offer(freezing: Path) -> None:
    recorder = Recorder(str(freezing / "a"))
    samples = list(Machine(cpus=2, protocols=5).samples(120))
    for sample in samples[:10]:
        recorder.offer(sample)
    until(lambda: recorder.progress.ticks == 10, "ten ticks are written")
    run("fsfreeze", "-f", str(freezing))
    for sample in samples[10:110]:
        recorder.offer(sample)  # returns, though the disk does not
    assert recorder.progress.ticks == 10
    assert recorder.progress.lost >= 100 - QUEUE_TICKS - 20
    assert "the disk does not keep up" in (recorder.progress.trouble or "")
    stuck = recorder.progress.lost
    run("fsfreeze", "-u", str(freezing))
    until(lambda: not recorder._queue.qsize(), "the queue is empty")
    for sample in samples[110:]:
        recorder.offer(sample)
    progress = recorder.close()
    assert progress.trouble is None
    assert progress.lost == stuck
    written = readable(freezing / "a")
    assert len(written) + progress.lost == len(samples)
    assert [sample.seq for sample in written[-10:]] == list(range(110, 120))


def test_close_on_a_frozen_disk_names_the_loss(freezing: Path) -> None:
    recorder = Recorder(str(freezing / "a"))
    run("fsfreeze", "-f", str(freezing))
    for sample in Machine(cpus=1).samples(3):
        recorder.offer(sample)
    progress = recorder.close(timeout_s=0.2)
    assert "the disk did not take the last ticks within 0.2 s" in (progress.trouble or "")
    run("fsfreeze", "-u", str(freezing))
    until(lambda: not recorder._thread.is_alive(), "the writer has ended")
    assert [sample.seq for sample in readable(freezing / "a")] == [0, 1, 2]
