"""Reading a recording: its ticks, its findings, and its samples from any tick on."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

from bpftop.errors import BpftopError
from bpftop.model.sample import Sample
from bpftop.store.encoding.sample_frames import BadFrame, Decoder, SampleFrame, Stamp
from bpftop.store.finding_rows import RecordedFinding, lists_findings, recorded_finding
from bpftop.store.hostile_file import PAGE_LIMIT_BYTES, TimeLimit, blob, integers
from bpftop.store.recording_file import damaged, log_is_missing, open_for_reading

_CLOCK_MAX_NS = (1 << 63) - 1  # the year 2262


class RecordedTick(NamedTuple):
    """A sample with its tick. ``begins``: first tick of a run of the recorder; ``lost``: ticks lost before it."""

    tick: int
    begins: bool
    lost: int
    sample: Sample


class Extent(NamedTuple):
    """Extent of a recording: first and last tick, earliest and latest wall clock, number of ticks and of lost ticks.

    ``last_ns`` is the wall clock of the last tick: less than ``end_ns`` where the clock was set back.
    """

    first: int
    last: int
    begin_ns: int
    end_ns: int
    ticks: int
    lost: int
    last_ns: int


class Recording:
    """A file that `bpftop record` wrote or is writing. Every method raises BpftopError if the file cannot be read."""

    def __init__(self, path: str) -> None:
        self.path = path
        log_missing = log_is_missing(path)  # asked first: SQLite makes an empty log
        self._connection = open_for_reading(path)
        self._time_limit = TimeLimit(self._connection)
        if self.extent() is None:
            self.close()
            raise BpftopError(
                f"{path} holds no tick: {path}-wal is missing, where a recorder that was killed left them; copy both"
                if log_missing
                else f"{path} holds no tick: the recorder ended before its first one was written"
            )

    def close(self) -> None:
        self._connection.close()

    def extent(self) -> Extent | None:
        """Return the extent now (a recorder may be writing); None where there is no tick."""
        with self._readable():
            query = """
                SELECT min(tick), max(tick), min(wall_ns), max(wall_ns), count(*), sum(lost),
                    (SELECT wall_ns FROM ticks ORDER BY tick DESC LIMIT 1)
                FROM ticks
            """
            row = self._connection.execute(query).fetchone()
            return None if row[0] is None else Extent(*integers(row))

    def _number(self, query: str, *parameters: int) -> int:
        with self._readable():
            return next(integers(self._connection.execute(query, parameters).fetchone()))

    def interval_s(self) -> float:
        """Return the median time between the first hundred ticks."""
        with self._readable():
            query = "SELECT interval_ns FROM ticks WHERE interval_ns IS NOT NULL ORDER BY tick LIMIT 100"
            intervals = sorted(integers(row[0] for row in self._connection.execute(query)))
        return round(intervals[len(intervals) // 2] / 1e9, 1) if intervals else 1.0

    def tick_at(self, wall_ns: int) -> int:
        """Return the last tick not after a moment; the first tick if all are after it.

        Where the clock was set back, several ticks may be closest to that time; the latest of them is returned.
        """
        latest = "SELECT tick FROM ticks WHERE wall_ns <= ? ORDER BY wall_ns DESC, tick DESC LIMIT 1"
        return self._number(f"SELECT coalesce(({latest}), min(tick)) FROM ticks", wall_ns)

    def tick_at_mono(self, mono_ns: int, last: int) -> int:
        """Return the tick of a CLOCK_MONOTONIC time, at or before ``last``, a tick of the same run of the recorder."""
        latest = "SELECT tick FROM ticks WHERE tick <= ?1 AND mono_ns <= ?2 ORDER BY tick DESC LIMIT 1"
        return self._number(f"SELECT coalesce(({latest}), ?1)", last, mono_ns)

    @property
    def lists_findings(self) -> bool:
        """False for a recording that is older than the table of findings."""
        with self._readable():
            return lists_findings(self._connection)

    def finding(self, tick: int, *, later: bool) -> RecordedFinding | None:
        """Return the finding raised next after a tick, or last before it; None where there is none."""
        with self._readable():
            return recorded_finding(self._connection, tick, later=later)

    def findings(self) -> list[tuple[int, str, str]]:
        """Return the wall clock at which each finding was raised, its severity and title, of the latest thousand."""
        if not self.lists_findings:
            return []
        with self._readable():
            query = "SELECT wall_ns, severity, title, scope_name FROM episodes ORDER BY tick DESC LIMIT 1000"
            return [
                (next(integers((ns,))), str(severity), f"{title} ({scope})")
                for ns, severity, title, scope in self._connection.execute(query)
            ]

    def gaps(self) -> list[tuple[int, int]]:
        """Return begin and end (wall clock) of the times without a tick: between two runs, or where ticks were lost."""
        with self._readable():
            query = """
                SELECT before.wall_ns, ticks.wall_ns FROM ticks JOIN ticks AS before ON before.tick = ticks.tick - 1
                WHERE ticks.interval_ns IS NULL OR ticks.lost > 0 ORDER BY ticks.tick DESC LIMIT 1000
            """
            return [(begin, end) for begin, end in map(tuple, map(integers, self._connection.execute(query)))]

    def first_tick_within(self, tick: int, ns: int) -> int:
        """Return the earliest tick of the same run that is at most ``ns`` older than a tick."""
        query = """
            SELECT coalesce(min(tick), ?1) FROM ticks
            WHERE tick <= ?1 AND mono_ns >= (SELECT mono_ns - ?2 FROM ticks WHERE tick = ?1)
                AND tick >= (SELECT coalesce(max(tick), 0) FROM ticks WHERE tick <= ?1 AND interval_ns IS NULL)
        """
        return self._number(query, tick, ns)

    def ticks(self, first: int, last: int) -> Iterator[RecordedTick]:
        """Yield the ticks from ``first`` to ``last``, both included."""
        reader = TickReader(self, first)
        while (tick := reader.next()) is not None and tick.tick <= last:
            yield tick

    def key_before(self, tick: int) -> int:
        """Return the tick of the key frame that a tick refers to; 0 where the key frame was deleted."""
        return self._number("SELECT coalesce(max(tick), 0) FROM frames WHERE is_key AND tick <= ?", tick)

    def page(self, tick: int) -> list[tuple[Any, ...]]:
        """Return up to 64 rows from a tick on, fewer where they are large.

        A read is short, for a recorder cannot shrink its log during a read.
        """
        query = """
            SELECT tick, seq, wall_ns, mono_ns, interval_ns, lost, is_key, structure, body, cells
            FROM frames JOIN ticks USING (tick) WHERE tick >= ? ORDER BY tick LIMIT 64
        """
        rows: list[tuple[Any, ...]] = []
        size = 0
        with self._readable(), closing(self._connection.execute(query, (tick,))) as cursor:
            for row in cursor:
                rows.append(row)
                size += sum(len(part) for part in row[7:] if isinstance(part, bytes))
                if size > PAGE_LIMIT_BYTES:
                    break
        return rows

    @contextmanager
    def _readable(self) -> Iterator[None]:
        self._time_limit.begin()
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            raise damaged(self.path, error) from error


class TickReader:
    """Reads the ticks of a recording in order. At the end, later calls return ticks written since."""

    def __init__(self, recording: Recording, first: int) -> None:
        self._recording = recording
        self._first = first
        self._at = recording.key_before(first)
        self._decoder, self._decodable = Decoder(), False
        self._rows: deque[tuple[Any, ...]] = deque()

    def next(self) -> RecordedTick | None:
        """Return the next tick; None where the recording has no further tick now. Raises BpftopError."""
        while True:
            if not self._rows:
                self._rows.extend(self._recording.page(self._at))
                if not self._rows:
                    return None
            tick, interval_ns, lost, stamp, frame = self._parts(self._rows.popleft())
            self._at = tick + 1
            self._decodable = self._decodable or bool(frame.key)
            if not self._decodable:
                continue  # the recorder deleted the key frame meanwhile, to make room
            try:
                sample = self._decoder.decode(stamp, frame)
            except BadFrame as error:
                path = self._recording.path
                raise BpftopError(f"cannot read tick {tick} of {path}: {error}; begin at a later moment") from error
            if tick >= self._first:
                return RecordedTick(tick, interval_ns is None, lost, sample)

    def _parts(self, row: tuple[Any, ...]) -> tuple[int, int | None, int, Stamp, SampleFrame]:
        """Return tick, interval, lost ticks, stamp and frame of a row. Raises BpftopError where a column is damaged."""
        tick, seq, wall_ns, mono_ns, interval_ns, lost, is_key, structure, body, cells = row
        try:
            tick, seq, wall_ns, mono_ns, lost, is_key = integers((tick, seq, wall_ns, mono_ns, lost, is_key))
            if not 0 <= min(wall_ns, mono_ns) <= max(wall_ns, mono_ns) <= _CLOCK_MAX_NS:
                raise ValueError("a clock is out of range")
            between_ns = None if interval_ns is None else next(integers((interval_ns,)))
            parts = (None if structure is None else blob(structure), blob(body), None if cells is None else blob(cells))
        except ValueError as error:
            raise damaged(self._recording.path, error) from None
        return tick, between_ns, lost, Stamp(seq, wall_ns, mono_ns), SampleFrame(bool(is_key), *parts)
