"""The last line: a question, a message, or the keys that do something here."""

from __future__ import annotations

from bpftop.model.sample import Interface
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot
from bpftop.tui.actions import LIVE_ONLY, REPLAY_ONLY
from bpftop.tui.view import PaneInput, View
from bpftop.tui.widgets.line import Line, clean, crop, length, line, wrap

_LONGER = {
    "sort": "sort", "record": "record", "direction": "RX/TX", "copy": "copy", "save_screen": "picture", "wide": "strip",
}  # fmt: skip
"""Hints for wider screens, beyond those of the action table."""

_LAST = ("profile", "bench")
"""Hints that go before all others where it is narrow: no pane for 3 a.m."""


_WORDS = {
    "flows": {"group": "group", "names": "names", "filter": "filter", "sort": "sort", "sample": "1 in N"},
    "profile": {"choose": "measure", "clear": "cancel", "later": "value"},
    "bench": {"choose": "run, why", "run": "run again", "clear": "cancel"},
}
"""Hints in panes that have keys of their own: what these actions do there."""
_ELSEWHERE = ("overview", "cpus", "path", "flows", "profile", "bench", "findings", "help", "quit")


_TYPED = {"filter": ("/", "enter keeps, esc clears"), "seek": ("@", "enter goes there: 03:12, 03:12:44, -90, +5m")}


def offering(shown: Snapshot, view: View) -> Interface | None:
    """The interface that `x` is about: the one looked at, else the first that has an offer."""
    looked_at = shown.interface(view.label)
    candidates: list[InterfaceSnapshot] = [looked_at, *shown.interfaces]
    return next((w.interface for w in candidates if w.interface.offer), None)


def last_lines(frame: PaneInput) -> list[Line]:
    """One line, or more where a question or a message needs them to be read whole."""
    view = frame.view
    if view.prompt is not None and view.prompt.kind != "offer":
        key, says = _TYPED[view.prompt.kind]
        typed = line((key, "key"), view.prompt.text[-30:], ("▁", "key"), (f"  {says}", "muted"))
        return [crop(typed, frame.width)]
    offer = offering(frame.shown, view) if frame.live else None
    if view.prompt is not None and offer is not None:
        asked = wrap(f"x: {_offer(frame, offer)} - do it? y/n", frame.width)
        return [line((part, "notice")) for part in asked]
    if view.message:
        return [line((part, "notice")) for part in wrap(view.message, frame.width)]
    said = line(("x", "key"), (f": {_offer(frame, offer)}", "notice"), "  ") if offer is not None else ()
    return [crop((*said, *_keys(frame, frame.width - length(said))), frame.width)]


def _offer(frame: PaneInput, interface: Interface) -> str:
    return f"{clean(interface.label)}: {clean(interface.offer or '')}" if frame.many else clean(interface.offer or "")


def _keys(frame: PaneInput, room: int) -> Line:
    """``p pause  m mark ...``: as many as fit ``room``, and how to find the others."""
    view = frame.view
    if view.pane == "help":
        return line(("esc", "key"), " back  ", ("j k", "key"), " scroll  ", ("q", "key"), " quit")
    if view.pane in _WORDS:
        return _fitting(_measuring(frame), room)
    hints: list[tuple[str, str]] = []
    for action in sorted(frame.actions, key=lambda action: action.id in _LAST):
        if action.id in (REPLAY_ONLY if frame.live else LIVE_ONLY):
            continue
        hint = action.hint or (_LONGER.get(action.id, "") if frame.width >= 100 else "")
        if hint and action.id != view.pane and (action.id != "wide" or view.pane == "cpus"):
            turned = {
                "pause": ("live" if frame.live else "play", view.paused or not frame.playing),
                "wide": ("rows", view.wide),
                "speed": ("1x", frame.speed > 1),
                "record": ("end", frame.recording),
            }.get(action.id, ("", None))
            hints.append((action.first_key, turned[0] if turned[1] else hint))
    return _fitting(hints, room)


def _measuring(frame: PaneInput) -> list[tuple[str, str]]:
    """What a pane has keys of its own for, then the other panes."""
    words, actions = _WORDS[frame.view.pane], {action.id: action for action in frame.actions}
    here = [(actions[name].first_key, word) for name, word in words.items()]
    return [*here, *((a.first_key, a.hint) for a in frame.actions if a.id in _ELSEWHERE and a.id != frame.view.pane)]


def _fitting(hints: list[tuple[str, str]], room: int) -> Line:
    """As many as fit; the help is the last one to go."""
    while len(hints) > 1 and sum(len(key) + len(word) + 3 for key, word in hints) - 2 > room:
        hints.pop(-1 if hints[-1][1] != "help" else -2)
    return tuple(span for key, word in hints for span in ((key, "key"), (f" {word}  ", "muted")))
