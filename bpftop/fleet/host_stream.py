"""The samples of one host of a fleet as a source of a live screen: the kept samples at once, then each new sample."""

from __future__ import annotations

import queue
from collections.abc import Callable, Generator

from bpftop.model.sample import Sample
from bpftop.model.source import TakenSamples
from bpftop.store.encoding.sample_lines import LineReader

WAITING_MAX = 100
"""Lines that wait for a screen. A screen that takes none for so long misses lines."""


class HostStream(TakenSamples):
    """A SampleSource of lines that the fleet has read without error already. ``leave`` ends the deliveries."""

    def __init__(self, kept: list[bytes], leave: Callable[[HostStream], None]) -> None:
        self._kept = kept
        self._leave = leave
        self._lines: queue.Queue[bytes | None] = queue.Queue()

    def offer(self, line: bytes) -> None:
        """Deliver a line from the thread of the fleet, without waiting."""
        if self._lines.qsize() < WAITING_MAX:
            self._lines.put(line)

    def samples(self) -> Generator[Sample, None, None]:
        """Yield samples until ``close``. A host that fails sends none until it is back."""
        reader = LineReader()
        for line in self._kept:
            yield reader.read(line)
        self._kept = []
        while (arrived := self._lines.get()) is not None:
            yield reader.read(arrived)

    def close(self) -> None:
        self._leave(self)
        self._lines.put(None)
