"""What is wrong, in the lines below the header: the gravest finding, what follows from it, which rules are blind."""

from __future__ import annotations

from bpftop.model.findings import Finding
from bpftop.model.units import since
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.line import Line, clean, crop, ends, line

MARKS = {"critical": "▲▲ CRITICAL", "warning": "▲  WARNING", "info": "·  note"}
ROLES = {"critical": "alarm", "warning": "notice", "info": "muted"}


def verdict_lines(frame: PaneInput) -> list[Line]:
    """Never empty: with nothing wrong one line says so, and how many rules could see."""
    diagnosis = frame.shown.diagnosis
    if not diagnosis.rules:
        return []
    causes = [finding for finding in diagnosis.findings if finding.explained_by is None]
    if not causes:
        begun = len(diagnosis.waiting) + len(diagnosis.blind) < diagnosis.rules
        return [_seeing(frame, "nothing found" if begun else "nothing found yet", "good" if begun else "muted")]
    first = causes[0]
    more = f"   +{len(causes) - 1} more" if len(causes) > 1 else ""
    head = line((f"{MARKS[first.severity]}  ", ROLES[first.severity]), (clean(first.title), "name"))
    tail = line((f"  for {since(first.since_s(frame.shown.mono_ns))}{more}   ", "text"), (_key(frame), "key"), " why")
    said = [ends(head, tail, frame.width)]
    follows = [finding for finding in diagnosis.findings if finding.explained_by == first.id]
    if follows:
        titles = ", ".join(clean(finding.title) for finding in follows)
        said.append(crop(line(("   └ follows: ", "muted"), titles), frame.width))
    return [*said, _seeing(frame, "", "muted")]


def _seeing(frame: PaneInput, says: str, role: str) -> Line:
    diagnosis = frame.shown.diagnosis
    blind = len(diagnosis.blind)
    waiting = len(diagnosis.waiting)
    count = f"{diagnosis.rules - blind - waiting} of {diagnosis.rules} rules see"
    if waiting:
        count += f", {waiting} wait" if waiting < diagnosis.rules - blind else ", the others need a few seconds"
    names = f", {blind} blind: {', '.join(diagnosis.blind)}" if blind else ""
    tail = line(("  ", "text"), (_key(frame), "key"), (" why", "muted")) if blind else ()
    left = line((f"{says}   " if says else "   ", role), (f"{count}{names}", "muted"))
    return ends(left, tail, frame.width)


def _key(frame: PaneInput) -> str:
    """The key of the pane that says more."""
    return next((action.first_key for action in frame.actions if action.id == "findings"), "8")


def episode_key(finding: Finding) -> str:
    """Names a finding for as long as it is remembered."""
    return f"{finding.id}/{finding.scope_name}/{finding.since_ns}"
