"""A recording as a source of samples that one can move about in."""

from __future__ import annotations

import queue
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import NamedTuple

from bpftop.errors import BpftopError
from bpftop.model.sample import Sample
from bpftop.store.recording import RecordedTick, Recording, Reel

REFILL_NS = 600 * 10**9
"""How far back the screen can look, and be scrolled."""

WHOLE_NS = 75 * 10**9
"""For what is compared with a minute ago every tick is needed; before that, one in five seconds."""

_THIN_NS = 5 * 10**9
_FOLLOW_S = 0.5
FAST = 10


class Played(NamedTuple):
    """A sample on its way to the screen. ``fresh``: nothing that came before belongs to it. ``behind``: it is the past
    of a moment that was jumped to, and is not shown itself."""

    sample: Sample
    fresh: bool
    behind: bool


class Replay:
    """See bpftop.model.source.SampleSource. It begins to play at once; all methods but ``played`` and ``samples``
    may be called from any thread.

    Pauses of the recorder are shortened. At the end it waits for more, which comes where somebody records.
    """

    def __init__(self, recording: Recording, begin_tick: int | None = None) -> None:
        self.recording = recording
        self.playing = True
        self.speed = 1
        self.at_end = False
        self.lost = 0
        """How many ticks are missing before the one that was last shown."""
        extent = recording.extent()
        self._begin = begin_tick if begin_tick is not None else extent.first if extent else 1
        self._commands: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
        self._longest_ns = int(max(2.0, 2 * recording.interval_s()) * 1e9)
        self._closed = False
        self._reel: Reel | None = None
        self._shown: RecordedTick | None = None
        self._upcoming: RecordedTick | None = None
        self._due_ns = 0

    def samples(self) -> Generator[Sample, None, None]:
        """The samples of ``played``."""
        for one in self.played():
            yield one.sample

    def close(self) -> None:
        self._closed = True
        self._commands.put(("wake", 0))

    def accept_offer(self, label: str) -> None:
        raise BpftopError("this is a recording: what the live screen offered then cannot be done now")

    def watch_flows(self, on: bool, sample_1_in: int = 1) -> None:
        """Flows are there where they were looked at while it was recorded."""

    def play(self, playing: bool) -> None:
        """Go on, or stand still."""
        self.playing = playing
        self._commands.put(("wake", 0))

    def turn(self) -> None:
        """From the recorded pace to ten times that, and back."""
        self.speed = 1 if self.speed == FAST else FAST
        self._commands.put(("wake", 0))

    def step(self, ticks: int) -> None:
        """So many ticks on, or back, from the tick that was last shown; it stands still afterwards."""
        self.playing = False
        self._commands.put(("step", ticks))

    def go(self, tick: int) -> None:
        """To this tick, or the first or last one where it is not there; it stands still afterwards."""
        self.playing = False
        self._commands.put(("go", tick))

    def tick_of(self, mono_ns: int) -> int:
        """The tick of a moment of the history. Raises BpftopError."""
        last = self._shown.tick if self._shown else self._begin
        return self.recording.shown_at(mono_ns, last)

    def seek(self, wall_ns: int) -> None:
        """To the last tick not after this moment."""
        self._commands.put(("seek", wall_ns))

    def played(self) -> Iterator[Played]:
        """Sample after sample, until ``close``. Raises BpftopError where the recording cannot be read."""
        yield from self._jump(self._begin)
        while not self._closed:
            self._upcoming = self._upcoming or self._next()
            command, number = self._wait(self._upcoming)
            if command == "seek":
                yield from self._jump(self.recording.at(number))
            elif command == "go":
                yield from self._jump(number)
            elif command == "step" and number < 0:
                yield from self._jump((self._shown.tick if self._shown else self._begin) + number)
            elif command in ("step", "tick"):
                for _ in range(number):
                    if (tick := self._upcoming) is not None:
                        self._upcoming = self._next()
                        yield self._show(tick)

    def _next(self) -> RecordedTick | None:
        tick = self._reel.next() if self._reel else None
        self.at_end = tick is None
        return tick

    def _wait(self, upcoming: RecordedTick | None) -> tuple[str, int]:
        """What to do next: a command, or the tick that is due."""
        timeout_s: float | None = None
        if self.playing:
            timeout_s = _FOLLOW_S if upcoming is None else (self._due_after(upcoming) - time.monotonic_ns()) / 1e9
        with suppress(queue.Empty):
            if timeout_s is None or timeout_s > 0:
                return self._commands.get(timeout=timeout_s)
            return self._commands.get_nowait()
        return "tick", 1

    def _due_after(self, upcoming: RecordedTick) -> int:
        if self._shown is None or upcoming.begins:
            return self._due_ns
        between_ns = upcoming.sample.mono_ns - self._shown.sample.mono_ns
        return self._due_ns + min(between_ns, self._longest_ns) // self.speed

    def _show(self, tick: RecordedTick) -> Played:
        now_ns = time.monotonic_ns()
        due_ns = self._due_after(tick)
        # On time as long as that is possible: a tick that was drawn late does not move the next one.
        self._due_ns = due_ns if now_ns - due_ns < self._longest_ns and self.playing else now_ns
        self._shown, self.lost = tick, tick.lost
        return Played(tick.sample, tick.begins, False)

    def _jump(self, to: int) -> Iterator[Played]:
        """The past of a tick as far as the screen shows it, and the tick."""
        extent = self.recording.extent()
        if extent is None:
            raise BpftopError(f"{self.recording.path} has no tick any more")
        to = max(extent.first, min(extent.last, to))
        reel = self._reel = Reel(self.recording, self.recording.back_from(to, REFILL_NS))
        self._shown = self._upcoming = None
        fresh, kept_ns = True, -1
        while (tick := reel.next()) is not None and tick.tick < to:
            if self._closed or not self._commands.empty():
                break  # somebody wants to be elsewhere already
            sample = tick.sample
            if sample.mono_ns // _THIN_NS != kept_ns or self._near(to, tick):
                kept_ns = sample.mono_ns // _THIN_NS
                yield Played(sample, fresh or tick.begins, True)
                fresh = False
        if tick is not None:
            self._due_ns = time.monotonic_ns()
            self._shown, self.lost = tick, tick.lost
            self._upcoming = self._next()
            yield Played(tick.sample, fresh or tick.begins, False)

    def _near(self, to: int, tick: RecordedTick) -> bool:
        return to - tick.tick <= self._whole_ticks

    @property
    def _whole_ticks(self) -> int:
        return int(WHOLE_NS / 1e9 / self.recording.interval_s()) + 1
