"""The recorder: takes samples without ever waiting, commits them in a thread of its own, and tells the free space."""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from bpftop.config.resources import start_thread, why_failed
from bpftop.fields import frozen, replace
from bpftop.model.findings import Finding, FindingValue, Severity
from bpftop.model.sample import Sample
from bpftop.model.units import si
from bpftop.store.finding_rows import TickFindings
from bpftop.store.recording_guard import RecordingGone
from bpftop.store.recording_writer import RecordingLimits, Writer

QUEUE_TICKS = 30
"""Number of ticks that wait for the disk at most. Further ticks are lost, and counted."""

SPACE_EVERY_S = 60.0
"""Time between two looks at the free space of the file system."""

_Item = tuple[Sample, int] | TickFindings
_FindingStates = dict[tuple[str, str], tuple[Severity, FindingValue | None]]


@frozen
class RecordingProgress:
    """Number of ticks in the file and of lost ticks. ``trouble``: a sentence on why the last ticks are lost.

    ``space``: free bytes of the file system, up to a minute ago; None: unknown. ``duration_s``: time since the begin.
    """

    path: str
    ticks: int = 0
    lost: int = 0
    size_bytes: int = 0
    duration_s: float = 0.0
    trouble: str | None = None
    space: FreeSpace | None = None

    @property
    def warning(self) -> str | None:
        """Return the trouble, or else a sentence about a file system that is nearly full."""
        if self.trouble is None and self.space is not None and self.space.is_low:
            return f"{self.path}: only {self.space}; a day of recording takes up to 1 GB"
        return self.trouble


class Recorder:
    """Writes samples to a recording until ``close``.

    ``offer`` is called from one thread, ``offer_findings`` from one, the rest from any. While the disk is stuck or
    full, ticks that do not fit the queue are lost; the next tick that is written has their number. Raises BpftopError
    if the file cannot be written.
    """

    def __init__(self, path: str, limits: RecordingLimits | None = None) -> None:
        self._writer = Writer(path, limits or RecordingLimits())
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._offered = 0
        self._states: _FindingStates | None = {}  # of the findings in the file; None: write failed
        self._skipped = 0  # ticks lost since the last one that got into the queue
        self._owed = 0  # ticks lost since the last one that was written
        self._progress = RecordingProgress(path, size_bytes=_size_bytes(path))
        self._look_s = 0.0
        self._begun_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        start_thread(self._thread)

    def offer(self, sample: Sample) -> None:
        """Queue a sample, or count it as lost while the queue is full. Never waits."""
        self._offered += 1
        if self._queue.qsize() >= QUEUE_TICKS:
            self._skipped += 1
        else:
            self._queue.put((sample, self._skipped))
            self._skipped = 0

    def offer_findings(self, mono_ns: int, findings: Sequence[Finding]) -> None:
        """Queue the findings of the sample of ``mono_ns``, which was offered before. Never waits.

        While there are findings, every tick is written with its cells per CPU. While the queue is full, changes are
        passed over; the findings that stand afterwards are written.
        """
        if findings:
            self._writer.keep_cells()
        states: _FindingStates = {(f.id, f.scope_name): (f.severity, f.value) for f in findings}
        if states != self._states and self._queue.qsize() < QUEUE_TICKS:
            self._states = states
            self._queue.put(TickFindings(mono_ns, tuple(findings)))

    @property
    def progress(self) -> RecordingProgress:
        """Number of ticks written and lost. Ticks in the queue are neither."""
        now, skipped = self._progress, self._skipped
        stalled = f"{now.path}: the disk does not keep up; ticks are lost until it does" if skipped else None
        duration_s = time.monotonic() - self._begun_s
        return replace(now, lost=now.lost + skipped, trouble=now.trouble or stalled, duration_s=duration_s)

    def close(self, timeout_s: float = 10.0) -> RecordingProgress:
        """Write the queue and close the file. If the disk takes longer than ``timeout_s``, ``trouble`` says so."""
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
                self._look_at_space()
        try:
            self._writer.close()
        except RecordingGone as error:
            self._lose_ticks(error)
            self._fail(str(error), 0)
        except sqlite3.Error as error:
            self._fail(f"cannot close {self._progress.path}: {error}; keep it together with its -wal file", 0)

    def _look_at_space(self) -> None:
        if time.monotonic() >= self._look_s:
            self._look_s = time.monotonic() + SPACE_EVERY_S
            self._progress = replace(self._progress, space=free_space(self._progress.path))

    def _write(self, batch: list[_Item]) -> None:
        ticks = [item for item in batch if not isinstance(item, TickFindings)]
        skipped = sum(lost for _, lost in ticks)
        self._progress = replace(self._progress, lost=self._progress.lost + skipped)
        try:
            self._writer.write(batch, self._owed)
        except RecordingGone as error:
            self._lose_ticks(error)
            self._lose_batch(str(error), len(ticks), skipped)
        except sqlite3.Error as error:
            why = f"cannot write {self._progress.path}: {error}; ticks are lost until it can be written again"
            self._lose_batch(why, len(ticks), skipped)
        except Exception as error:  # noqa: BLE001 - a thread that ends with a traceback would lose the rest in silence
            self._lose_batch(why_failed(error, "recording"), len(ticks), skipped)
        else:
            if ticks:  # findings alone may fit a full disk
                self._owed = 0
                now = self._progress
                self._progress = replace(
                    now, ticks=now.ticks + len(ticks), trouble=None, size_bytes=_size_bytes(now.path)
                )

    def _lose_batch(self, why: str, ticks: int, skipped: int) -> None:
        """Count the ticks of a failed batch, and those skipped before them, as lost."""
        self._owed += ticks + skipped
        self._states = None
        self._fail(why, ticks)

    def _lose_ticks(self, error: RecordingGone) -> None:
        """Count the ticks that were written as lost, unless they are in a file that was only moved."""
        now = self._progress
        if not error.ticks_remain:
            self._progress = replace(now, ticks=0, lost=now.lost + now.ticks)

    def _fail(self, why: str, lost: int) -> None:
        self._progress = replace(self._progress, lost=self._progress.lost + lost, trouble=why)


def _size_bytes(path: str) -> int:
    """Return the size of a recording with its write-ahead log."""
    size_bytes = 0
    for part in (path, f"{path}-wal"):
        with suppress(FileNotFoundError):
            size_bytes += os.stat(part).st_size
    return size_bytes


LOW_BYTES = 256 << 20
"""Free space below which a person is warned: six hours, for a day of recording takes up to 1 GiB."""


@frozen
class FreeSpace:
    """Free bytes for this user, and the mount point and type of the file system."""

    free_bytes: int
    mount: str
    kind: str

    @property
    def is_low(self) -> bool:
        return self.free_bytes < LOW_BYTES

    def __str__(self) -> str:
        """Return ``12.1 GB free on /var (ext4)``."""
        return f"{si(self.free_bytes, 'B')} free on {self.mount} ({self.kind})"


def free_space(path: str) -> FreeSpace | None:
    """Return the space that is left for a file; None where its folder or the mounts cannot be read."""
    import psutil  # late: 1 MiB and 16 ms, which only a recording needs

    folder = os.path.dirname(os.path.realpath(path))
    try:
        free_bytes = psutil.disk_usage(folder).free
        mounts = psutil.disk_partitions(all=True)
    except OSError:
        return None
    around = [each for each in mounts if os.path.commonpath((each.mountpoint, folder)) == each.mountpoint]
    if not around:  # a file system of another mount namespace
        return None
    deepest = max(reversed(around), key=lambda each: len(each.mountpoint))  # the last mount hides the others there
    return FreeSpace(free_bytes, deepest.mountpoint, deepest.fstype)
