"""The tables of flows of one session, read by a thread of its own: a tick takes what is there and waits for nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from bpftop.collect.bpf.flow_counter import FlowCounter
from bpftop.errors import BpftopError
from bpftop.model.sample import Reading

Watched = tuple[str, FlowCounter]
"""Label of the interface, and one of its counters."""

LEAD_NS = 100_000_000  # so long before a tick a read begins, to be done by then
EVERY_NS = 1_000_000_000  # a table that is read more often costs a CPU and says no more


@dataclass
class _Found:
    read_ns: int = 0
    readings: dict[str, Reading] = field(default_factory=dict)
    fault: str | None = None


class FlowReader:
    """``ask`` and ``found`` belong to the sampler, ``close`` to anybody. The thread begins with the first counter."""

    def __init__(self) -> None:
        self._asked = threading.Condition()
        self._watched: tuple[Watched, ...] = ()
        self._due_ns = 0
        self._closed = False
        self._found: dict[FlowCounter, _Found] = {}
        self._thread: threading.Thread | None = None

    def ask(self, watched: Collection[Watched], due_ns: int) -> None:
        """Read these for the tick that is due then (CLOCK_MONOTONIC), and forget all others."""
        with self._asked:
            self._watched, self._due_ns = tuple(watched), due_ns
            counters = [counter for _, counter in watched]
            self._found = {counter: self._found.get(counter, _Found()) for counter in counters}
            self._asked.notify()
        if watched and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="bpftop-flows", daemon=True)
            self._thread.start()

    def found(self) -> tuple[dict[str, Reading], dict[str, str]]:
        """The newest readings of what is watched, and what cannot be read with the reason."""
        readings: dict[str, Reading] = {}
        unavailable: dict[str, str] = {}
        with self._asked:
            for label, counter in self._watched:
                found = self._found[counter]
                readings.update(found.readings)
                if found.fault is not None:
                    unavailable[f"flows/{label}/{counter.direction}"] = found.fault
        return readings, unavailable

    def close(self) -> None:
        """End the thread, after the read that is under way."""
        with self._asked:
            self._closed = True
            self._asked.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._asked:
                while not self._closed and not self._is_time():
                    self._asked.wait(self._wait_s())
                if self._closed:
                    return
                due = [one for one in self._watched if self._is_due(one[1])]
            for label, counter in due:
                self._read(label, counter)

    def _read(self, label: str, counter: FlowCounter) -> None:
        now = _Found(time.monotonic_ns())
        try:
            now.readings = counter.read(label)
        except BpftopError as error:
            now.fault = str(error)
        with self._asked:
            if counter in self._found:
                self._found[counter] = now
        counter.measure_cost()

    def _is_time(self) -> bool:
        return self._wait_s() == 0 and any(self._is_due(counter) for _, counter in self._watched)

    def _is_due(self, counter: FlowCounter) -> bool:
        return self._due_ns - LEAD_NS >= self._found[counter].read_ns + EVERY_NS * 3 // 4

    def _wait_s(self) -> float | None:
        """Until it is time to read; None: until somebody asks."""
        if not any(self._is_due(counter) for _, counter in self._watched):
            return None
        return max(0, self._due_ns - LEAD_NS - time.monotonic_ns()) / 1e9
