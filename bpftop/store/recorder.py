"""Recording: samples in, without ever waiting; a thread of its own commits them to the file."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bpftop.model.findings import Finding
from bpftop.model.sample import Sample
from bpftop.store.finding_rows import Said
from bpftop.store.writer import Limits, Writer

QUEUE_TICKS = 30
"""How many ticks wait for the disk; those that come then are lost, and counted."""

_Item = tuple[Sample, int] | Said


@dataclass(frozen=True)
class RecordingProgress:
    """``ticks`` are in the file, ``lost`` are not. ``trouble``: why not the last ones, as a sentence."""

    path: str
    ticks: int = 0
    lost: int = 0
    trouble: str | None = None


class Recorder:
    """Writes samples to a recording until ``close``. ``offer`` may be called from one thread, ``found`` from one, the
    rest from any.

    A disk that stands still, or is full, costs the ticks that do not fit the queue; how many were lost stands with the
    next tick that is written. Raises BpftopError where the file cannot be one.
    """

    def __init__(self, path: str, limits: Limits | None = None) -> None:
        self._writer = Writer(path, limits or Limits())
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._offered = 0
        self._said: dict[tuple[str, str], str] | None = {}  # by the rules; None: it did not get into the file
        self._skipped = 0  # since a sample was last taken over
        self._owed = 0  # lost since a tick was last written
        self._progress = RecordingProgress(path)
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def offer(self, sample: Sample) -> None:
        """Take a sample over, or count it as lost where the disk does not keep up. Never waits."""
        self._offered += 1
        if self._queue.qsize() >= QUEUE_TICKS:
            self._skipped += 1
        else:
            self._queue.put((sample, self._skipped))
            self._skipped = 0

    def found(self, mono_ns: int, findings: Sequence[Finding]) -> None:
        """Take over what the rules say of the sample of ``mono_ns``, which was offered before. Never waits.

        Around findings the cells per CPU are in every tick, whatever they take. While the disk does not keep up, what
        comes and goes is passed over; what stands afterwards is written.
        """
        if findings:
            self._writer.keep_cells()
        now: dict[tuple[str, str], str] = {(one.id, one.scope_name): one.severity for one in findings}
        if now != self._said and self._queue.qsize() < QUEUE_TICKS:
            self._said = now
            self._queue.put(Said(mono_ns, tuple(findings)))

    @property
    def progress(self) -> RecordingProgress:
        """How far it has come. Ticks that wait are neither written nor lost."""
        now, skipped = self._progress, self._skipped
        stalled = f"{now.path}: the disk does not keep up; ticks are lost until it does" if skipped else None
        return replace(now, lost=now.lost + skipped, trouble=now.trouble or stalled)

    def close(self, timeout_s: float = 10.0) -> RecordingProgress:
        """Write what waits, and close the file. Where the disk does not take it in time, that is the trouble."""
        self._queue.put(None)
        self._thread.join(timeout_s)
        now = self.progress
        if self._thread.is_alive():
            trouble = f"{now.path}: the disk did not take the last ticks within {timeout_s:g} s"
            return replace(now, lost=self._offered - now.ticks, trouble=trouble)
        return now

    def _run(self) -> None:
        going = True
        while going:
            batch: list[_Item] = []
            item = self._queue.get()
            while item is not None:
                batch.append(item)
                if self._queue.empty():
                    break
                item = self._queue.get()
            going = item is not None
            if batch:
                self._write(batch)
        try:
            self._writer.close()
        except sqlite3.Error as error:
            self._fail(f"cannot close {self._progress.path}: {error}; keep it together with its -wal file", 0)

    def _write(self, batch: list[_Item]) -> None:
        ticks = [item for item in batch if not isinstance(item, Said)]
        skipped = sum(lost for _, lost in ticks)
        self._progress = replace(self._progress, lost=self._progress.lost + skipped)
        try:
            self._writer.write(batch, self._owed)
        except sqlite3.Error as error:
            why = f"cannot write {self._progress.path}: {error}; ticks are lost until it can be written again"
            self._give_up(why, len(ticks), skipped)
        except Exception as error:  # noqa: BLE001 - a thread that ends with a traceback would lose the rest in silence
            fault = f"{type(error).__name__}: {error}"
            why = f"recording failed through a fault in bpftop ({fault}); please report it"
            self._give_up(why, len(ticks), skipped)
        else:
            if ticks:
                self._owed = 0
            self._progress = replace(self._progress, ticks=self._progress.ticks + len(ticks), trouble=None)

    def _give_up(self, why: str, ticks: int, skipped: int) -> None:
        """Ticks that were to be written, and those that had been skipped before them, are not in the file."""
        self._owed += ticks + skipped
        self._said = None
        self._fail(why, ticks)

    def _fail(self, why: str, lost: int) -> None:
        self._progress = replace(self._progress, lost=self._progress.lost + lost, trouble=why)
