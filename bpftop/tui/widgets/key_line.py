"""The last lines: an offer to attach better, and the keys of the open pane. Neither ever gives way to a message."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.model.sample import Interface
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.line import Line, Span, clean, ends, length, line
from bpftop.tui.widgets.region import Region

ALWAYS = (("palette", "all"), ("help", "help"), ("quit", "quit"))
"""Hints at the right end, on every pane and at every width."""


class KeyLine(Region):
    """Keys and what they do; each can be clicked."""

    def depends_on(self, moment: Moment) -> object:
        return moment.frame.hints, moment.frame.actions

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        right = _hints(moment, ALWAYS)[:-1]
        left: Line = ()
        for hint in moment.frame.hints:
            following = (*left, *_hints(moment, (hint,)))
            if length(following) + length(right) >= width:
                continue
            left = following
        return [ends(left, right, width)]


def _hints(moment: Moment, hints: Sequence[tuple[str, str]]) -> Line:
    spans: list[Span] = []
    for action, word in hints:
        if key := moment.frame.key_of(action):
            spans += [Span(key, "key", action), Span(f" {word}", "muted", action), Span("  ")]
    return tuple(spans)


class OfferLine(Region):
    """Offer behind the key `x`, in one line; the question that follows says it whole."""

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        offer = offered(moment)
        if not offer:
            return []
        frame = moment.frame
        left = line((frame.key_of("accept"), "key", "accept"), (f": {offer}", "notice", "accept"))
        return [ends(left, line(("  ", "text"), (frame.key_of("back"), "key", "back"), (" not now", "muted")), width)]


def interface_with_offer(snapshot: Snapshot, label: str) -> Interface | None:
    """Return the interface whose offer `x` accepts: the selected interface, else the first that has an offer."""
    candidates: list[InterfaceSnapshot] = [snapshot.interface(label), *snapshot.interfaces]
    return next((candidate.interface for candidate in candidates if candidate.interface.offer), None)


def offer_text(moment: Moment) -> str:
    """Return the offer, with the name of its interface if there are several; empty if there is none."""
    interface = interface_with_offer(moment.snapshot, moment.choices.label) if moment.live else None
    if interface is None:
        return ""
    offer = clean(interface.offer or "")
    return f"{clean(interface.label)}: {offer}" if moment.has_many_interfaces else offer


def offered(moment: Moment) -> str:
    """Return the offer, unless the person has dismissed it."""
    offer = offer_text(moment)
    return offer if offer != moment.choices.dismissed_offer else ""
