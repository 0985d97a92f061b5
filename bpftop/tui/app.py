"""The live screen. Keys change the View, samples change the Snapshot; either change draws the open pane again."""

from __future__ import annotations

from bpftop.tui import import_without_ssl  # noqa: F401

# isort: split
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.reactive import var
from textual.screen import Screen

from bpftop.errors import BpftopError
from bpftop.model.snapshot import Snapshot
from bpftop.render.rows import flags_to_show
from bpftop.tui.actions import ACTIONS, REPLAY_KEYS, Actions, with_keys
from bpftop.tui.commands import COMMANDS, filter_typed
from bpftop.tui.messages import ActionDone, MeasurementChanged, SnapshotArrived
from bpftop.tui.panes import load_pane
from bpftop.tui.panes.pane import Pane
from bpftop.tui.sampling_thread import SamplingThread
from bpftop.tui.terminal_diff import smaller_update
from bpftop.tui.themes import Theme
from bpftop.tui.view import PaneInput, Prompt, View
from bpftop.tui.widgets.canvas import Canvas
from bpftop.tui.widgets.hints import interface_with_offer, last_lines
from bpftop.tui.widgets.line import Line, clean, line, wrap
from bpftop.tui.widgets.role_styles import RoleStyles

if TYPE_CHECKING:
    from bpftop.tui.measurements.measurement import Measurement  # imported with the first pane that measures

MIN_WIDTH, MIN_HEIGHT = 50, 10


class KeylessScreen(Screen[None], inherit_bindings=False):
    """A screen without Textual's own bindings: tab selects the next interface here."""


class BpftopApp(App[None], inherit_bindings=False):
    """The live screen on a SamplingThread.

    Args:
        sampling_thread: Source of the snapshots; the caller starts and stops the thread.
        keys: Action id -> the keys that the person configured for the action.
        engines: Pane name -> engine that the pane measures with instead of the real engine.
    """

    TITLE = "bpftop"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[Any] = [Binding(a.keys, f"do('{a.id}')", a.help, show=False, id=a.id) for a in ACTIONS]

    snapshot: var[Snapshot | None] = var(None, init=False)
    view: var[View] = var(View(), init=False)

    def __init__(
        self,
        sampling_thread: SamplingThread,
        *,
        theme: Theme,
        interval_s: float,
        actions: Actions,
        keys: Mapping[str, str] | None = None,
        engines: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(ansi_color=True)  # the theme's colours reach the terminal unconverted
        self.sampling_thread = sampling_thread
        self.interval_s = interval_s
        self.actions = actions
        self.colours = theme.without_colour() if os.environ.get("NO_COLOR") else theme
        self.canvas = Canvas(RoleStyles(self.colours), self.draw)
        self.flags: frozenset[str] = frozenset()
        self._snapshot_announced, self._engines = False, engines or {}
        self._measurements: dict[str, Measurement | None] = {}
        self.configured_actions = with_keys({**(REPLAY_KEYS if sampling_thread.replay else {}), **(keys or {})})
        self.set_keymap({action.id: action.keys for action in self.configured_actions})

    def get_default_screen(self) -> Screen[Any]:
        return KeylessScreen(id="_default")

    def compose(self) -> ComposeResult:
        yield self.canvas

    def on_mount(self) -> None:
        self.sampling_thread.listen(self._announce_snapshot)
        self.app_resume_signal.subscribe(self, self._repaint)  # after ctrl+z the terminal shows something else

    def on_unmount(self) -> None:
        self.sampling_thread.listen(None)
        measurements = list(filter(None, self._measurements.values()))
        for measurement in measurements:  # cancel all before waiting for any
            measurement.cancel()
        for measurement in measurements:
            measurement.close()

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
            self._say("The end: there are no more samples. ← goes back, q quits.")

    def on_measurement_changed(self) -> None:
        endings = {pane: ending for pane, m in self._measurements.items() if m and (ending := m.take_ending())}
        in_other_panes = [ending for pane, ending in endings.items() if pane != self.view.pane]
        if in_other_panes:
            self._say(clean(in_other_panes[-1]))
        else:
            self.draw()

    def on_action_done(self, event: ActionDone) -> None:
        self._say(clean(event.sentence))

    def watch_snapshot(self) -> None:
        self.draw()

    def watch_view(self, before: View, after: View) -> None:
        if before.flows_1_in != after.flows_1_in:
            self.actions.watch_flows(after.flows_1_in > 0, max(1, after.flows_1_in))
        self.draw()

    def pane_input(self) -> PaneInput | None:
        """Return the input of the open pane; None before the first sample."""
        snapshot = self.view.paused or self.snapshot
        if snapshot is None or self.snapshot is None:
            return None
        self.flags = flags_to_show(snapshot.interface(self.view.label).traffic(self.view.direction), self.flags)
        thread, replay, measurement = self.sampling_thread, self.sampling_thread.replay, self.measurement()
        return PaneInput(
            snapshot, thread.history, self.view, *self.canvas.size,
            interval_s=self.interval_s if thread.live else round((snapshot.interval_ns or 10**9) / 1e9, 1),
            live=thread.live, newest_ns=self.snapshot.mono_ns, flags=self.flags, actions=self.configured_actions,
            remarks=tuple(thread.remarks()), recording=thread.recorder is not None,
            playing=replay is None or replay.playing, speed=replay.speed if replay else 1,
            measurement_state=measurement.state if measurement else None,
        )  # fmt: skip

    def pane(self) -> Pane:
        """Return the open pane."""
        return load_pane(self.view.pane)

    def measurement(self) -> Measurement | None:
        """Return what the open pane measures with, created when the pane is first opened; None: it measures nothing."""
        name = self.view.pane
        if name not in self._measurements:
            self._measurements[name] = self.pane().open_measurement(
                lambda: self.post_message(MeasurementChanged()), self._engines.get(name)
            )
        return self._measurements[name]

    def draw(self) -> None:
        """Draw the open pane. The canvas repaints only the cells that changed."""
        if self.canvas.is_attached and self.canvas.size:
            self.canvas.show(self._lines())

    def _lines(self) -> list[Line]:
        width, height = self.canvas.size
        if width < MIN_WIDTH or height < MIN_HEIGHT:
            needed = f"bpftop needs {MIN_WIDTH} x {MIN_HEIGHT} cells, this is {width} x {height}."
            return [line(part) for part in wrap(f"The terminal is too small: {needed}", max(1, width))]
        with self.sampling_thread.lock:
            pane_input = self.pane_input()
            if pane_input is None:
                return [line(("waiting for the first sample", "muted"))]
            last = last_lines(pane_input)
            pane_height = height - len(last)
            lines = self.pane().lines(pane_input, pane_height)
            return [*lines, *[()] * (pane_height - len(lines)), *last]

    def action_do(self, name: str) -> None:
        """Do the action. Every key ends here, and every key puts away the message of the key before."""
        with self.sampling_thread.lock:
            pane_input = self.pane_input()
            if pane_input is not None and name in COMMANDS:
                overridden = self._overridden(name, pane_input)
                view = overridden or COMMANDS[name](pane_input, self.pane())
                self.view = view if view.message != self.view.message else replace(view, message="")
                if overridden is not None:  # a measurement's choice may change while the view stays equal
                    self.draw()
                return
        if pane_input is not None or name in ("quit", "suspend"):
            APP_ACTIONS[name](self, pane_input)

    def _overridden(self, name: str, pane_input: PaneInput) -> View | None:
        """Return the view after an action that a measurement or a replay handles itself; None: neither does."""
        measurement, replay, view = self.measurement(), self.sampling_thread.replay, None
        if measurement is not None:
            others = (m for m in self._measurements.values() if m and m is not measurement)
            busy = next((other.title for other in others if other.running), "")
            view = measurement.press(name, pane_input, busy)
        if view is None and replay is not None:
            from bpftop.tui.replay_keys import pressed

            view = pressed(name, pane_input, replay)
        return view

    def _say(self, message: str) -> None:
        self.view = replace(self.view, message=message)

    def _repaint(self, _: object = None) -> None:
        self.refresh(layout=True)

    def _save_screen(self) -> None:
        from bpftop.tui.widgets.picture import picture

        svg = picture(self.canvas.lines, self.canvas.size.width, self.colours)
        self._run_in_thread("saved", partial(self.actions.save_picture, svg))

    def _record(self) -> None:
        if self.actions.record is None:
            self._say("cannot record here: these samples come from a recording or from another program")
        else:
            self._run_in_thread("recording", self.actions.record)

    def _copy(self, pane_input: PaneInput) -> None:
        with self.sampling_thread.lock:
            row = self.pane().row_text(pane_input, self.view.cursor) if self.view.cursor else ""
        self.copy_to_clipboard(row or self.canvas.text())
        copied = "the row" if row else "the screen"
        self._say(f"copied {copied} to the clipboard, if this terminal allows it (OSC 52)")

    def _accept(self, pane_input: PaneInput) -> None:
        interface = interface_with_offer(pane_input.snapshot, self.view)
        if interface is not None and pane_input.live:
            self.view = replace(self.view, prompt=Prompt("offer", label=interface.label), message="")

    def _run_in_thread(self, verb: str, task: Callable[[], str | None]) -> None:
        """Run a task that may block; its result, or the reason of its failure, becomes the message."""

        def run() -> None:
            try:
                result = task()
                sentence = f"{verb} {result}" if result else verb
            except BpftopError as error:
                sentence = str(error)
            self.post_message(ActionDone(sentence))

        self.run_worker(run, thread=True, exit_on_error=False)

    def on_key(self, event: events.Key) -> None:
        """Pass keys to an open prompt. Without a prompt, keys are bindings."""
        prompt = self.view.prompt
        if prompt is None:
            return
        event.prevent_default()
        event.stop()
        if prompt.kind != "offer":
            self._type(event.key, event.character)
            return
        self.view = replace(self.view, prompt=None)
        if event.key in ("y", "Y"):
            accept = partial(self.actions.accept_offer, prompt.label)
            self._run_in_thread(f"requested on {clean(prompt.label)}", accept)

    def _type(self, key: str, character: str | None) -> None:
        snapshot, replay = self.view.paused or self.snapshot, self.sampling_thread.replay
        if self.view.prompt is not None and self.view.prompt.kind == "seek" and snapshot and replay:
            from bpftop.tui import replay_keys

            self.view = replay_keys.time_typed(self.view, key, character, replay, snapshot.wall_ns)
        else:
            self.view = filter_typed(self.view, key, character)

    def on_paste(self, event: events.Paste) -> None:
        if self.view.prompt is not None and self.view.prompt.kind != "offer":
            for character in event.text:
                self._type(character, character)

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        super()._display(screen, smaller_update(renderable))


APP_ACTIONS: Mapping[str, Callable[[BpftopApp, Any], object]] = {
    "quit": lambda app, _: app.exit(),
    "suspend": lambda app, _: app.action_suspend_process(),
    "repaint": lambda app, _: app._repaint(),
    "save": lambda app, pane_input: app._run_in_thread(
        "saved", partial(app.actions.save_snapshot, pane_input.snapshot)
    ),
    "save_screen": lambda app, _: app._save_screen(),
    "record": lambda app, _: app._record(),
    "copy": BpftopApp._copy,
    "accept": BpftopApp._accept,
}
"""Action id -> function of the app. COMMANDS has all other actions."""
