"""Pane 8: what is wrong and why, past findings, and checks that cannot run."""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.history.episodes import Episode
from bpftop.model.findings import SEVERITIES, Finding
from bpftop.model.timestamps import clock_time
from bpftop.model.units import since
from bpftop.render.finding_value import limits_sentence, value_sentence
from bpftop.tui.panes.pane import Pane
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.header import header, notice_line
from bpftop.tui.widgets.line import Line, clean, crop, ends, line, text, wrap
from bpftop.tui.widgets.table import visible
from bpftop.tui.widgets.verdict import MARKS, ROLES, checks_text, episode_key


class FindingsPane(Pane):
    """The list of findings, the details of the selected finding, and the checks that cannot run."""

    terms = (
        ("critical, warning", "Something is lost, or will be. `bpftop diagnose` ends with exit code 4 or 3 for them."),
        ("note", "Worth knowing; nothing is lost by it."),
        ("└", "A consequence of the finding above it."),
        ("blind", "The check cannot run: its input is not readable here. That is not the same as nothing found."),
        ("waiting", "The check needs a few more seconds of samples."),
        ("does not apply", "There is nothing here for the check to look at, so that nothing is missed."),
    )
    terms_title = "Findings"

    def lines(self, pane_input: PaneInput, height: int) -> list[Line]:
        head = [header(pane_input), *notice_line(pane_input)]
        room = max(2, height - len(head))
        episodes = _ordered(pane_input)
        if not episodes:
            return [*head, *_nothing(pane_input), *_inactive_checks(pane_input)][:height]
        keys = [episode_key(episode.finding) for episode in episodes]
        cursor = pane_input.view.cursor
        selected = episodes[keys.index(cursor) if cursor in keys else 0]
        visible_rows = visible(keys, cursor, max(1, min(len(episodes), room // 2)))
        rows = [_row(pane_input, episode, episode is selected) for episode in episodes[visible_rows]]
        rule = line(("─" * pane_input.width, "muted"))
        details = [*_details(pane_input, selected), (), *_inactive_checks(pane_input)]
        return [*head, *rows, rule, *details][:height]

    def keys(self, pane_input: PaneInput) -> list[str]:
        return [episode_key(episode.finding) for episode in _ordered(pane_input)]

    def row_text(self, pane_input: PaneInput, key: str) -> str:
        selected = next((e for e in _ordered(pane_input) if episode_key(e.finding) == key), None)
        if selected is None:
            return ""
        lines = [_row(pane_input, selected, False), *_details(pane_input, selected)]
        return "\n".join(text(spans).rstrip() for spans in lines)


PANE = FindingsPane()


def _ordered(pane_input: PaneInput) -> list[Episode]:
    """Return the findings of the snapshot, gravest cause first with its consequences below, then past findings.

    Past findings begin with the finding that ended last.
    """
    now_ns = pane_input.snapshot.mono_ns
    active = [Episode(finding) for finding in pane_input.snapshot.diagnosis.findings]
    active_keys = {episode_key(episode.finding) for episode in active}
    past = [
        episode
        for episode in pane_input.history.episodes
        if episode.ended_ns is not None
        and episode.ended_ns <= now_ns
        and episode_key(episode.finding) not in active_keys
    ]
    past.sort(key=lambda e: (-(e.ended_ns or 0), -SEVERITIES.index(e.finding.severity)))
    return [e for e in (*active, *past) if _matches(e.finding, pane_input.view.filter)]


def _matches(finding: Finding, filter_text: str) -> bool:
    searched = f"{finding.id} {finding.severity} {finding.title} {finding.scope_name}".lower()
    return all(word in searched for word in filter_text.lower().split())


def _row(pane_input: PaneInput, episode: Episode, selected: bool) -> Line:
    finding, now_ns = episode.finding, pane_input.snapshot.mono_ns
    if episode.ended_ns is None:
        when = f"for {since(finding.since_s(now_ns))}"
    else:
        lasted = since((episode.ended_ns - finding.since_ns) / 1e9)
        when = f"lasted {lasted}, over for {since((now_ns - episode.ended_ns) / 1e9)}"
    role = ROLES[finding.severity] if episode.active else "muted"
    indent = "  └ " if finding.explained_by and episode.active else ""
    left = line(("▸ " if selected else "  ", "key"), (indent, "muted"), (f"{MARKS[finding.severity]:<13}", role),
                (clean(finding.title), "name" if episode.active else "muted"))  # fmt: skip
    return ends(left, line((f"  {clean(finding.scope_name)}  {when}", "muted")), pane_input.width)


def _details(pane_input: PaneInput, episode: Episode) -> list[Line]:
    """Return check, time, reason, evidence, limits, related findings and next commands of the finding."""
    finding = episode.finding
    others = pane_input.snapshot.diagnosis.findings if episode.active else ()
    cause = next((f.title for f in others if f.id == finding.explained_by), "")
    entries: list[tuple[str, str, str]] = [
        ("check", f"{finding.id}, scope {finding.scope} {finding.scope_name}", "text"),
        ("since", _since(pane_input, episode), "text"),
        ("why", finding.why, "name"),
        *_value(pane_input, episode),
        *(("evidence" if i == 0 else "", sentence, "text") for i, sentence in enumerate(finding.evidence)),
    ]
    if finding.source:
        entries.append(("limits", finding.source, "muted"))
    if finding.explained_by and episode.active:
        entries.append(("follows", f"from {finding.explained_by}: {cause}", "text"))
    consequences = [f"{f.title} ({f.id})" for f in others if f.explained_by == finding.id]
    entries += [("leads to" if i == 0 else "", title, "text") for i, title in enumerate(consequences)]
    entries += [("next" if i == 0 else "", f"$ {command}", "key") for i, command in enumerate(finding.commands)]
    return [row for name, sentence, role in entries for row in _entry(pane_input, name, sentence, role)]


def _value(pane_input: PaneInput, episode: Episode) -> list[tuple[str, str, str]]:
    """Return the number now beside its peak, its total, and the limits at which the finding is raised and clears."""
    value, snapshot = episode.finding.value, pane_input.snapshot
    if value is None:
        return []
    peak_time = f"at {clock_time(snapshot.wall_ns - (snapshot.mono_ns - value.peak_ns))}"
    return [
        ("number", value_sentence(value, peak_time, over=not episode.active), "text"),
        ("", limits_sentence(value), "muted"),
    ]


def _since(pane_input: PaneInput, episode: Episode) -> str:
    """Return begin, end and duration by the wall clock of the monitored machine."""
    finding, snapshot = episode.finding, pane_input.snapshot
    began = clock_time(snapshot.wall_ns - (snapshot.mono_ns - finding.since_ns))
    if episode.ended_ns is None:
        return f"{began}, for {since(finding.since_s(snapshot.mono_ns))}"
    ended = clock_time(snapshot.wall_ns - (snapshot.mono_ns - episode.ended_ns))
    return f"{began} until {ended}, {since((episode.ended_ns - finding.since_ns) / 1e9)}"


def _entry(pane_input: PaneInput, name: str, sentence: str, role: str) -> list[Line]:
    width = max(20, min(pane_input.width, 120) - 11)
    parts = wrap(clean(sentence), width)
    return [line((f"{'' if i else name:<11}", "muted"), (part, role)) for i, part in enumerate(parts)]


def _nothing(pane_input: PaneInput) -> list[Line]:
    if pane_input.view.filter:
        return [line((f"no finding matches {pane_input.view.filter}", "muted")), ()]
    if not pane_input.snapshot.diagnosis.rules:
        return [line(("no checks run", "muted")), ()]
    return [line(("nothing found", "good"), (f"   {checks_text(pane_input)}", "muted")), ()]


def _inactive_checks(pane_input: PaneInput) -> list[Line]:
    """Return the checks that are blind, wait for data, or do not apply here, each with its reason."""
    diagnosis = pane_input.snapshot.diagnosis
    lines: list[Line] = []
    for one, many, note, checks in (
        ("check is blind", "checks are blind", "   `bpftop doctor` says more", diagnosis.blind),
        ("check is waiting", "checks are waiting", "", diagnosis.waiting),
        ("check does not apply", "checks do not apply", " here: nothing is missed", diagnosis.not_applicable),
    ):
        if checks:
            lines.append(line((f"{len(checks)} {one if len(checks) == 1 else many}", "title"), (note, "muted")))
            lines += _reasons(pane_input, checks)
    return [crop(spans, pane_input.width) for spans in lines]


def _reasons(pane_input: PaneInput, checks: Mapping[str, str]) -> list[Line]:
    width = max(20, pane_input.width - 24)
    return [
        line((f"{check if i == 0 else '':<24}", "muted"), part)
        for check, reason in checks.items()
        for i, part in enumerate(wrap(clean(reason), width))
    ]
