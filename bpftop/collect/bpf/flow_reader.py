"""The tables of flows of one session, read by a thread of its own: a tick takes the newest reads and waits for none."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from bpftop.collect.bpf.flow_counter import FlowCounter
from bpftop.config.resources import NoThread, start_thread, why_failed
from bpftop.errors import BpftopError
from bpftop.fields import field, mutable
from bpftop.model.sample import Direction, Reading
from bpftop.model.source import SUMMARY_S

if TYPE_CHECKING:
    from bpftop.collect.sockets.flow_names import FlowNames

Watched = tuple[str, FlowCounter]
"""Label of the interface, and one of its counters."""

LEAD_NS = 100_000_000  # a read begins so long before a tick, to be done by then
EVERY_NS = 1_000_000_000  # a table that is read more often costs a CPU and says no more
SUMMARY_EVERY_NS = SUMMARY_S * 1_000_000_000
_EARLY_NS = 250_000_000  # a read may come so much sooner: ticks are not exactly as far apart as reads


@mutable
class _TableRead:
    read_ns: int = 0
    readings: dict[str, Reading] = field(default_factory=dict)
    fault: str | None = None
    unnamed: str | None = None  # why the processes are not known


class FlowReader:
    """A thread that reads tables of flows. It starts with the first counter.

    Where an error ends the thread, all tables are unavailable by its reason until no table is watched any more.

    ``schedule`` and ``newest`` belong to the sampler; any thread may call ``close``.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: tuple[Watched, ...] = ()
        self._due_ns = 0
        self._closed = False
        self._failure: str | None = None
        self._reads: dict[FlowCounter, _TableRead] = {}
        self._thread: threading.Thread | None = None
        self._names: FlowNames | None = None  # belongs to the thread

    def schedule(self, watched: Collection[Watched], due_ns: int) -> None:
        """Read these counters for the tick at ``due_ns`` (CLOCK_MONOTONIC), and forget all other counters."""
        with self._changed:
            self._watched, self._due_ns = tuple(watched), due_ns
            self._reads = {counter: self._reads.get(counter, _TableRead()) for _, counter in watched}
            if any(self._is_due(counter) for _, counter in watched):
                self._changed.notify()
            if not watched and self._failure is not None:
                self._thread, self._failure = None, None
        if watched and self._thread is None:
            thread = threading.Thread(target=self._run, name="bpftop-flows", daemon=True)
            try:
                start_thread(thread)
            except NoThread as error:
                self._reads = {counter: _TableRead(fault=str(error)) for _, counter in watched}
            else:
                self._thread = thread

    def newest(self) -> tuple[dict[str, Reading], dict[str, str]]:
        """Return the newest readings of the watched counters, and part -> reason for tables that cannot be read."""
        readings: dict[str, Reading] = {}
        unavailable: dict[str, str] = {}
        with self._changed:
            for label, counter in self._watched:
                table_read = self._reads[counter] if self._failure is None else _TableRead(fault=self._failure)
                readings.update(table_read.readings)
                if table_read.fault is not None:
                    unavailable[f"flows/{label}/{counter.direction}"] = table_read.fault
                if table_read.unnamed is not None:
                    unavailable[f"flow_sockets/{label}/{counter.direction}"] = table_read.unnamed
        return readings, unavailable

    def close(self) -> None:
        """End the thread, after the read that is under way."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            try:
                self._read_when_due()
            finally:
                if self._names is not None:
                    self._names.close()
        except Exception as error:  # noqa: BLE001 - otherwise the last flows would be shown for ever
            with self._changed:
                self._failure = why_failed(error, "reading flows")

    def _read_when_due(self) -> None:
        while True:
            with self._changed:
                while not self._closed and not self._is_time():
                    self._changed.wait(self._wait_s())
                if self._closed:
                    return
                due = self._watched  # also what began later: both directions are shown as one
            for label, counter in due:
                self._read(label, counter)

    def _read(self, label: str, counter: FlowCounter) -> None:
        table_read = _TableRead(time.monotonic_ns())
        try:
            table_read.readings = counter.read(label)
        except BpftopError as error:
            table_read.fault = str(error)
        if not counter.request.summary:
            self._add_names(label, counter.direction, table_read)
        with self._changed:
            if counter in self._reads:
                self._reads[counter] = table_read
        counter.measure_cost()

    def _add_names(self, label: str, direction: Direction, table_read: _TableRead) -> None:
        """Add the sockets of the flows, and their processes."""
        if self._names is None:
            from bpftop.collect.sockets.flow_names import FlowNames  # late: 3 ms of a start that counts no flows

            self._names = FlowNames()
        try:
            named = self._names.readings(label, direction, table_read.readings)
            table_read.readings = {**table_read.readings, **named}
            table_read.unnamed = self._names.incomplete
        except BpftopError as error:
            table_read.unnamed = str(error)

    def _is_time(self) -> bool:
        return self._wait_s() == 0 and any(self._is_due(counter) for _, counter in self._watched)

    def _is_due(self, counter: FlowCounter) -> bool:
        every_ns = SUMMARY_EVERY_NS if counter.request.summary else EVERY_NS
        return self._due_ns - LEAD_NS >= self._reads[counter].read_ns + every_ns - _EARLY_NS

    def _wait_s(self) -> float | None:
        """Return the seconds until the next read; None: no read is due until ``schedule`` is called again."""
        if not any(self._is_due(counter) for _, counter in self._watched):
            return None
        return max(0, self._due_ns - LEAD_NS - time.monotonic_ns()) / 1e9
