"""Pane 8: what is wrong and why, what was wrong before, and which rules cannot see."""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.history.episodes import Episode
from bpftop.model.findings import SEVERITIES, Finding
from bpftop.model.timestamps import clock_time
from bpftop.model.units import since
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.header import header, notice_line
from bpftop.tui.widgets.line import Line, clean, crop, ends, line, wrap
from bpftop.tui.widgets.line import text as text_of
from bpftop.tui.widgets.table import visible
from bpftop.tui.widgets.verdict import MARKS, ROLES, episode_key

TERMS: tuple[tuple[str, str], ...] = (
    ("critical, warning", "Something is lost, or will be. `bpftop diagnose` ends with exit code 4 or 3 for them."),
    ("note", "Worth knowing; nothing is lost by it."),
    ("└", "Follows from the finding above it."),
    ("blind", "The rule cannot see: what it needs is not readable here. That is not the same as nothing found."),
)


def lines(frame: PaneInput, height: int) -> list[Line]:
    """The list of findings, what is to be said of the selected one, and the blind rules, in ``height`` lines."""
    head = [header(frame), *notice_line(frame)]
    room = max(2, height - len(head))
    found = _ordered(frame)
    if not found:
        return [*head, *_nothing(frame), *_unseen(frame)][:height]
    chosen = next((e for e in found if episode_key(e.finding) == frame.view.cursor), found[0])
    names = [episode_key(episode.finding) for episode in found]
    listed = visible(names, frame.view.cursor, max(1, min(len(found), room // 2)))
    rows = [_row(frame, episode, episode is chosen) for episode in found[listed]]
    rule = crop(line(("─" * frame.width, "muted")), frame.width)
    return [*head, *rows, rule, *_details(frame, chosen), (), *_unseen(frame)][:height]


def keys(frame: PaneInput) -> list[str]:
    """The rows a cursor can be on, in order."""
    return [episode_key(episode.finding) for episode in _ordered(frame)]


def sort_ids(frame: PaneInput) -> list[str]:
    return []


def row_text(frame: PaneInput, key: str) -> str:
    """The finding with its evidence and its commands, for the clipboard."""
    chosen = next((e for e in _ordered(frame) if episode_key(e.finding) == key), None)
    if chosen is None:
        return ""
    said = [_row(frame, chosen, False), *_details(frame, chosen)]
    return "\n".join(text_of(drawn).rstrip() for drawn in said)


def _ordered(frame: PaneInput) -> list[Episode]:
    """What stands, the gravest cause first with what follows from it below; then what has passed, the latest first.

    Findings of the moment that is shown, which may be one of the past.
    """
    now_ns = frame.shown.mono_ns
    standing = [Episode(finding) for finding in frame.shown.diagnosis.findings]
    here = {episode_key(episode.finding) for episode in standing}
    passed = [
        episode
        for episode in frame.history.episodes
        if episode.ended_ns is not None and episode.ended_ns <= now_ns and episode_key(episode.finding) not in here
    ]
    passed.sort(key=lambda e: (-(e.ended_ns or 0), -SEVERITIES.index(e.finding.severity)))
    return [e for e in (*standing, *passed) if _matches(e.finding, frame.view.filter)]


def _matches(finding: Finding, typed: str) -> bool:
    said = f"{finding.id} {finding.severity} {finding.title} {finding.scope_name}".lower()
    return all(word in said for word in typed.lower().split())


def _row(frame: PaneInput, episode: Episode, chosen: bool) -> Line:
    finding, now_ns = episode.finding, frame.shown.mono_ns
    if episode.ended_ns is None:
        when = f"for {since(finding.since_s(now_ns))}"
    else:
        lasted = since((episode.ended_ns - finding.since_ns) / 1e9)
        when = f"lasted {lasted}, over for {since((now_ns - episode.ended_ns) / 1e9)}"
    role = ROLES[finding.severity] if episode.active else "muted"
    mark = "  └ " if finding.explained_by and episode.active else ""
    left = line(("▸ " if chosen else "  ", "key"), (mark, "muted"), (f"{MARKS[finding.severity]:<13}", role),
                (clean(finding.title), "name" if episode.active else "muted"))  # fmt: skip
    return ends(left, line((f"  {clean(finding.scope_name)}  {when}", "muted")), frame.width)


def _details(frame: PaneInput, episode: Episode) -> list[Line]:
    finding = episode.finding
    follows = [f for f in frame.shown.diagnosis.findings if f.explained_by == finding.id] if episode.active else []
    said: list[tuple[str, str, str]] = [("rule", f"{finding.id}, scope {finding.scope} {finding.scope_name}", "text")]
    said.append(("since", _since(frame, episode), "text"))
    said.append(("why", finding.why, "name"))
    said += [("evidence" if i == 0 else "", sentence, "text") for i, sentence in enumerate(finding.evidence)]
    if finding.source:
        said.append(("limits", finding.source, "muted"))
    if finding.explained_by and episode.active:
        cause = next((f.title for f in frame.shown.diagnosis.findings if f.id == finding.explained_by), "")
        said.append(("follows", f"from {finding.explained_by}: {cause}", "text"))
    said += [("so also" if i == 0 else "", f"{f.title} ({f.id})", "text") for i, f in enumerate(follows)]
    said += [("next" if i == 0 else "", f"$ {step}", "key") for i, step in enumerate(finding.commands)]
    return [drawn for name, sentence, role in said for drawn in _term(frame, name, sentence, role)]


def _since(frame: PaneInput, episode: Episode) -> str:
    """When it began, and how long it lasts or lasted, by the clock of the machine that is watched."""
    finding, shown = episode.finding, frame.shown
    began = clock_time(shown.wall_ns - (shown.mono_ns - finding.since_ns))
    if episode.ended_ns is None:
        return f"{began}, for {since(finding.since_s(shown.mono_ns))}"
    ended = clock_time(shown.wall_ns - (shown.mono_ns - episode.ended_ns))
    return f"{began} until {ended}, {since((episode.ended_ns - finding.since_ns) / 1e9)}"


def _term(frame: PaneInput, name: str, sentence: str, role: str) -> list[Line]:
    width = max(20, min(frame.width, 120) - 11)
    parts = wrap(clean(sentence), width)
    return [line((f"{'' if i else name:<11}", "muted"), (part, role)) for i, part in enumerate(parts)]


def _nothing(frame: PaneInput) -> list[Line]:
    diagnosis = frame.shown.diagnosis
    if frame.view.filter:
        return [line((f"no finding matches {frame.view.filter}", "muted")), ()]
    if not diagnosis.rules:
        return [line(("no rules are asked", "muted")), ()]
    seeing = diagnosis.rules - len(diagnosis.blind) - len(diagnosis.waiting)
    return [line(("nothing found", "good"), (f"   {seeing} of {diagnosis.rules} rules see", "muted")), ()]


def _unseen(frame: PaneInput) -> list[Line]:
    """Rules that are blind or wait, each with why."""
    diagnosis = frame.shown.diagnosis
    drawn: list[Line] = []
    for what, says, rules in (
        ("blind", "   `bpftop doctor` says more", diagnosis.blind),
        ("waiting", "", diagnosis.waiting),
    ):
        if rules:
            many = "1 rule is" if len(rules) == 1 else f"{len(rules)} rules are"
            drawn.append(line((f"{many} {what}", "title"), (says, "muted")))
            drawn += _reasons(frame, rules)
    return [crop(one, frame.width) for one in drawn]


def _reasons(frame: PaneInput, rules: Mapping[str, str]) -> list[Line]:
    width = max(20, frame.width - 24)
    return [
        line((f"{rule if i == 0 else '':<24}", "muted"), part)
        for rule, reason in rules.items()
        for i, part in enumerate(wrap(clean(reason), width))
    ]
