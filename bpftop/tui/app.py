"""The live screen: a feed in, one sheet out. Keys change the view, ticks change the snapshot; both redraw the sheet."""

from __future__ import annotations

from bpftop.tui import import_without_ssl  # noqa: F401

# isort: split
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from types import ModuleType
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
from bpftop.tui.commands import COMMANDS, typed
from bpftop.tui.messages import Done, Measured, SnapshotArrived
from bpftop.tui.sampling_thread import SamplingThread
from bpftop.tui.terminal_diff import economical
from bpftop.tui.themes import Theme
from bpftop.tui.view import PaneInput, Prompt, View
from bpftop.tui.widgets.hints import last_lines, offering
from bpftop.tui.widgets.line import Line, clean, line, wrap
from bpftop.tui.widgets.palette import Palette
from bpftop.tui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from bpftop.tui.measurement import Measurement  # it comes with the first pane that measures

MIN_WIDTH, MIN_HEIGHT = 50, 10
PANES = {
    "overview": "bpftop.tui.panes.overview",
    "cpus": "bpftop.tui.panes.cpus",
    "path": "bpftop.tui.panes.path",
    "flows": "bpftop.tui.panes.flows",
    "profile": "bpftop.tui.panes.maps",
    "bench": "bpftop.tui.panes.programs",
    "findings": "bpftop.tui.panes.findings",
    "help": "bpftop.tui.panes.help",
}
"""Pane -> module; imported when it is first opened."""


class Plain(Screen[None], inherit_bindings=False):
    """A screen without keys of its own: tab is ours."""


class BpftopApp(App[None], inherit_bindings=False):
    """``keys`` maps ids of actions to the keys a person chose for them.

    ``engines`` maps a pane to what it measures with instead of the real engine.
    """

    TITLE = "bpftop"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[Any] = [Binding(a.keys, f"do('{a.id}')", a.help, show=False, id=a.id) for a in ACTIONS]

    snapshot: var[Snapshot | None] = var(None, init=False)
    view: var[View] = var(View(), init=False)

    def __init__(
        self,
        feed: SamplingThread,
        *,
        theme: Theme,
        interval_s: float,
        actions: Actions,
        keys: Mapping[str, str] | None = None,
        engines: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(ansi_color=True)  # colours are the theme's: none is converted
        self.feed = feed
        self.interval_s = interval_s
        self.actions = actions
        self.colours = theme.without_colour() if os.environ.get("NO_COLOR") else theme
        self.sheet = Sheet(Palette(self.colours), self.draw)
        self.flags: frozenset[str] = frozenset()
        self._tick_waits = False
        self._engines = engines or {}
        self._desks: dict[str, Measurement] = {}
        self.chosen = with_keys({**(REPLAY_KEYS if feed.replay else {}), **(keys or {})})
        self.set_keymap({action.id: action.keys for action in self.chosen})

    def get_default_screen(self) -> Screen[Any]:
        return Plain(id="_default")

    def compose(self) -> ComposeResult:
        yield self.sheet

    def on_mount(self) -> None:
        self.feed.listen(self._hear)
        self.app_resume_signal.subscribe(self, self._repaint)  # after ctrl+z the terminal shows something else

    def on_unmount(self) -> None:
        self.feed.listen(None)
        for desk in self._desks.values():  # all of them first: each has its end then while another one is waited for
            desk.cancel()
        for desk in self._desks.values():
            desk.close()

    def _hear(self, snapshot: Snapshot | None) -> None:
        """Called in the feed's thread."""
        if not self._tick_waits:
            self._tick_waits = True
            self.post_message(SnapshotArrived())

    def on_snapshot_arrived(self) -> None:
        self._tick_waits = False  # first: what comes from now on is told anew
        if self.feed.error is not None:
            self.exit(return_code=1)
        self.snapshot = self.feed.latest
        if self.feed.ended:
            self.view = replace(self.view, message="The end: there are no more samples. ← goes back, q quits.")

    def on_measured(self) -> None:
        ended = {pane: sentence for pane, desk in self._desks.items() if (sentence := desk.ending())}
        elsewhere = [sentence for pane, sentence in ended.items() if pane != self.view.pane]
        if elsewhere:
            self.view = replace(self.view, message=clean(elsewhere[-1]))
        else:
            self.draw()

    def on_done(self, event: Done) -> None:
        self.view = replace(self.view, message=clean(event.sentence))

    def watch_snapshot(self) -> None:
        self.draw()

    def watch_view(self, before: View, after: View) -> None:
        if before.flows_1_in != after.flows_1_in:
            self.actions.watch_flows(after.flows_1_in > 0, max(1, after.flows_1_in))
        self.draw()

    def frame(self) -> PaneInput | None:
        """What is on the screen now; None before the first sample."""
        shown = self.view.paused or self.snapshot
        if shown is None or self.snapshot is None:
            return None
        width, height = self.sheet.size
        self.flags = flags_to_show(shown.interface(self.view.label).traffic(self.view.direction), self.flags)
        feed, replay = self.feed, self.feed.replay
        interval_s = self.interval_s if feed.live else round((shown.interval_ns or 10**9) / 1e9, 1)
        return PaneInput(
            shown, feed.history, self.view, width, height, interval_s, feed.live, self.snapshot.mono_ns, self.flags,
            self.chosen, tuple(feed.remarks()), feed.recorder is not None, replay is None or replay.playing,
            replay.speed if replay else 1, None if (desk := self.desk()) is None else desk.state,
        )  # fmt: skip

    def pane(self) -> ModuleType:
        return import_module(PANES[self.view.pane])

    def desk(self) -> Measurement | None:
        """What the pane on the screen measures with, made when it is first opened; None: it does not measure."""
        pane = self.view.pane
        if pane not in self._desks and hasattr(self.pane(), "open_desk"):
            self._desks[pane] = self.pane().open_desk(lambda: self.post_message(Measured()), self._engines.get(pane))
        return self._desks.get(pane)

    def draw(self) -> None:
        if self.sheet.is_attached and self.sheet.size:
            self.sheet.show(self._lines())

    def _lines(self) -> list[Line]:
        width, height = self.sheet.size
        if width < MIN_WIDTH or height < MIN_HEIGHT:
            says = (
                f"The terminal is too small: bpftop needs {MIN_WIDTH} x {MIN_HEIGHT} cells, this is {width} x {height}."
            )
            return [line(part) for part in wrap(says, max(1, width))]
        with self.feed.lock:
            frame = self.frame()
            if frame is None:
                return [line(("waiting for the first sample", "muted"))]
            last = last_lines(frame)
            room = height - len(last)
            lines: list[Line] = self.pane().lines(frame, room)
            return [*lines, *[()] * (room - len(lines)), *last]

    def action_do(self, name: str) -> None:
        """Every key comes here. A key also puts away the message of the one before."""
        with self.feed.lock:
            frame = self.frame()
            if frame is None and name not in ("quit", "suspend"):
                return
            command = COMMANDS.get(name)
            if frame is not None and command is not None:
                pressed = self._pressed(name, frame)
                view = pressed or command(frame, self.pane())
                self.view = view if view.message != self.view.message else replace(view, message="")
                if pressed is not None:  # the view may be as before, and what is chosen there is not
                    self.draw()
                return
        getattr(self, f"_{name}")(frame)

    def _pressed(self, name: str, frame: PaneInput) -> View | None:
        """What the action does in a pane that measures, or in a replay, where it is something else than everywhere."""
        desk, replay, view = self.desk(), self.feed.replay, None
        if desk is not None:
            busy = next((other.title for other in self._desks.values() if other is not desk and other.running), "")
            view = desk.press(name, frame, busy)
        if view is None and replay is not None:
            from bpftop.tui.replay_keys import pressed

            view = pressed(name, frame, replay)
        return view

    def _quit(self, frame: PaneInput) -> None:
        self.exit()

    def _repaint(self, _: object) -> None:
        self.refresh(layout=True)

    def _suspend(self, frame: PaneInput) -> None:
        self.action_suspend_process()

    def _save(self, frame: PaneInput) -> None:
        self._begin("saved", partial(self.actions.save_snapshot, frame.shown))

    def _save_screen(self, frame: PaneInput) -> None:
        from bpftop.tui.widgets.picture import picture

        svg = picture(self.sheet.lines, self.sheet.size.width, self.colours)
        self._begin("saved", partial(self.actions.save_picture, svg))

    def _record(self, frame: PaneInput) -> None:
        if self.actions.record is None:
            self.view = replace(self.view, message="what is shown here is recorded already, or comes from elsewhere")
        else:
            self._begin("recording", self.actions.record)

    def _copy(self, frame: PaneInput) -> None:
        with self.feed.lock:
            row = self.pane().row_text(frame, self.view.cursor) if self.view.cursor else ""
        self.copy_to_clipboard(row or self.sheet.text())
        what = "the row" if row else "the screen"
        self.view = replace(self.view, message=f"copied {what} to the clipboard, if this terminal allows it (OSC 52)")

    def _accept(self, frame: PaneInput) -> None:
        offer = offering(frame.shown, self.view)
        if offer is not None and frame.live:
            self.view = replace(self.view, prompt=Prompt("offer", label=offer.label), message="")

    def _begin(self, verb: str, task: Callable[[], str | None]) -> None:
        """Run what may block in a thread; its result, or why there is none, becomes the message."""

        def run() -> None:
            try:
                result = task()
            except BpftopError as error:
                self.post_message(Done(str(error)))
            else:
                self.post_message(Done(f"{verb} {result}" if result else verb))

        self.run_worker(run, thread=True, exit_on_error=False)

    def on_key(self, event: events.Key) -> None:
        """Keys that answer a prompt; all others are bindings."""
        prompt = self.view.prompt
        if prompt is None:
            return
        event.prevent_default()
        event.stop()
        if prompt.kind != "offer":
            self._typed(event.key, event.character)
            return
        self.view = replace(self.view, prompt=None)
        if event.key in ("y", "Y"):
            self._begin(f"asked for it on {clean(prompt.label)}", partial(self.actions.accept_offer, prompt.label))

    def _typed(self, key: str, character: str | None) -> None:
        shown, replay = self.view.paused or self.snapshot, self.feed.replay
        if self.view.prompt is not None and self.view.prompt.kind == "seek" and shown and replay:
            from bpftop.tui import replay_keys

            self.view = replay_keys.typed(self.view, key, character, replay, shown.wall_ns)
        else:
            self.view = typed(self.view, key, character)

    def on_paste(self, event: events.Paste) -> None:
        if self.view.prompt is not None and self.view.prompt.kind != "offer":
            for character in event.text:
                self._typed(character, character)

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        super()._display(screen, economical(renderable))
