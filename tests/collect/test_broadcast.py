"""One sampler with several readers: all get the same samples, and only a slow reader loses some."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from bpftop.collect.broadcast import QUEUE_MAX, Broadcast
from bpftop.errors import BpftopError
from bpftop.model.sample import Sample
from bpftop.store.recorder import Recorder
from bpftop.store.recording import Recording
from tests.tui.fake_source import FakeSource


class Failing(FakeSource):
    def samples(self) -> Generator[Sample, None, None]:
        yield from super().samples()
        raise BpftopError("no interface eth0")


def test_two_readers_and_a_recording_see_the_same_counters(tmp_path: Path) -> None:
    gate = threading.Semaphore(0)
    broadcast = Broadcast(FakeSource(cpus=4, count=12, gate=gate))
    recorder = Recorder(str(tmp_path / "a"))
    broadcast.tap(recorder.offer)
    first, second = broadcast.reader().samples(), broadcast.reader().samples()
    pairs = []
    with broadcast:
        for _ in range(12):
            gate.release()
            pairs.append((next(first), next(second)))
    assert recorder.close().ticks == 12
    with closing(Recording(str(tmp_path / "a"))) as recording:
        recorded = [tick.sample for tick in recording.ticks(1, 12)]
    assert [left for left, _ in pairs] == recorded
    assert [right for _, right in pairs] == recorded
    assert [sample.seq for sample in recorded] == list(range(12))


def test_a_slow_reader_loses_only_its_own_samples() -> None:
    gate = threading.Semaphore(0)
    broadcast = Broadcast(FakeSource(cpus=2, count=30, gate=gate))
    quick, slow = broadcast.reader(), broadcast.reader()
    with broadcast:
        samples = quick.samples()
        seen = []
        for _ in range(30):
            gate.release()
            seen.append(next(samples).seq)
        assert seen == list(range(30))
        assert next(samples, None) is None
    assert (quick.lost, slow.lost) == (0, 30 - QUEUE_MAX)
    assert [sample.seq for sample in slow.samples()] == list(range(QUEUE_MAX))


def test_a_reader_leaves_and_the_others_go_on() -> None:
    gate = threading.Semaphore(0)
    broadcast = Broadcast(FakeSource(cpus=2, gate=gate))
    leaving, staying = broadcast.reader(), broadcast.reader()
    with broadcast:
        gate.release()
        samples = staying.samples()
        assert next(samples).seq == 0
        leaving.close()
        assert [sample.seq for sample in leaving.samples()] == [0]
        gate.release()
        assert next(samples).seq == 1
    assert [sample.seq for sample in samples] == []


def test_a_late_reader_gets_the_next_samples_and_the_end() -> None:
    gate = threading.Semaphore(0)
    source = FakeSource(cpus=2, count=2, gate=gate)
    broadcast = Broadcast(source)
    first = broadcast.reader().samples()
    with broadcast:
        gate.release()
        next(first)
        late = broadcast.reader()
        gate.release(2)
        assert [sample.seq for sample in late.samples()] == [1]
    assert list(broadcast.reader().samples()) == []


def test_the_error_of_the_source_reaches_every_reader() -> None:
    broadcast = Broadcast(Failing(cpus=2, count=1))
    readers = [broadcast.reader(), broadcast.reader()]
    with broadcast:
        for reader in readers:
            samples = reader.samples()
            assert next(samples).seq == 0
            with pytest.raises(BpftopError, match="no interface eth0"):
                next(samples)


def test_no_more_samples_than_the_count() -> None:
    broadcast = Broadcast(FakeSource(cpus=2), count=3)
    with broadcast:
        assert [sample.seq for sample in broadcast.reader().samples()][-1:] in ([2], [])
