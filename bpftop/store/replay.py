"""A recording as a source of samples, with commands to pause, step and jump."""

from __future__ import annotations

import queue
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import NamedTuple

from bpftop.errors import BpftopError
from bpftop.model.sample import Sample
from bpftop.model.source import TakenSamples
from bpftop.store.recording import RecordedTick, Recording, TickReader

REFILL_NS = 600 * 10**9
"""Length of the history that the screen can scroll back through."""

WHOLE_NS = 75 * 10**9
"""Part of the history that is read with every tick, for comparison with a minute ago; older: a tick every 5 s."""

_THIN_NS = 5 * 10**9
_FOLLOW_S = 0.5
FAST = 10


class PlayedSample(NamedTuple):
    """A sample for the screen.

    ``fresh``: earlier samples do not belong to the same history. ``behind``: the sample is history of the tick that was
    jumped to, and is not shown itself.
    """

    sample: Sample
    fresh: bool
    behind: bool


class Replay(TakenSamples):
    """A SampleSource that plays a recording, from its construction on.

    All methods but ``played`` and ``samples`` may be called from any thread. Pauses of the recorder are shortened. At
    the end it waits for further ticks, which come while a recorder writes.
    """

    no_offer = "this is a recording: what the live screen offered then cannot be done now"

    def __init__(self, recording: Recording, begin_tick: int | None = None) -> None:
        self.recording = recording
        self.playing = True
        self.speed = 1
        self.at_end = False
        self.lost = 0
        """Number of ticks lost before the current tick."""
        extent = recording.extent()
        self._begin = begin_tick if begin_tick is not None else extent.first if extent else 1
        self._commands: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
        self._longest_ns = int(max(2.0, 2 * recording.interval_s()) * 1e9)
        self._closed = False
        self._reader: TickReader | None = None
        self._current: RecordedTick | None = None
        self._upcoming: RecordedTick | None = None
        self._due_ns = 0
        self._at = self._begin
        """The current tick; during a jump, the tick ahead."""

    def samples(self) -> Generator[Sample, None, None]:
        """Yield the samples of ``played``."""
        for played in self.played():
            yield played.sample

    def close(self) -> None:
        self._closed = True
        self._commands.put(("wake", 0))

    def play(self, playing: bool) -> None:
        """Play or pause."""
        self.playing = playing
        self._commands.put(("wake", 0))

    def toggle_speed(self) -> None:
        """Switch between the recorded speed and ten times that."""
        self.speed = 1 if self.speed == FAST else FAST
        self._commands.put(("wake", 0))

    def step(self, ticks: int) -> None:
        """Move by a number of ticks from the current tick, backwards if negative, and pause."""
        self.playing = False
        self._commands.put(("step", ticks))

    def go_to(self, tick: int) -> None:
        """Move to a tick, or to the first or last tick if it is outside of the recording, and pause."""
        self.playing = False
        self._commands.put(("go", tick))

    def tick_of(self, mono_ns: int) -> int:
        """Return the tick of a CLOCK_MONOTONIC time of the history. Raises BpftopError."""
        return self.recording.tick_at_mono(mono_ns, self._at)

    def go_to_time(self, wall_ns: int) -> None:
        """Move to the last tick not after a moment."""
        self._commands.put(("seek", wall_ns))

    def played(self) -> Iterator[PlayedSample]:
        """Yield samples until ``close``. Raises BpftopError where the recording cannot be read."""
        yield from self._jump(self._begin)
        while not self._closed:
            self._upcoming = self._upcoming or self._next()
            command, number = self._wait(self._upcoming)
            if command == "seek":
                yield from self._jump(self.recording.tick_at(number))
            elif command == "go":
                yield from self._jump(number)
            elif command == "step" and number < 0:
                yield from self._jump(self._at + number)
            elif command in ("step", "tick"):
                for _ in range(number):
                    if (tick := self._upcoming) is not None:
                        self._upcoming = self._next()
                        yield self._play_tick(tick)

    def _next(self) -> RecordedTick | None:
        tick = self._reader.next() if self._reader else None
        self.at_end = tick is None
        return tick

    def _wait(self, upcoming: RecordedTick | None) -> tuple[str, int]:
        """Wait for a command or for the time of the next tick; return the command, or ``tick``."""
        timeout_s: float | None = None
        if self.playing:
            timeout_s = _FOLLOW_S if upcoming is None else (self._due_after(upcoming) - time.monotonic_ns()) / 1e9
        with suppress(queue.Empty):
            if timeout_s is None or timeout_s > 0:
                return self._commands.get(timeout=timeout_s)
            return self._commands.get_nowait()
        return "tick", 1

    def _due_after(self, upcoming: RecordedTick) -> int:
        if self._current is None or upcoming.begins:
            return self._due_ns
        between_ns = upcoming.sample.mono_ns - self._current.sample.mono_ns
        return self._due_ns + min(between_ns, self._longest_ns) // self.speed

    def _play_tick(self, tick: RecordedTick) -> PlayedSample:
        now_ns = time.monotonic_ns()
        due_ns = self._due_after(tick)
        # A tick that was drawn late does not delay the next one.
        self._due_ns = due_ns if now_ns - due_ns < self._longest_ns and self.playing else now_ns
        self._at, self._current, self.lost = tick.tick, tick, tick.lost
        return PlayedSample(tick.sample, tick.begins, False)

    def _jump(self, to: int) -> Iterator[PlayedSample]:
        """Yield the history of a tick, and the tick."""
        extent = self.recording.extent()
        if extent is None:
            raise BpftopError(f"{self.recording.path} has no tick any more")
        to = max(extent.first, min(extent.last, to))
        reader = self._reader = TickReader(self.recording, self.recording.first_tick_within(to, REFILL_NS))
        self._at, self._current, self._upcoming = to, None, None  # a step from here on starts at the tick ahead
        whole_ticks = int(WHOLE_NS / 1e9 / self.recording.interval_s()) + 1
        fresh, last_5s = True, -1
        while (tick := reader.next()) is not None and tick.tick < to:
            if self._closed or not self._commands.empty():
                break  # another jump is waiting
            sample = tick.sample
            if sample.mono_ns // _THIN_NS != last_5s or to - tick.tick <= whole_ticks:
                last_5s = sample.mono_ns // _THIN_NS
                yield PlayedSample(sample, fresh or tick.begins, True)
                fresh = False
        if tick is not None:
            self._due_ns = time.monotonic_ns()
            self._current, self.lost = tick, tick.lost
            self._upcoming = self._next()
            yield PlayedSample(tick.sample, fresh or tick.begins, False)
