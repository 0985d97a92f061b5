"""The last line: a question, a message, or the keys that do something in this pane."""

from __future__ import annotations

from typing import get_args

from bpftop.model.sample import Interface
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot
from bpftop.tui.actions import LIVE_ONLY, REPLAY_ONLY
from bpftop.tui.view import PaneInput, PaneName, View
from bpftop.tui.widgets.line import Line, clean, crop, length, line, wrap

_WIDE_SCREEN_HINTS = {
    "sort": "sort", "record": "record", "direction": "RX/TX", "copy": "copy", "save_screen": "picture", "wide": "strip",
}  # fmt: skip
"""Hints that only screens of 100 columns or more have."""

_DROPPED_FIRST = ("profile", "bench")
"""Hints that a narrow screen drops before all others."""

_PANE_HINTS = {
    "flows": {"group": "group", "names": "names", "filter": "filter", "sort": "sort", "sample": "1 in N"},
    "profile": {"choose": "measure", "clear": "cancel", "later": "value"},
    "bench": {"choose": "run, why", "run": "run again", "clear": "cancel"},
}
"""Pane -> action -> hint, for panes in which actions have a meaning of their own."""
_OTHER_PANES = frozenset((*get_args(PaneName), "quit"))
"""Hints that follow in these panes."""

_TEXT_PROMPTS = {"filter": ("/", "enter keeps, esc clears"), "seek": ("@", "enter seeks: 03:12, 03:12:44, -90, +5m")}


def interface_with_offer(snapshot: Snapshot, view: View) -> Interface | None:
    """Return the interface whose offer `x` accepts: the selected interface, else the first that has an offer."""
    candidates: list[InterfaceSnapshot] = [snapshot.interface(view.label), *snapshot.interfaces]
    return next((candidate.interface for candidate in candidates if candidate.interface.offer), None)


def last_lines(pane_input: PaneInput) -> list[Line]:
    """Return one line, or more if a question or a message is longer than the screen is wide."""
    view, width = pane_input.view, pane_input.width
    if view.prompt is not None and view.prompt.kind != "offer":
        key, explanation = _TEXT_PROMPTS[view.prompt.kind]
        return [crop(line((key, "key"), view.prompt.text[-30:], ("▁", "key"), (f"  {explanation}", "muted")), width)]
    interface = interface_with_offer(pane_input.snapshot, view) if pane_input.live else None
    offer = "" if interface is None else _offer(pane_input, interface)
    if view.prompt is not None and offer:
        return [line((part, "notice")) for part in wrap(f"x: {offer} - do it? y/n", width)]
    if view.message:
        return [line((part, "notice")) for part in wrap(view.message, width)]
    offered = line(("x", "key"), (f": {offer}", "notice"), "  ") if offer else ()
    return [crop((*offered, *_key_hints(pane_input, width - length(offered))), width)]


def _offer(pane_input: PaneInput, interface: Interface) -> str:
    offer = clean(interface.offer or "")
    return f"{clean(interface.label)}: {offer}" if pane_input.has_many_interfaces else offer


def _key_hints(pane_input: PaneInput, room: int) -> Line:
    """Return ``p pause  m mark ...``, as many hints as fit into ``room`` cells."""
    view = pane_input.view
    if view.pane == "help":
        return line(("esc", "key"), " back  ", ("j k", "key"), " scroll  ", ("q", "key"), " quit")
    if view.pane in _PANE_HINTS:
        return _fitting(_pane_hints(pane_input), room)
    toggled = {
        "pause": ("live" if pane_input.live else "play", view.paused or not pane_input.playing),
        "wide": ("rows", view.wide),
        "speed": ("1x", pane_input.speed > 1),
        "record": ("end", pane_input.recording),
    }
    hints: list[tuple[str, str]] = []
    for action in sorted(pane_input.actions, key=lambda action: action.id in _DROPPED_FIRST):
        if action.id in (REPLAY_ONLY if pane_input.live else LIVE_ONLY):
            continue
        hint = action.hint or (_WIDE_SCREEN_HINTS.get(action.id, "") if pane_input.width >= 100 else "")
        if hint and action.id != view.pane and (action.id != "wide" or view.pane == "cpus"):
            toggled_hint, is_on = toggled.get(action.id, ("", False))
            hints.append((action.first_key, toggled_hint if is_on else hint))
    return _fitting(hints, room)


def _pane_hints(pane_input: PaneInput) -> list[tuple[str, str]]:
    """Return the hints of the pane's own keys, then of the other panes."""
    pane, actions = pane_input.view.pane, {action.id: action for action in pane_input.actions}
    own = [(actions[name].first_key, hint) for name, hint in _PANE_HINTS[pane].items()]
    return [*own, *((a.first_key, a.hint) for a in pane_input.actions if a.id in _OTHER_PANES and a.id != pane)]


def _fitting(hints: list[tuple[str, str]], room: int) -> Line:
    """Return as many hints as fit; the hint of the help is dropped last."""
    while len(hints) > 1 and sum(len(key) + len(word) + 3 for key, word in hints) - 2 > room:
        hints.pop(-1 if hints[-1][1] != "help" else -2)
    return tuple(span for key, word in hints for span in ((key, "key"), (f" {word}  ", "muted")))
