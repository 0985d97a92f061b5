"""A collector in a thread of its own: neither a tick nor the end of a session waits for a read that is under way."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import pytest

from bpftop.collect.background_collector import InBackground
from bpftop.collect.collector import Collectors, Unavailable
from bpftop.collect.inventory.bpf_objects import BpfObjects
from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.hooks.attach_facts import AttachRequest
from bpftop.model.sample import Interface, Reading
from tests.samples import packed
from tests.waiting import LIMIT_S, until

FAMILY = "bpf_statistics"


class Slow:
    """A collector whose every read waits until the test lets it go on; ``fault`` is raised instead of an answer."""

    name = "slow"

    def __init__(self) -> None:
        self.begun, self.go_on, self.ended = threading.Semaphore(0), threading.Semaphore(0), threading.Event()
        self.reads = 0
        self.fault: Exception | None = None

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        self.begun.release()
        assert self.go_on.acquire(timeout=LIMIT_S)
        self.reads += 1
        if self.fault is not None:
            raise self.fault
        return {FAMILY: packed(FAMILY, ((),), [1, self.reads], read_ns=self.reads)}

    def close(self) -> None:
        self.ended.set()


@pytest.fixture
def slow() -> Iterator[Slow]:
    collector = Slow()
    yield collector
    collector.go_on.release(100)


def newest(collector: InBackground, read_ns: int) -> Reading:
    """Wait until the readings of the time ``read_ns`` are handed out."""
    return until(
        lambda: next((r for r in collector.read(()).values() if r.read_ns == read_ns), None), f"read {read_ns}"
    )


def test_a_tick_takes_what_is_there_while_a_read_is_under_way(slow: Slow) -> None:
    with closing(InBackground(slow, lambda: 1)) as collector:
        assert slow.begun.acquire(timeout=LIMIT_S)
        assert (collector.read(()), slow.reads) == ({}, 0)
        slow.go_on.release()
        first = newest(collector, 1)
        assert slow.begun.acquire(timeout=LIMIT_S)  # the next read, which the tick asked for
        assert collector.read(())[FAMILY] is first
        slow.go_on.release()
        assert newest(collector, 2).previous == first


def test_a_session_can_begin_with_the_first_readings(slow: Slow) -> None:
    with closing(InBackground(slow, lambda: 1)) as collector:
        slow.go_on.release()
        collector.wait_for_first()
        assert collector.read(())[FAMILY].read_ns == 1


def test_a_late_read_leaves_the_last_readings_in_the_samples(slow: Slow) -> None:
    collectors = Collectors([InBackground(slow, lambda: 1)], 1)
    with closing(collectors):
        slow.go_on.release(2)

        def second() -> Reading | None:
            return next((each for each in collectors.read(())[0].values() if each.previous is not None), None)

        taken = until(second, "a second reading")
        assert slow.begun.acquire(timeout=LIMIT_S)
        assert (second(), taken.read_ns, slow.reads) == (taken, 2, 2)


def test_faults_come_out_in_the_thread_that_takes_the_readings(slow: Slow) -> None:
    slow.go_on.release(100)
    slow.fault = Unavailable("not here")
    with closing(InBackground(slow, lambda: 1)) as collector:
        assert isinstance(until(lambda: answer(collector), "a fault"), Unavailable)
        slow.fault = ZeroDivisionError("a fault of the program")
        until(lambda: isinstance(answer(collector), ZeroDivisionError), "the other fault")
        slow.fault = None
        until(lambda: isinstance(answer(collector), dict), "readings again")


def answer(collector: InBackground) -> Mapping[str, Reading] | Exception:
    """Return the readings or the error of a collector."""
    try:
        return collector.read(())
    except (Unavailable, ZeroDivisionError) as error:
        return error


def test_the_end_does_not_wait_for_a_read_that_is_under_way(slow: Slow) -> None:
    collector = InBackground(slow, lambda: 1)
    assert slow.begun.acquire(timeout=LIMIT_S)
    collector.close()
    assert not slow.ended.is_set()
    slow.go_on.release()
    assert slow.ended.wait(LIMIT_S)
    assert slow.reads == 1


def test_a_shorter_interval_counts_at_once(slow: Slow) -> None:
    intervals = iter([10**15, 10**15, 1])
    slow.go_on.release(2)
    with closing(InBackground(slow, lambda: next(intervals, 10**15))) as collector:
        first = newest(collector, 1)
        assert collector.read(())[FAMILY] is first
        assert newest(collector, 2).previous == first


@pytest.mark.bpf
def test_samples_go_on_while_the_inventory_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    read = BpfObjects.read

    def held_up(self: BpfObjects, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        begun.set()
        assert go_on.wait(LIMIT_S)
        return read(self, interfaces)

    monkeypatch.setattr(BpfObjects, "read", held_up)
    source = LiveSource(["lo"], LiveOptions(AttachRequest("none"), interval_s=0.1, drops=False))
    samples = source.samples()
    try:
        next(samples)
        source.watch_bpf(True)
        until(lambda: next(samples) and begun.is_set(), "the read of the inventory")
        assert not any("bpf_programs" in next(samples).readings for _ in range(5))
        source.watch_bpf(False)  # and the samples do not wait for its end
        assert not any("bpf_programs" in next(samples).readings for _ in range(5))
        source.watch_bpf(True)
        go_on.set()
        assert until(lambda: "bpf_programs" in next(samples).readings, "the inventory")
    finally:
        go_on.set()
        source.close()
        samples.close()


@pytest.mark.bpf
def test_the_inventory_follows_a_new_interval() -> None:
    """A reading of the objects in every sample: the first interval was an hour."""
    source = LiveSource(["lo"], LiveOptions(AttachRequest("none"), interval_s=3600.0, drops=False))
    samples = source.samples()
    try:
        next(samples)
        source.watch_bpf(True)
        next(samples)
        source.change_interval(1.0)
        times = (next(samples).readings.get("bpf_programs") for _ in iter(int, 1))
        seen = {reading.read_ns for reading in itertools.islice(filter(None, times), 4)}
        assert len(seen) >= 3
    finally:
        source.close()
        samples.close()
