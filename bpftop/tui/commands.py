"""What keys do to the view: pure functions from a frame to the next view. What touches the world is in ``app``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from types import ModuleType

from bpftop.model.findings import Finding
from bpftop.tui.view import PaneInput, PaneName, Prompt, View
from bpftop.tui.widgets.line import clean
from bpftop.tui.widgets.verdict import MARKS

Command = Callable[[PaneInput, ModuleType], View]
"""Takes the frame on the screen and the module of its pane."""


def pause(frame: PaneInput, pane: ModuleType) -> View:
    return replace(frame.view, paused=None if frame.view.paused else frame.shown)


def scroll_back(frame: PaneInput, steps: int) -> View:
    """Through the history, which pauses the screen."""
    if frame.view.paused is None and steps > 0:
        return frame.view
    return replace(frame.view, paused=frame.history.step(frame.shown.mono_ns, steps))


def to_finding(frame: PaneInput, later: bool) -> View:
    """To the moment when the next one was raised, or the one before, as far as the history goes."""
    shown_ns = frame.shown.mono_ns
    told: dict[int, Finding] = {}
    for episode in frame.history.episodes:
        if (episode.raised_ns > shown_ns) is later and episode.raised_ns != shown_ns:
            told.setdefault(episode.raised_ns, episode.finding)
    for raised_ns in sorted(told, reverse=not later):
        if (moment := frame.history.from_moment(raised_ns)) is not None and moment.mono_ns != shown_ns:
            later_on, then = told[raised_ns], {(one.id, one.scope_name): one for one in moment.diagnosis.findings}
            finding = then.get((later_on.id, later_on.scope_name), later_on)  # with the numbers of that moment
            said = f"{MARKS[finding.severity]}  {clean(finding.title)} ({clean(finding.scope_name)})"
            return replace(frame.view, paused=moment, message=said)
    where = "after this" if later else "before this"
    return replace(frame.view, message=f"no finding was raised {where}, in what was played")


def mark(frame: PaneInput, pane: ModuleType) -> View:
    return replace(frame.view, mark=None if frame.view.mark else frame.history.mark(frame.shown))


def open_filter(frame: PaneInput, pane: ModuleType) -> View:
    if frame.view.pane == "help":  # the help has no rows: what belongs to those stays as it is
        return frame.view
    return replace(frame.view, prompt=Prompt("filter", frame.view.filter))


def sort(frame: PaneInput, pane: ModuleType) -> View:
    if frame.view.pane == "help":
        return frame.view
    return frame.view.sorted_by_next(pane.sort_ids(frame))


def reverse(frame: PaneInput, pane: ModuleType) -> View:
    return frame.view if frame.view.pane == "help" else replace(frame.view, reverse=not frame.view.reverse)


def wide(frame: PaneInput, pane: ModuleType) -> View:
    return replace(frame.view, wide=not frame.view.wide, cursor="") if frame.view.pane == "cpus" else frame.view


def group(frame: PaneInput, pane: ModuleType) -> View:
    if frame.view.pane != "flows":
        return frame.view
    from bpftop.render.flow_rows import GROUPS  # imported with its pane

    following = GROUPS[(GROUPS.index(frame.view.group_by) + 1) % len(GROUPS)]
    return replace(frame.view, group_by=following, cursor="", sort="", reverse=False)


def sample(frame: PaneInput, pane: ModuleType) -> View:
    if frame.view.pane != "flows":
        return frame.view
    return replace(frame.view, sample_1_in={1: 10, 10: 100}.get(frame.view.sample_1_in, 1))


def help_or_back(frame: PaneInput, pane: ModuleType) -> View:
    return frame.view.cleared() if frame.view.pane == "help" else frame.view.opened("help")


def direction(frame: PaneInput, pane: ModuleType) -> View:
    return replace(frame.view, direction="tx" if frame.view.direction == "rx" else "rx")


def _measuring(pane: PaneName, first: str) -> Command:
    """Opens a pane that measures on this machine, where that can be done: a recording can be looked at on any."""

    def opened(frame: PaneInput, _: ModuleType) -> View:
        try:
            import_module("bpftop.measure.api")
        except ImportError as error:
            said = f"this pane measures on this machine, and the compiled part of bpftop is not there: {error}"
            return replace(frame.view, message=said)
        return replace(frame.view.opened(pane), cursor=first)

    return opened


def _moved(steps: int | None, *, last: bool = False) -> Command:
    return lambda frame, pane: frame.view.moved(pane.keys(frame), steps, last=last)


def _page(sign: int) -> Command:
    return lambda frame, pane: frame.view.moved(pane.keys(frame), sign * max(1, frame.height // 2))


_LIVE = "this is now, and no recording: p pauses the screen, and the arrows go back through ten minutes"

COMMANDS: Mapping[str, Command] = {
    "pause": pause,
    "mark": mark,
    "filter": open_filter,
    "sort": sort,
    "reverse": reverse,
    "seek": lambda frame, pane: replace(frame.view, message=_LIVE),
    "speed": lambda frame, pane: replace(frame.view, message=_LIVE),
    "next_finding": lambda frame, pane: to_finding(frame, True),
    "previous_finding": lambda frame, pane: to_finding(frame, False),
    "overview": lambda frame, pane: frame.view.opened("overview"),
    "cpus": lambda frame, pane: frame.view.opened("cpus"),
    "path": lambda frame, pane: frame.view.opened("path"),
    "flows": lambda frame, pane: frame.view.opened("flows"),
    "profile": _measuring("profile", "types"),
    "bench": _measuring("bench", "all"),
    "findings": lambda frame, pane: frame.view.opened("findings"),
    "help": help_or_back,
    "direction": direction,
    "next_interface": lambda frame, pane: frame.view.looking_at(frame.shown, 1),
    "previous_interface": lambda frame, pane: frame.view.looking_at(frame.shown, -1),
    "wide": wide,
    "group": group,
    "names": lambda frame, pane: frame.view,
    "sample": sample,
    "earlier": lambda frame, pane: scroll_back(frame, -1),
    "later": lambda frame, pane: scroll_back(frame, 1),
    "much_earlier": lambda frame, pane: scroll_back(frame, -10),
    "much_later": lambda frame, pane: scroll_back(frame, 10),
    "down": _moved(1),
    "up": _moved(-1),
    "page_down": _page(1),
    "page_up": _page(-1),
    "first": _moved(None),
    "last": _moved(None, last=True),
    "choose": lambda frame, pane: frame.view,
    "run": lambda frame, pane: frame.view,
    "clear": lambda frame, pane: frame.view.cleared(),
}


def typed(view: View, key: str, character: str | None) -> View:
    """A key while the filter is being typed; the rows follow at once."""
    assert view.prompt is not None
    text = view.prompt.text
    if key == "enter":
        return replace(view, prompt=None)
    if key in ("escape", "ctrl+c"):
        return replace(view, prompt=None, filter="")
    text = edited(text, key, character)
    return replace(view, prompt=Prompt("filter", text), filter=text.strip(), cursor="")


def edited(text: str, key: str, character: str | None) -> str:
    """What a line of input holds after a key."""
    if key in ("backspace", "ctrl+h"):
        return text[:-1]
    if key == "ctrl+u":
        return ""
    return text + character if character and character.isprintable() and character.isascii() else text
