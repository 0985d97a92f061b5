"""Moving through the past: pause, steps, findings and moments, in the history of the screen and in a recording."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from bpftop.model.findings import SEVERITIES, Finding
from bpftop.model.snapshot import Snapshot
from bpftop.model.timestamps import rfc3339_seconds
from bpftop.render.finding_columns import MARKS
from bpftop.tui.moment import Moment, RecordedTimes
from bpftop.tui.sampling_thread import SamplingThread

if TYPE_CHECKING:
    from bpftop.store.replay import Replay

REREAD_S = 10.0
"""A recorder may still be writing the recording."""
LIVE_ONLY = "This is a live screen, not a recording: p pauses it, and the arrows go back through ten minutes."


class Landing(NamedTuple):
    """End of a movement through time: an older snapshot, or the newest one (None), and a sentence for the person."""

    paused: Snapshot | None
    sentence: str = ""


class TimeTravel:
    """Moves the screen of a sampling thread. Every method is called with the thread's lock held."""

    def __init__(self, thread: SamplingThread) -> None:
        self._thread = thread
        self._times: RecordedTimes | None = None
        self._read_s = -REREAD_S

    @property
    def _replay(self) -> Replay | None:
        return self._thread.replay

    def pause(self, moment: Moment) -> Landing:
        """Pause on this snapshot, or go on; a recording plays and stands still."""
        paused = moment.choices.paused
        if self._replay is not None:
            self._replay.play(paused is not None or not self._replay.playing)
            return Landing(None)
        return Landing(None if paused else moment.snapshot)

    def step(self, moment: Moment, steps: int) -> Landing:
        """Go some snapshots forward (negative: back) and pause there."""
        if self._replay is not None:
            return self._step_in_recording(moment, steps, self._replay)
        if moment.choices.paused is None and steps > 0:
            return Landing(None)
        return Landing(moment.history.step(moment.snapshot.mono_ns, steps))

    def to_moment(self, moment: Moment, mono_ns: int) -> Landing:
        """Pause on the first snapshot at a CLOCK_MONOTONIC time or after it."""
        if self._replay is not None:
            self._replay.play(False)
        snapshot = moment.history.from_moment(mono_ns)
        if snapshot is None:
            return Landing(moment.choices.paused, "There is no sample at this moment.")
        return Landing(None if snapshot.mono_ns >= moment.newest_ns and self._replay else snapshot)

    def seek(self, moment: Moment, typed: str) -> Landing:
        """Go to the time that the person typed; a time of day means its occurrence nearest to the screen."""
        from bpftop.store.time_expressions import moment as wall_time

        assert self._replay is not None
        extent = self._replay.recording.extent()
        if extent is None or not typed.strip():
            return Landing(moment.choices.paused)
        self._replay.go_to_time(wall_time(typed, extent.begin_ns, extent.end_ns, moment.snapshot.wall_ns))
        return Landing(None)

    def to_wall_time(self, wall_ns: int) -> Landing:
        """Go to the last tick of the recording that is not after this time."""
        assert self._replay is not None
        self._replay.go_to_time(wall_ns)
        return Landing(None)

    def recorded_times(self) -> RecordedTimes | None:
        """Return the extent of the recording, its findings and its gaps, read again every ten seconds at most."""
        now_s = time.monotonic()
        if self._replay is not None and now_s - self._read_s > REREAD_S:
            recording, self._read_s = self._replay.recording, now_s
            extent = recording.extent()
            if extent is not None:
                findings = [each for each in recording.findings() if each[1] in SEVERITIES]
                self._times = RecordedTimes(extent.begin_ns, extent.end_ns, findings, recording.gaps())
        return self._times

    def to_finding(self, moment: Moment, later: bool) -> Landing:
        """Go to the moment when the next (``later``) or the previous finding was raised."""
        if self._replay is not None and self._replay.recording.lists_findings:
            return self._to_finding_in_recording(moment, self._replay, later)
        now_ns = moment.snapshot.mono_ns
        raised: dict[int, Finding] = {}
        for episode in moment.history.episodes:
            if (episode.raised_ns > now_ns) is later and episode.raised_ns != now_ns:
                raised.setdefault(episode.raised_ns, episode.finding)
        for raised_ns in sorted(raised, reverse=not later):
            snapshot = moment.history.from_moment(raised_ns)
            if snapshot is not None and snapshot.mono_ns != now_ns:
                # the episode holds the latest numbers of the finding, the snapshot the numbers of its moment
                latest, at_moment = raised[raised_ns], {(f.id, f.scope_name): f for f in snapshot.diagnosis.findings}
                finding = at_moment.get((latest.id, latest.scope_name), latest)
                return Landing(snapshot, f"{MARKS[finding.severity]}  {finding.title} ({finding.scope_name})")
        where = "after this moment" if later else "before this moment"
        return Landing(moment.choices.paused, f"No finding was raised {where}, within the history of the screen.")

    def _step_in_recording(self, moment: Moment, steps: int, replay: Replay) -> Landing:
        """Step within the history. Seek in the recording if the history ends before, or lacks a tick on the way."""
        snapshot = moment.snapshot
        if moment.choices.paused is None and steps > 0:
            replay.step(steps)
            return Landing(None)
        replay.play(False)
        target = moment.history.step(snapshot.mono_ns, steps)
        if target.mono_ns >= moment.newest_ns:
            return Landing(None)
        if target.seq - snapshot.seq == steps:
            return Landing(target)
        replay.go_to(replay.tick_of(snapshot.mono_ns) + steps)
        return Landing(None)

    def _to_finding_in_recording(self, moment: Moment, replay: Replay, later: bool) -> Landing:
        """Seek to the next or previous finding in the recording's list."""
        row = replay.recording.finding(replay.tick_of(moment.snapshot.mono_ns), later=later)
        if row is None:
            where = "after" if later else "before"
            return Landing(moment.choices.paused, f"No finding was raised {where} this moment of the recording.")
        replay.go_to(row.tick)
        more = f" and {row.more} more" if row.more else ""
        end = f"over {rfc3339_seconds(row.end_wall_ns)}" if row.end_wall_ns else "not over at the end of its recording"
        mark = next((mark for severity, mark in MARKS.items() if severity == row.severity), "")
        title = f"{mark}  {row.title} ({row.scope_name}){more}"
        return Landing(None, f"{title}, raised {rfc3339_seconds(row.wall_ns)}, {end}")
