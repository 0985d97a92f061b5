"""The part of the app that knows the moment on the screen: the snapshot, the choices, and the ways through the past."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bpftop.errors import BpftopError
from bpftop.fields import replace
from bpftop.model.snapshot import Snapshot
from bpftop.model.units import si
from bpftop.render.traffic_rows import flags_to_show
from bpftop.tui.actions import REPLAY_KEYS, Actions, with_keys
from bpftop.tui.messages import MomentRequested, WallTimeRequested
from bpftop.tui.moment import Choices, Frame, Moment, RecordedTimes
from bpftop.tui.sampling_thread import SamplingThread
from bpftop.tui.screens.frame import FrameScreen
from bpftop.tui.terminal.traits import TerminalTraits, terminal_traits
from bpftop.tui.terminal.writer import TerminalWriter
from bpftop.tui.themed_app import ThemedApp
from bpftop.tui.themes import Theme
from bpftop.tui.time_travel import LIVE_ONLY, Landing, TimeTravel
from bpftop.tui.widgets.line import clean

TOAST_S = 5.0
TOASTS_AT_ONCE = 3
"""Toasts that cover the screen at once; older ones give way, and stay in the log of messages."""
SLOW_WORDS = "Fewer colours and fewer ticks, as with --low-bandwidth, until it is faster."


class MomentApp(ThemedApp):
    """An app on a SamplingThread; see BpftopApp for the arguments."""

    frame: FrameScreen
    """The screen below all others."""

    def __init__(
        self,
        sampling_thread: SamplingThread,
        *,
        theme: Theme,
        interval_s: float,
        actions: Actions,
        keys: Mapping[str, str],
        columns: Mapping[str, Sequence[str]],
        traits: TerminalTraits | None,
    ) -> None:
        super().__init__(theme, TerminalWriter(traits or terminal_traits(os.environ)))
        self.sampling_thread = sampling_thread
        self.interval_s = interval_s
        self.actions = actions
        self.configured_actions = with_keys({**(REPLAY_KEYS if sampling_thread.replay else {}), **keys})
        self.set_keymap({action.id: action.keys for action in self.configured_actions})
        self.snapshot: Snapshot | None = None
        """The newest snapshot."""
        self.choices = Choices(columns=columns)
        self.said: list[tuple[int, str, bool]] = []
        """Every message: its time (CLOCK_REALTIME, ns), the sentence, and whether it is an error."""
        self._toasts_s: list[float] = []  # times of the toasts that may still stand
        self._is_waiting = False  # whether a timer is to draw the screen
        self._slow_unsaid = False  # a toast would be over before a slow line has carried the new colours
        self._is_due = False  # whether the screen is to be drawn once the line is free
        self._flags: frozenset[str] = frozenset()
        self._travel = TimeTravel(sampling_thread)

    def show(self) -> None:
        """Draw the screen."""
        raise NotImplementedError

    def show_when_affordable(self) -> None:
        """Draw the newest snapshot; with a limit of bytes, when the line has carried the bytes before."""
        wait_s = self.writer.budget.wait_s()
        self._is_due = self.writer.is_behind
        if self._is_due:
            return  # until the line is free, or for the next snapshot
        if wait_s == 0:
            self.show()
        elif not self._is_waiting:
            self._is_waiting = True
            self.set_timer(wait_s, self._wait_ended)

    def _wait_ended(self) -> None:
        self._is_waiting = False
        self.show_when_affordable()

    def line_free(self) -> None:
        if self._slow_unsaid:
            self._slow_unsaid = False
            self.say(f"This line is slow: {si(self.writer.line.bytes_per_sec, 'B/s')}. {SLOW_WORDS}")
        if self._is_due:
            self.show_when_affordable()

    def line_changed(self) -> None:
        super().line_changed()
        self._slow_unsaid = bool(self.writer.line.is_slow)
        if not self._slow_unsaid:
            self.say("This line is fast again: all colours, and every tick.")

    def frame_of(self, snapshot: Snapshot) -> Frame:
        """Return what stands around the pane."""
        raise NotImplementedError

    def moment(self) -> Moment | None:
        """Return what the screen shows; None before the first sample."""
        thread, replay = self.sampling_thread, self.sampling_thread.replay
        snapshot = self.choices.paused or self.snapshot
        if snapshot is None or self.snapshot is None:
            return None
        self._flags = flags_to_show(snapshot.interface(self.choices.label).traffic(self.choices.direction), self._flags)
        return Moment(
            snapshot,
            thread.history,
            self.choices,
            self.frame_of(snapshot),
            thread.lock,
            self.interval_s if thread.live else round((snapshot.interval_ns or 10**9) / 1e9, 1),
            live=thread.live,
            newest_ns=self.snapshot.mono_ns,
            playing=replay is None or replay.playing,
            speed=replay.speed if replay else 1,
            flags=self._flags,
        )

    def choose(self, **changes: Any) -> None:
        """Change choices of the person, and draw the screen."""
        self.choices = replace(self.choices, **changes)
        self.show()

    def say(self, sentence: str, *, is_error: bool = False) -> None:
        """Show a sentence for some seconds, and keep it in the log of messages."""
        cleaned = clean(sentence)
        self.said.append((self.snapshot.wall_ns if self.snapshot else 0, cleaned, is_error))
        now_s = time.monotonic()
        self._toasts_s = [at_s for at_s in self._toasts_s if now_s - at_s < TOAST_S]
        if len(self._toasts_s) >= TOASTS_AT_ONCE:
            self.clear_notifications()
            self.screen.query("ToastHolder").remove()  # Textual would keep them, 40 KiB each, until the app ends
            self._toasts_s.clear()
        self._toasts_s.append(now_s)
        self.notify(cleaned, severity="error" if is_error else "information", timeout=TOAST_S, markup=False)

    def key_of(self, action: str) -> str:
        """Return the first key of an action, as the screen shows it."""
        return next((each.first_key for each in self.configured_actions if each.id == action), "")

    def on_moment_requested(self, event: MomentRequested) -> None:
        self.land(lambda moment: self._travel.to_moment(moment, event.mono_ns))

    def on_wall_time_requested(self, event: WallTimeRequested) -> None:
        self.land(lambda moment: self._travel.to_wall_time(event.wall_ns))

    def recorded_times(self) -> RecordedTimes | None:
        """Return what the time line shows; None for a live screen, or where the recording has become unreadable."""
        try:
            return self._travel.recorded_times()
        except BpftopError as error:
            self.say(str(error), is_error=True)
            return None

    def action_pause(self) -> None:
        self.land(self._travel.pause)

    def action_earlier(self) -> None:
        self.land(lambda moment: self._travel.step(moment, -1))

    def action_later(self) -> None:
        self.land(lambda moment: self._travel.step(moment, 1))

    def action_much_earlier(self) -> None:
        self.land(lambda moment: self._travel.step(moment, -10))

    def action_much_later(self) -> None:
        self.land(lambda moment: self._travel.step(moment, 10))

    def action_next_finding(self) -> None:
        self.land(lambda moment: self._travel.to_finding(moment, True))

    def action_previous_finding(self) -> None:
        self.land(lambda moment: self._travel.to_finding(moment, False))

    async def action_seek(self) -> None:
        if self.sampling_thread.replay is None:
            self.say(LIVE_ONLY)
            return
        before = self.focused

        def done(text: str | None) -> None:
            self.screen.set_focus(before, scroll_visible=False)
            if text is not None:
                self.land(lambda moment: self._travel.seek(moment, text))

        await self.frame.prompt.ask("@", "", lambda text: None, done)

    def action_speed(self) -> None:
        replay = self.sampling_thread.replay
        if replay is None:
            self.say(LIVE_ONLY)
        else:
            replay.toggle_speed()
            self.show()

    def land(self, move: Callable[[Moment], Landing]) -> None:
        """Go to another moment; a recording that has become unreadable is a sentence."""
        moment = self.moment()
        if moment is None:
            return
        try:
            with moment.lock:
                paused, sentence = move(moment)
        except BpftopError as error:
            self.say(str(error), is_error=True)
            return
        if sentence:
            self.say(sentence)
        self.choose(paused=paused)

    def action_mark(self) -> None:
        moment = self.moment()
        if moment is not None:
            with moment.lock:
                self.choose(mark=None if self.choices.mark else moment.history.mark(moment.snapshot))
