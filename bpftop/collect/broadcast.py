"""One sampler, several readers: whoever is slow loses ticks of his own, and nobody else's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from queue import SimpleQueue

from bpftop.model.sample import Sample
from bpftop.model.source import SampleSource

KEPT = 8
"""How many samples wait for a reader; while he is further behind, ticks pass him by, and rates span more than one."""

_Item = Sample | BaseException | None
"""None: there will be no more."""


class Reader:
    """The samples of a FanOut for one reader: a bpftop.model.source.Source of its own. ``lost``: what passed it by."""

    def __init__(self, fan: Broadcast) -> None:
        self.lost = 0
        self._fan = fan
        self._waiting: SimpleQueue[_Item] = SimpleQueue()

    def samples(self) -> Generator[Sample, None, None]:
        """Raises what the source failed with."""
        while (item := self._waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        """End ``samples``; the others go on."""
        self._fan.leave(self)
        self._waiting.put(None)

    def accept_offer(self, label: str) -> None:
        self._fan.source.accept_offer(label)

    def watch_flows(self, on: bool, sample_1_in: int = 1) -> None:
        self._fan.source.watch_flows(on, sample_1_in)

    def take(self, item: _Item) -> None:
        """Called in the sampler's thread; never waits."""
        if isinstance(item, Sample) and self._waiting.qsize() >= KEPT:
            self.lost += 1
        else:
            self._waiting.put(item)


class Broadcast:
    """Runs a source in a thread of its own, which signals do not reach: it attaches and detaches undisturbed.

    A reader gets what comes after he was made; one made before ``start`` gets all of it. As a context it starts, and
    ends with everything detached. ``count``: take no more samples than these.
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
        self._thread.start()

    def close(self) -> None:
        """Detach, end every reader, and wait for that."""
        self.source.close()
        self._thread.join()

    def reader(self) -> Reader:
        """One more reader."""
        reader = Reader(self)
        with self._lock:
            self._readers += (reader,)
            for item in self._ended:
                reader.take(item)
        return reader

    def leave(self, reader: Reader) -> None:
        """Give this one no more."""
        with self._lock:
            self._readers = tuple(one for one in self._readers if one is not reader)

    def tap(self, take: Callable[[Sample], object]) -> None:
        """Call ``take`` with every sample, in the sampler's thread: it must not wait for anything."""
        self._taps += (take,)

    def _run(self) -> None:
        try:
            for sample in self._samples():
                for take in self._taps:
                    take(sample)
                self._hand_out(sample)
        except BaseException as error:  # noqa: BLE001 handed over to the readers
            self._hand_out(error)
        finally:
            self._hand_out(None)

    def _samples(self) -> Iterator[Sample]:
        samples = self.source.samples()
        try:
            yield from islice(samples, self._count)
        finally:
            samples.close()  # detaches now, and not when the garbage is collected

    def _hand_out(self, item: _Item) -> None:
        with self._lock:
            if not isinstance(item, Sample):
                self._ended.append(item)
            for reader in self._readers:
                reader.take(item)
