"""A collector whose kernel reads take long, read by a thread of its own: no tick and no screen waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from bpftop.collect.collector import Collector, Unavailable
from bpftop.config.resources import NoThread, start_thread
from bpftop.fields import replace
from bpftop.model.sample import Interface, Reading

LEAST_LEAD_NS = 100_000_000
"""A read begins at least so long before the tick that takes its readings."""

_NOTHING: Mapping[str, Reading] = {}


class InBackground:
    """A Collector that hands out the newest readings of another collector.

    The thread starts at once and is in the network namespace of the thread that makes the object. ``read`` returns
    nothing until the first read is done, and the same mapping again while no newer one is there. Each reading carries
    its ``previous`` reading, so that a late read leaves the rates of the last interval in the samples.

    Args:
        collector: belongs to the thread, which closes it. It is read with no interfaces.
        every_ns: returns the time between two reads, at least the interval between ticks. It is asked at each tick, so
            that the reads follow an interval that a person changes.
    """

    def __init__(self, collector: Collector, every_ns: Callable[[], int]) -> None:
        self.name = collector.name
        self._collector, self._every_ns = collector, every_ns
        self._changed = threading.Condition()
        self._due_ns: int | None = 0
        self._busy, self._closed = False, False
        self._took_ns = 0
        self._newest = _NOTHING
        self._fault: Exception | None = None
        try:
            start_thread(threading.Thread(target=self._run, name=f"bpftop-{self.name}", daemon=True))
        except NoThread as error:
            self._fault = Unavailable(str(error))

    def wait_for_first(self) -> None:
        """Wait until the first read is done: before the first tick of a session nothing is late by that."""
        with self._changed:
            self._changed.wait_for(lambda: (not self._busy and self._due_ns is None) or self._fault is not None)

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Return the newest readings, and have newer ones read in time for the tick after ``every_ns``.

        Raises:
            Unavailable: the last read failed like that; any other error of the last read is raised as it is.
        """
        with self._changed:
            if not self._busy:
                every_ns = self._every_ns()
                lead_ns = min(every_ns // 2, max(LEAST_LEAD_NS, 2 * self._took_ns))
                due_ns = time.monotonic_ns() + every_ns - lead_ns
                if self._due_ns is None or due_ns < self._due_ns:
                    self._due_ns = due_ns
                    self._changed.notify_all()
            if self._fault is not None:
                raise self._fault
            return self._newest

    def close(self) -> None:
        """Have the thread close the collector, after a read that is under way. Does not wait for that."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while self._wait():
                begin_ns = time.monotonic_ns()
                newest, fault = _NOTHING, None
                try:
                    newest = self._collector.read(())
                except Exception as error:  # noqa: BLE001 - raised again in the thread that takes the readings
                    fault = error
                with self._changed:
                    self._busy, self._took_ns = False, time.monotonic_ns() - begin_ns
                    self._newest, self._fault = self._with_previous(newest), fault
                    self._changed.notify_all()
        finally:
            self._collector.close()

    def _wait(self) -> bool:
        """Wait until a read is due. Return False once the collector is to be closed."""
        with self._changed:
            while not self._closed:
                left_ns = None if self._due_ns is None else self._due_ns - time.monotonic_ns()
                if left_ns is not None and left_ns <= 0:
                    self._due_ns, self._busy = None, True
                    return True
                self._changed.wait(None if left_ns is None else left_ns / 1e9)
            return False

    def _with_previous(self, readings: Mapping[str, Reading]) -> Mapping[str, Reading]:
        known = self._newest
        return {
            key: replace(reading, previous=replace(known[key], previous=None)) if key in known else reading
            for key, reading in readings.items()
        }
