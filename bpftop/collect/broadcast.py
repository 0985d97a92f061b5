"""One sampler with several readers. A slow reader loses samples; the other readers do not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from queue import SimpleQueue

from bpftop.config.resources import start_thread
from bpftop.model.sample import Sample
from bpftop.model.source import SampleSource

QUEUE_MAX = 8
"""Most samples that wait for a reader. Further samples are lost to that reader, and its rates span more than a tick."""

_Item = Sample | BaseException | None
"""None ends the samples."""


class Reader:
    """The samples of a Broadcast for one reader. ``lost`` counts lost samples."""

    def __init__(self, broadcast: Broadcast) -> None:
        self.lost = 0
        self._broadcast = broadcast
        self._waiting: SimpleQueue[_Item] = SimpleQueue()

    def samples(self) -> Generator[Sample, None, None]:
        """Yield the samples. Raises the error with which the source failed."""
        while (item := self._waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        """End ``samples``; the other readers go on."""
        self._broadcast.leave(self)
        self._waiting.put(None)

    def take(self, item: _Item) -> None:
        """Queue a sample, in the sampler's thread; never waits."""
        if isinstance(item, Sample) and self._waiting.qsize() >= QUEUE_MAX:
            self.lost += 1
        else:
            self._waiting.put(item)


class Broadcast:
    """A thread that runs a source. Signals do not reach it: it attaches and detaches undisturbed.

    A reader gets the samples after its making; a reader made before ``start`` gets all samples. The context starts the
    thread, and ends with everything detached. ``count`` is the largest number of samples to take.
    """

    def __init__(self, source: SampleSource, count: int | None = None) -> None:
        self.source = source
        self._count = count
        self._readers: tuple[Reader, ...] = ()
        self._taps: tuple[Callable[[Sample], object], ...] = ()
        self._lock = threading.Lock()
        self._ended: list[_Item] = []
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> Broadcast:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        start_thread(self._thread)

    def close(self, timeout_s: float | None = None) -> bool:
        """Detach, end every reader, and wait for the thread, at most ``timeout_s``. Return whether the thread ran."""
        was_running = self._thread.is_alive()
        self.source.close()
        if self._thread.ident is not None:  # else it was never started
            self._thread.join(timeout_s)
        return was_running

    def reader(self) -> Reader:
        """Return a new reader."""
        reader = Reader(self)
        with self._lock:
            self._readers += (reader,)
            for item in self._ended:
                reader.take(item)
        return reader

    def leave(self, reader: Reader) -> None:
        """Give the reader no more samples."""
        with self._lock:
            self._readers = tuple(each for each in self._readers if each is not reader)

    def tap(self, take: Callable[[Sample], object]) -> None:
        """Call ``take`` with every sample, in the sampler's thread: ``take`` must not wait."""
        self._taps += (take,)

    def _run(self) -> None:
        try:
            for sample in self._samples():
                for take in self._taps:
                    take(sample)
                self._hand_out(sample)
        except BaseException as error:  # noqa: BLE001 every reader raises it
            self._hand_out(error)
        finally:
            self._hand_out(None)

    def _samples(self) -> Iterator[Sample]:
        samples = self.source.samples()
        try:
            yield from islice(samples, self._count)
        finally:
            samples.close()  # detach now, and not at garbage collection

    def _hand_out(self, item: _Item) -> None:
        with self._lock:
            if not isinstance(item, Sample):
                self._ended.append(item)
            for reader in self._readers:
                reader.take(item)
