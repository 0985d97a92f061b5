"""A recording, read: which ticks it has, what is missing, and the samples from any moment on."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from bpftop.errors import BpftopError
from bpftop.model.sample import Sample
from bpftop.store.codec.frames import BadFrame, Decoder, SampleFrame, Stamp
from bpftop.store.file import damaged, open_for_reading
from bpftop.store.finding_rows import RecordedFinding, lists_findings, recorded_finding


class RecordedTick(NamedTuple):
    """Where a sample stands in the file. ``begins``: a recorder was started here, nothing before belongs to it."""

    tick: int
    begins: bool
    lost: int
    sample: Sample


class Extent(NamedTuple):
    """What a recording holds: its first and last tick, the earliest and the latest wall clock, how many ticks there are
    and how many were lost between them, and the wall clock of the last one, which is the latest unless it was set back.
    """

    first: int
    last: int
    begin_ns: int
    end_ns: int
    ticks: int
    lost: int
    last_ns: int


class Recording:
    """A file that `bpftop record` wrote, or is writing. Every method raises BpftopError where it cannot be read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection = open_for_reading(path)
        if self.extent() is None:
            self.close()
            raise BpftopError(f"{path} holds no tick: the recorder ended before its first one was written")

    def close(self) -> None:
        self._connection.close()

    def extent(self) -> Extent | None:
        """None where there is no tick. A recording that is being written grows."""
        with self._readable():
            query = """
                SELECT min(tick), max(tick), min(wall_ns), max(wall_ns), count(*), sum(lost),
                    (SELECT wall_ns FROM ticks ORDER BY tick DESC LIMIT 1)
                FROM ticks
            """
            found = self._connection.execute(query).fetchone()
        return None if found[0] is None else Extent(*found)

    def interval_s(self) -> float:
        """The usual time between two ticks, of the first hundred."""
        with self._readable():
            query = "SELECT interval_ns FROM ticks WHERE interval_ns IS NOT NULL ORDER BY tick LIMIT 100"
            found = sorted(row[0] for row in self._connection.execute(query))
        return round(found[len(found) // 2] / 1e9, 1) if found else 1.0

    def at(self, wall_ns: int) -> int:
        """The last tick not after this moment; the first one where all are after it.

        Where the clock was set back, several ticks may have that time: then it is the latest of those closest to it.
        """
        with self._readable():
            query = "SELECT tick FROM ticks WHERE wall_ns <= ? ORDER BY wall_ns DESC, tick DESC LIMIT 1"
            found = self._connection.execute(query, (wall_ns,)).fetchone()
            found = found or self._connection.execute("SELECT min(tick) FROM ticks").fetchone()
            return int(found[0])

    def shown_at(self, mono_ns: int, last: int) -> int:
        """The tick of this CLOCK_MONOTONIC time, in the run of the recorder that the tick ``last`` is of."""
        with self._readable():
            query = "SELECT tick FROM ticks WHERE tick <= ? AND mono_ns <= ? ORDER BY tick DESC LIMIT 1"
            found = self._connection.execute(query, (last, mono_ns)).fetchone()
        return last if found is None else int(found[0])

    @property
    def lists_findings(self) -> bool:
        """Recordings of before there was a list have none."""
        with self._readable():
            return lists_findings(self._connection)

    def finding(self, tick: int, *, later: bool) -> RecordedFinding | None:
        """What was raised next after this tick, or last before it; None where nothing was."""
        with self._readable():
            return recorded_finding(self._connection, tick, later=later)

    def back_from(self, tick: int, ns: int) -> int:
        """The earliest tick that is no more than so much older, and of the same run of the recorder."""
        with self._readable():
            query = """
                SELECT coalesce(min(tick), :tick) FROM ticks
                WHERE tick <= :tick AND mono_ns >= (SELECT mono_ns - :ns FROM ticks WHERE tick = :tick)
                    AND tick >= (SELECT coalesce(max(tick), 0) FROM ticks WHERE tick <= :tick AND interval_ns IS NULL)
            """
            return int(self._connection.execute(query, {"tick": tick, "ns": ns}).fetchone()[0])

    def ticks(self, first: int, last: int) -> Iterator[RecordedTick]:
        """From one tick to another, both of them too, in order."""
        reel = Reel(self, first)
        while (tick := reel.next()) is not None and tick.tick <= last:
            yield tick

    def key_before(self, tick: int) -> int:
        """The tick of the key frame that this one refers to; 0 where that is gone."""
        with self._readable():
            query = "SELECT coalesce(max(tick), 0) FROM frames WHERE is_key AND tick <= ?"
            return int(self._connection.execute(query, (tick,)).fetchone()[0])

    def page(self, tick: int) -> list[tuple[Any, ...]]:
        """Rows from this tick on, as many as a Reel reads at once: a recorder at work must not have to keep its log for
        the sake of one long read."""
        query = """
            SELECT tick, seq, wall_ns, mono_ns, interval_ns, lost, is_key, structure, body, cells
            FROM frames JOIN ticks USING (tick) WHERE tick >= ? ORDER BY tick LIMIT 64
        """
        with self._readable():
            return self._connection.execute(query, (tick,)).fetchall()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise damaged(self.path, error) from error


class Reel:
    """The ticks of a recording in order, from one on. Where there are no more now, there may be later."""

    def __init__(self, recording: Recording, first: int) -> None:
        self._recording = recording
        self._first = first
        self._at = recording.key_before(first)
        self._decoder, self._decodable = Decoder(), False
        self._rows: deque[tuple[Any, ...]] = deque()

    def next(self) -> RecordedTick | None:
        """None: the recording has no further tick now. Raises BpftopError."""
        while True:
            if not self._rows:
                self._rows.extend(self._recording.page(self._at))
                if not self._rows:
                    return None
            tick, seq, wall_ns, mono_ns, interval_ns, lost, *parts = self._rows.popleft()
            self._at = tick + 1
            frame = SampleFrame(*parts)
            self._decodable = self._decodable or bool(frame.key)
            if not self._decodable:
                continue  # the key frame was deleted meanwhile, to make room
            try:
                sample = self._decoder.decode(Stamp(seq, wall_ns, mono_ns), frame)
            except BadFrame as error:
                path = self._recording.path
                raise BpftopError(f"cannot read tick {tick} of {path}: {error}; begin at a later moment") from error
            if tick >= self._first:
                return RecordedTick(tick, interval_ns is None, lost, sample)
