"""The lines below the header: the gravest finding, its consequences, and how many checks are active."""

from __future__ import annotations

from bpftop.model.findings import Finding
from bpftop.model.units import since
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.line import Line, clean, crop, ends, length, line

MARKS = {"critical": "▲▲ CRITICAL", "warning": "▲  WARNING", "info": "·  note"}
ROLES = {"critical": "alarm", "warning": "notice", "info": "muted"}


def verdict_lines(pane_input: PaneInput) -> list[Line]:
    """Return the verdict. With nothing wrong, one line says so; no line if no checks run."""
    diagnosis = pane_input.snapshot.diagnosis
    if not diagnosis.rules:
        return []
    causes = [finding for finding in diagnosis.findings if finding.explained_by is None]
    if not causes:
        verdict = line(("nothing found", "good") if diagnosis.active else ("nothing found yet", "muted"))
        return [_checks_line(pane_input, verdict)]
    first = causes[0]
    more = f"   +{len(causes) - 1} more" if len(causes) > 1 else ""
    head = line((f"{MARKS[first.severity]}  ", ROLES[first.severity]), (clean(first.title), "name"))
    lasts = f"  for {since(first.since_s(pane_input.snapshot.mono_ns))}{more}   "
    lines = [ends(head, line(lasts, (_findings_key(pane_input), "key"), " why"), pane_input.width)]
    consequences = [finding for finding in diagnosis.findings if finding.explained_by == first.id]
    if consequences:
        titles = ", ".join(clean(finding.title) for finding in consequences)
        lines.append(crop(line(("   └ follows: ", "muted"), titles), pane_input.width))
    return [*lines, _checks_line(pane_input, ())]


def checks_text(pane_input: PaneInput) -> str:
    """Return ``28 of 30 checks active``, of the checks that apply here."""
    diagnosis = pane_input.snapshot.diagnosis
    return f"{diagnosis.active} of {diagnosis.applicable} checks active"


def _checks_line(pane_input: PaneInput, verdict: Line) -> Line:
    """Return ``nothing found   28 of 30 checks active, 1 blind (conntrack-full: not loaded), 1 waiting   8 why``.

    Reasons and then names of blind checks are left out as far as they do not fit; the pane of findings has them all.
    """
    diagnosis, width = pane_input.snapshot.diagnosis, pane_input.width
    waiting = f", {len(diagnosis.waiting)} waiting" if diagnosis.waiting else ""
    if diagnosis.waiting and not diagnosis.active:
        waiting = ", the others need a few seconds"
    if not diagnosis.blind:
        return ends(line(*verdict, "   ", (f"{checks_text(pane_input)}{waiting}", "muted")), (), width)
    tail = line("  ", (_findings_key(pane_input), "key"), (" why", "muted"))
    reasons = "; ".join(f"{name}: {clean(reason)}" for name, reason in diagnosis.blind.items())
    names = [", ".join((*list(diagnosis.blind)[:count], "…")) for count in range(len(diagnosis.blind) - 1, 0, -1)]
    for blind in (f" ({reasons})", *(f" ({part})" for part in (", ".join(diagnosis.blind), *names)), ""):
        text = f"{checks_text(pane_input)}, {len(diagnosis.blind)} blind{blind}{waiting}"
        left = line(*verdict, "   ", (text, "muted"))
        if length(left) + length(tail) < width:
            return ends(left, tail, width)
    return ends(left, (), width)


def _findings_key(pane_input: PaneInput) -> str:
    return next((action.first_key for action in pane_input.actions if action.id == "findings"), "8")


def episode_key(finding: Finding) -> str:
    """Return a key that names the finding for as long as the history has it."""
    return f"{finding.id}/{finding.scope_name}/{finding.since_ns}"
