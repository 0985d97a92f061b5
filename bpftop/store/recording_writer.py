"""Writing ticks into a recording, as frames and as rows, and deleting the oldest."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

from bpftop.errors import UsageError
from bpftop.model.sample import Sample
from bpftop.store.encoding.sample_frames import Encoder, SampleFrame
from bpftop.store.finding_rows import EpisodeTable, TickFindings
from bpftop.store.recording_file import open_for_writing
from bpftop.store.recording_guard import RecordingGone, RecordingGuard
from bpftop.store.sql_rows import SeriesLabels, TickRowBuilder

KEY_EVERY_TICKS = 240
"""Distance of key frames. To read a tick, all ticks since its key frame are read."""

FRAME_BYTES = 5_000
"""Average size of a frame above which some frames are written without cells per CPU."""

CELLS_EVERY_NS = 10 * 10**9
_SAVED_TICKS = 120
_LOG_BYTES = 8 << 20
"""Room for the log beside the file. SQLite moves it into the file at 1000 pages of 4 KiB, between transactions."""

LIMIT_MIN_BYTES = 2 * _LOG_BYTES

AROUND_NS = 120 * 10**9
"""Ticks so long before and after the begin and the end of a finding are around it."""

_AROUND_FINDING = """
    WITH span AS (SELECT min(wall_ns) AS first, max(wall_ns) AS last FROM ticks WHERE tick >= ?1 AND tick < ?2)
    SELECT EXISTS (
        SELECT 1 FROM span, episodes WHERE last >= ?3
            AND (wall_ns BETWEEN first - ?4 AND last + ?4 OR end_ns BETWEEN first - ?4 AND last + ?4)
    )
"""

_TABLES = ("ticks", "frames", "traffic_gains", "signal_values")


@dataclass(frozen=True)
class RecordingLimits:
    """Limits of a recording, above which the oldest ticks are deleted. ``bytes``: the file and its log together.

    ``around_findings_ns``: ticks around the begin and the end of a finding are kept for so long, beyond ``age_ns``.

    Raises UsageError.
    """

    bytes: int | None = None
    ticks: int | None = None
    age_ns: int | None = None
    around_findings_ns: int | None = None

    def __post_init__(self) -> None:
        if self.bytes is not None and self.bytes < LIMIT_MIN_BYTES:
            least = f"{LIMIT_MIN_BYTES >> 20}M"
            raise UsageError(f"a recording of at most {self.bytes} bytes holds too little; give it {least} or more")


class Writer:
    """A recording that is open for writing. Raises BpftopError where the file cannot be written."""

    def __init__(self, path: str, limits: RecordingLimits) -> None:
        self._connection, self._descriptor = open_for_writing(path)
        self._guard = RecordingGuard(path, self._descriptor)
        self._gone: RecordingGone | None = None
        self._limits = limits
        self._encoder = Encoder()
        self._rows = TickRowBuilder({})
        self._known = False  # whether _tick and _rows are in step with the file
        self._tick = 0
        self._run_tick = 1
        self._episodes = EpisodeTable(self._connection)
        self._since_key = 0
        self._last: Sample | None = None
        self._saved_bytes, self._cells_bytes, self._cells_ns = _SAVED_TICKS * FRAME_BYTES, 0, 0
        self._cells_until_ns = 0

    def keep_cells(self) -> None:
        """Write the cells per CPU with every tick of the next ten seconds, whatever their size."""
        self._cells_until_ns = (self._last.mono_ns if self._last else 0) + CELLS_EVERY_NS

    def write(self, batch: Sequence[tuple[Sample, int] | TickFindings], owed: int = 0) -> None:
        """Write samples and findings in one transaction.

        Args:
            batch: Samples, each with the number of ticks lost before it, and findings of samples.
            owed: Ticks lost before the batch.

        Raises:
            sqlite3.Error: Nothing of the batch is in the file; the next call continues after the last tick there.
            RecordingGone: The file is no longer the recording; this and every later batch is lost.
        """
        self._check_file()
        last, before, standing = self._last, dict(self._rows.before), dict(self._episodes.standing)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._resume()
            for item in batch:
                if isinstance(item, TickFindings):
                    self._episodes.update(item, self._run_tick)
                else:
                    sample, lost = item
                    self._write_sample(sample, lost + owed)
                    owed = 0
            self._connection.execute("COMMIT")
            self._guard.remember()
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._encoder.reset()
            self._known, self._last, self._rows = False, last, TickRowBuilder({}, before)
            self._episodes.standing = standing
            raise

    def close(self) -> None:
        """Move the log into the file and close it.

        Raises:
            sqlite3.Error: File and log must stay together.
            RecordingGone: The file is no longer the recording.
        """
        try:
            self._check_file()
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with suppress(sqlite3.OperationalError):  # a reader has the file open: an empty log stays until it closes
                self._connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            self._connection.close()
            os.close(self._descriptor)

    def _check_file(self) -> None:
        if self._gone is not None:
            raise self._gone
        try:
            self._guard.check()
        except RecordingGone as gone:
            self._gone = gone
            if not gone.ticks_remain or self._log_is_moved():
                self._guard.delete_log()
            raise

    def _log_is_moved(self) -> bool:
        """Move the log, which has stayed under the old name, into the file; return False where that fails."""
        try:
            busy, *_ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error:
            return False
        return not busy

    def _resume(self) -> None:
        """Read the last tick and the numbers of series from the file, at the start and after a failed write."""
        if self._known:
            return
        self._tick = self._connection.execute("SELECT coalesce(max(tick), 0) FROM ticks").fetchone()[0]
        if self._last is None:
            self._run_tick = self._tick + 1
        rows = self._connection.execute("SELECT * FROM series")
        numbers = {SeriesLabels(*labels): number for number, *labels in rows}
        self._rows = TickRowBuilder(numbers, self._rows.before)
        self._known = True

    def _write_sample(self, sample: Sample, lost: int) -> None:
        if self._since_key >= KEY_EVERY_TICKS:
            self._encoder.reset()
        if self._encoder.key_is_due:
            self._since_key = 0
            self._delete_oldest(sample)
        self._since_key += 1
        self._tick += 1
        frame = self._frame(sample)
        interval_ns = sample.mono_ns - self._last.mono_ns if self._last else None
        self._last = sample
        execute, many = self._connection.execute, self._connection.executemany
        stamp = (self._tick, sample.wall_ns, sample.mono_ns, interval_ns, sample.seq, lost)
        execute("INSERT INTO ticks VALUES (?, ?, ?, ?, ?, ?)", stamp)
        execute("INSERT INTO frames VALUES (?, ?, ?, ?, ?)", (self._tick, *frame))
        traffic, signals = self._rows.build(sample)
        many("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [(n, *series) for n, series in self._rows.new])
        self._rows.new.clear()
        tick = self._tick
        many("INSERT INTO traffic_gains VALUES (?, ?, ?, ?)", [(tick, n, *both) for n, both in sorted(traffic.items())])
        many("INSERT INTO signal_values VALUES (?, ?, ?)", [(tick, n, value) for n, value in sorted(signals.items())])

    def _frame(self, sample: Sample) -> SampleFrame:
        """Encode a sample, with cells per CPU while frames are small on average, and every ten seconds anyway."""
        wanted = (
            self._saved_bytes >= self._cells_bytes
            or sample.mono_ns - self._cells_ns >= CELLS_EVERY_NS
            or sample.mono_ns < self._cells_until_ns
        )
        frame = self._encoder.encode(sample, cells=wanted)
        if frame.cells is not None:
            self._cells_ns = sample.mono_ns
            self._cells_bytes = len(frame.cells)
        if not frame.key:
            bound = _SAVED_TICKS * FRAME_BYTES
            self._saved_bytes = max(-bound, min(bound, self._saved_bytes + FRAME_BYTES - frame.size))
        return frame

    def _delete_oldest(self, sample: Sample) -> None:
        """Delete the oldest ticks above the limits, always from one key frame to the next."""
        oldest = 0
        if self._limits.ticks is not None:
            oldest = self._tick - self._limits.ticks + 1
        if self._limits.age_ns is not None:
            since_ns = sample.wall_ns - self._limits.age_ns
            row = self._connection.execute("SELECT min(tick) FROM ticks WHERE wall_ns >= ?", (since_ns,)).fetchone()
            oldest = max(oldest, self._tick + 1 if row[0] is None else row[0])
        if oldest > 0 and self._limits.around_findings_ns is not None:
            self._delete_quiet(oldest, sample.wall_ns - self._limits.around_findings_ns)
        elif oldest > 0:
            self._delete_before("SELECT max(tick) FROM frames WHERE is_key AND tick <= ?", oldest)
        while self._limits.bytes is not None and self._used_bytes() > self._limits.bytes - _LOG_BYTES:
            first = self._connection.execute("SELECT min(tick) FROM frames").fetchone()[0]
            if not self._delete_before("SELECT min(tick) FROM frames WHERE is_key AND tick > ?", first):
                return

    def _delete_quiet(self, oldest: int, since_ns: int) -> None:
        """Delete the ticks before ``oldest`` that are around no finding, and all from before ``since_ns`` (wall clock).

        A key frame goes with the ticks that refer to it.
        """
        keys = self._connection.execute("SELECT tick FROM frames WHERE is_key AND tick <= ? ORDER BY tick", (oldest,))
        for (begin,), (end,) in pairwise(keys.fetchall()):
            if not self._connection.execute(_AROUND_FINDING, (begin, end, since_ns, AROUND_NS)).fetchone()[0]:
                for table in _TABLES:
                    self._connection.execute(f"DELETE FROM {table} WHERE tick >= ? AND tick < ?", (begin, end))
        first = self._connection.execute("SELECT min(tick) FROM ticks").fetchone()[0]
        if first is not None:
            self._episodes.delete_before(first)

    def _delete_before(self, query: str, tick: int) -> bool:
        key = self._connection.execute(query, (tick,)).fetchone()[0]
        if key is None:
            return False
        for table in _TABLES:
            self._connection.execute(f"DELETE FROM {table} WHERE tick < ?", (key,))
        self._episodes.delete_before(key)
        return True

    def _used_bytes(self) -> int:
        pages, free, size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)
