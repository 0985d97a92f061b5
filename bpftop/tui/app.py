"""The live screen. Samples change the snapshot, keys change the choices; either draws the open pane again."""

from __future__ import annotations

from bpftop.tui import import_without_ssl  # noqa: F401

# isort: split
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from textual import events
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.screen import Screen
from textual.widgets import Input

from bpftop.fields import replace
from bpftop.model.snapshot import Snapshot
from bpftop.tui.actions import ACTIONS, Actions
from bpftop.tui.bindings import bindings, bound
from bpftop.tui.capturing_app import CapturingApp
from bpftop.tui.configured_app import THEME_EVERY_S
from bpftop.tui.frame_words import hints_of, recording_words
from bpftop.tui.messages import (
    ActionRequested,
    BpfWanted,
    FlowsWanted,
    FrameReady,
    FrameResized,
    GoTo,
    InterfaceRequested,
    Said,
    SnapshotArrived,
    TopFlowsWanted,
)
from bpftop.tui.moment import Frame, Moment, Place, next_label
from bpftop.tui.palette import Everything
from bpftop.tui.panes import PANES
from bpftop.tui.sampling_thread import SamplingThread
from bpftop.tui.screens.frame import MIN_HEIGHT, MIN_WIDTH, FrameScreen
from bpftop.tui.terminal.traits import TerminalTraits
from bpftop.tui.themes import Theme
from bpftop.tui.widgets.header import notices, without_numbers
from bpftop.tui.widgets.key_line import interface_with_offer, offer_text, offered
from bpftop.tui.widgets.line import clean

__all__ = ["MIN_HEIGHT", "MIN_WIDTH", "BpftopApp"]

APP_ACTIONS = (
    "help", "quit", "back", "pause", "earlier", "later", "much_earlier", "much_later", "next_finding",
    "previous_finding", "seek", "speed", "mark", "direction", "next_interface", "previous_interface", "copy", "save",
    "save_screen", "record", "log", "theme", "settings", "accept", "repaint",
)  # fmt: skip
"""Actions that mean the same in every pane: each is a method of the app."""
DETAIL_ACTIONS = (*APP_ACTIONS, "capture")
"""Actions that also work among the details of a row."""
MOST_TOASTS = 2
PALETTE_WORDS = "a pane, action, interface, CPU, theme or moment"
ELSEWHERE = tuple(action for action in ACTIONS if action.where and action.id not in APP_ACTIONS)
"""Actions of panes and tables, which win while they have the focus; the app says where they work."""


class BpftopApp(CapturingApp, inherit_bindings=False):
    """The live screen on a SamplingThread.

    Args:
        sampling_thread: Source of the snapshots; the caller starts and stops the thread.
        keys: Action id -> the keys that the person configured for the action.
        columns: Pane -> ids of the columns that the person configured.
        problems: Sentences about what cannot be used of the configuration.
        engines: Engines of tests in place of the real ones: "maps", "programs", "names".
    """

    TITLE = "bpftop"
    COMMANDS = {Everything}  # noqa: RUF012 - a class variable of Textual
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(*APP_ACTIONS),
        *(bound(name, f"open_pane('{name}')") for name in PANES),
        *(bound(action.id, f"tell_where('{action.id}')") for action in ELSEWHERE),
        bound("palette", "command_palette"),
        bound("suspend", "suspend_process"),
    ]

    def __init__(
        self,
        sampling_thread: SamplingThread,
        *,
        theme: Theme,
        interval_s: float,
        actions: Actions,
        keys: Mapping[str, str] | None = None,
        engines: Mapping[str, object] | None = None,
        columns: Mapping[str, Sequence[str]] | None = None,
        traits: TerminalTraits | None = None,
        problems: Sequence[str] = (),
    ) -> None:
        super().__init__(
            sampling_thread,
            theme=theme,
            interval_s=interval_s,
            actions=actions,
            keys=keys or {},
            columns=columns or {},
            traits=traits,
        )
        self.frame = FrameScreen(engines or {}, self._first_moment)
        self.place = Place()
        self._trail: list[Place] = []
        self._snapshot_announced = False
        self._noticed: set[str] = set()
        self._flows_recorded = False
        """Flows are counted although their pane was left, until the recording ends."""
        self._problems = problems

    def get_default_screen(self) -> Screen[Any]:
        return self.frame

    def _first_moment(self) -> Moment | None:
        self.snapshot = self.sampling_thread.latest
        return self.moment()

    def on_frame_ready(self, event: FrameReady) -> None:
        self.screen_built()
        self.sampling_thread.listen(self._announce_snapshot)
        self.say_problems(self._problems)
        self.set_interval(THEME_EVERY_S, self.reload_theme)
        self.app_resume_signal.subscribe(self, lambda _: self.action_repaint())  # after ctrl+z

    def on_unmount(self) -> None:
        self.sampling_thread.listen(None)
        self.end_captures()

    def on_frame_resized(self, event: FrameResized) -> None:
        self.show()

    def _announce_snapshot(self, snapshot: Snapshot | None) -> None:
        """Post a message to the app. Called in the sampling thread."""
        if not self._snapshot_announced:
            self._snapshot_announced = True
            self.post_message(SnapshotArrived())

    def on_snapshot_arrived(self) -> None:
        self._snapshot_announced = False  # cleared before reading: a snapshot that arrives now is announced again
        if self.sampling_thread.error is not None:
            self.exit(return_code=1)
        self.snapshot = self.sampling_thread.latest
        if self.sampling_thread.ended:
            self.say("The end: there are no more samples. ← goes back, q quits.")
        if self._flows_recorded and self.sampling_thread.recorder is None:
            self._count_flows(0)
        self.show_when_affordable()
        self._say_new_notices()

    def _say_new_notices(self) -> None:
        """Say each notice once: the verdict may have no room for it.

        A remark is the same with other numbers in it, such as the seconds that are left.
        """
        snapshot = self.choices.paused or self.snapshot
        if snapshot is None:
            return
        said = self.sampling_thread.remarks()
        remarks = {clean(remark): without_numbers(clean(remark)) for remark in said}
        sentences = {remarks.get(sentence, sentence): sentence for sentence in notices(snapshot, said)}
        if self.sampling_thread.replay is not None:  # the notices are of the session that was recorded
            sentences = {notice: sentence for notice, sentence in sentences.items() if notice in remarks.values()}
        new = [sentence for notice, sentence in sentences.items() if notice not in self._noticed]
        for sentence in new[:MOST_TOASTS]:
            self.say(sentence)
        if len(new) > MOST_TOASTS:
            self.say(f"{len(new) - MOST_TOASTS} more notices: {self.key_of('log')} shows all.")
        self._noticed.update(sentences)

    # The screen's content

    def show(self) -> None:
        """Draw the screen. Regions repaint only the cells that changed."""
        if self.frame.pane is not None:
            with self.painting(), self.sampling_thread.lock:
                self.frame.show(self.moment())

    def frame_of(self, snapshot: Snapshot) -> Frame:
        pane = self.frame.pane
        marks = {str(other.name): mark for other in self.frame.panes.values() if (mark := other.mark())}
        if grave := sum(f.severity != "info" and f.explained_by is None for f in snapshot.diagnosis.findings):
            marks["findings"] = f"▲{grave}"
        trail = [*self._trail, self.place]
        titles = [place.title or PANES[place.pane].title for place in trail] if self._trail else []
        recorder = self.sampling_thread.recorder
        return Frame(
            self.place,
            [(name, entry.title) for name, entry in PANES.items()],
            tuple(titles),
            marks,
            hints_of(pane, self.place, self.sampling_thread.replay is not None, DETAIL_ACTIONS) if pane else (),
            self.configured_actions,
            self.recorded_times(),
            "" if recorder is None else recording_words(recorder.progress),
            self.capture_progress(),
            self.dropped_packets(),
            tuple(self.sampling_thread.remarks()),
        )

    # Messages of regions and panes

    def on_said(self, event: Said) -> None:
        self.say(event.sentence, is_error=event.is_error)
        self.show()  # it may be about something on the screen, such as a recording

    async def on_action_requested(self, event: ActionRequested) -> None:
        await self.perform(event.action)

    async def perform(self, action_id: str) -> None:
        """Do what the key of an action does now, wherever the focus is."""
        active = (each for each in self.screen.active_bindings.values() if each.binding.id == action_id)
        if (first := next(active, None)) is not None:
            await self.run_action(first.binding.action, first.node)

    async def on_go_to(self, event: GoTo) -> None:
        pane = self.frame.pane
        table = pane.table() if pane else None
        kept = replace(self.place, filter=table.filter) if table and not self.place.row else self.place
        self._trail.append(kept)
        await self._open(event.place)

    def on_interface_requested(self, event: InterfaceRequested) -> None:
        self.choose(label=event.label)

    def on_bpf_wanted(self, event: BpfWanted) -> None:
        self.actions.watch_bpf(event.on)

    def on_flows_wanted(self, event: FlowsWanted) -> None:
        if event.sample_1_in == 0 and self.sampling_thread.recorder is not None:
            self._flows_recorded = True
        else:
            self._count_flows(event.sample_1_in)

    def _count_flows(self, sample_1_in: int) -> None:
        """Count the flows of one packet in so many; 0: of none."""
        self._flows_recorded = False
        self.actions.watch_flows(sample_1_in > 0, max(1, sample_1_in))

    def on_top_flows_wanted(self, event: TopFlowsWanted) -> None:
        self.actions.watch_top_flows(event.sample_1_in)

    def on_key(self, event: events.Key) -> None:
        """Say that a key does nothing, rather than leave the person waiting."""
        if self.screen is self.frame and event.is_printable and event.key not in self.frame.active_bindings:
            self.say(f"{event.character} does nothing here; {self.key_of('help')} shows the keys of this pane.")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the key of "seek", which comes before all others, to a line that is being typed."""
        return not (action == "seek" and isinstance(self.focused, Input))

    # Actions of every pane

    async def action_open_pane(self, name: str) -> None:
        self._trail.clear()
        while self.screen is not self.frame:
            self.pop_screen()
        await self._open(Place(name))

    async def _open(self, place: Place) -> None:
        with self.batch_update():  # else a slow line carries the empty pane first
            try:
                await self.frame.open(place)
            except ImportError as error:
                self.say(f"This pane needs the compiled part of bpftop: {error}", is_error=True)
                return
            self.place = place
            self.show()

    async def action_back(self) -> None:
        pane, moment = self.frame.pane, self.moment()
        if self._trail:
            await self._open(self._trail.pop())
        elif pane is not None and pane.step_back():
            self.show()
        elif self.choices.paused is not None:
            self.choose(paused=None)
        elif moment is not None and offered(moment):
            self.choose(dismissed_offer=offer_text(moment))
        elif moment is not None:
            said = notices(moment.snapshot, moment.frame.remarks)
            self.choose(hidden_notices=self.choices.hidden_notices.union(map(without_numbers, said)))

    def action_tell_where(self, action_id: str) -> None:
        action = next(action for action in self.configured_actions if action.id == action_id)
        title = f"{action.title[:1].lower()}{action.title[1:]}"
        self.say(f"{action.first_key} ({title}) works {action.where}.")

    def action_command_palette(self) -> None:
        if not any(isinstance(screen, CommandPalette) for screen in self.screen_stack):
            self.push_screen(CommandPalette(placeholder=PALETTE_WORDS))  # without an id: one may still be closing

    def action_help(self) -> None:
        from bpftop.tui.screens.help import HelpScreen

        moment = self.moment()
        if moment is not None and self.frame.pane is not None:
            self.push_screen(HelpScreen(moment, self.frame.pane))

    def action_log(self) -> None:
        from bpftop.tui.screens.log import LogScreen

        moment = self.moment()
        self.push_screen(LogScreen(self.said, notices(moment.snapshot, moment.frame.remarks) if moment else []))

    def action_theme(self) -> None:
        from bpftop.tui.screens.theme import ThemeScreen

        self.push_screen(ThemeScreen(self.found_themes(), self.colours))

    def action_settings(self) -> None:
        self.edit_settings(self.place.pane)

    def action_direction(self) -> None:
        self.choose(direction="tx" if self.choices.direction == "rx" else "rx")

    def action_next_interface(self) -> None:
        self._next_interface(1)

    def action_previous_interface(self) -> None:
        self._next_interface(-1)

    def _next_interface(self, steps: int) -> None:
        moment = self.moment()
        if moment is None:
            return
        if not moment.has_many_interfaces:
            self.say("There is only one interface.")
        self.choose(label=next_label(moment.snapshot, self.choices.label, steps))

    def action_copy(self) -> None:
        row = self.frame.pane.copied_text() if self.frame.pane else ""
        self.copy_to_clipboard(row or self.screen_text())
        copied = "the row" if row else "the screen"
        self.say(f"Copied {copied} to the clipboard, if this terminal allows it (OSC 52).")

    def action_save(self) -> None:
        moment = self.moment()
        if moment is not None:
            self.run_in_thread("saved", partial(self.actions.save_snapshot, moment.snapshot))

    def action_save_screen(self) -> None:
        from bpftop.tui.widgets.picture import picture

        svg = picture(self.screen_strips(), self.size.width, self.colours)
        self.run_in_thread("saved", partial(self.actions.save_picture, svg))

    def action_record(self) -> None:
        if self.actions.record is None:
            self.say("Cannot record here: these samples come from a recording or from another program.")
        else:
            self.run_in_thread("recording", self.actions.record)

    def action_accept(self) -> None:
        from bpftop.tui.screens.question import YesNoQuestion

        moment = self.moment()
        interface = interface_with_offer(moment.snapshot, self.choices.label) if moment and moment.live else None
        if moment is None or interface is None:
            self.say("There is no offer to accept now.")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                accept = partial(self.actions.accept_offer, interface.label)
                self.run_in_thread(f"requested on {clean(interface.label)}", accept)

        self.push_screen(YesNoQuestion(offer_text(moment), "Do it?"), answered)

    def action_repaint(self) -> None:
        self._repaint()  # another program may have written on the terminal
